"""Whether the server lives, and whether it would take a question."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from speaq.serving.engine import Engine


def router(engine: Engine) -> APIRouter:
    """The routes /health and /ready."""
    routes = APIRouter()

    @routes.get("/health")
    async def health() -> dict[str, Any]:
        """The process is alive."""
        return {"status": "ok"}

    @routes.get("/ready")
    async def ready() -> JSONResponse:
        """Whether a question would be taken now."""
        good = engine.ready
        status = "ready" if good else "busy"
        return JSONResponse({"status": status, **engine.load}, 200 if good else 503)

    return routes
