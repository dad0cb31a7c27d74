"""The documentation page of the HTTP interface, with its assets from this machine.

FastAPI's own loads them from a public network; here they come from the `swagger-ui-bundle`
package, and only the two files that are needed.
"""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from swagger_ui_bundle import swagger_ui_path

STATIC = Path(__file__).parent / "static"
ICON = STATIC / "icon.svg"


def router() -> APIRouter:
    """The routes /docs, its assets, and the icon."""
    routes = APIRouter(include_in_schema=False)
    files = {
        "swagger-ui.css": Path(str(swagger_ui_path)) / "swagger-ui.css",
        "swagger-ui-bundle.js": Path(str(swagger_ui_path)) / "swagger-ui-bundle.js",
        "start.js": STATIC / "docs.js",
    }

    @routes.get("/docs", response_model=None)
    async def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    @routes.get("/docs/{name}", response_model=None)
    async def asset(name: str) -> Response:
        if name not in files:
            return Response(status_code=404)
        return FileResponse(files[name])

    @routes.get("/favicon.ico", response_model=None)
    async def icon() -> FileResponse:
        return FileResponse(ICON)

    return routes
