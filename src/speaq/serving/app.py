"""The application: model, store, routes, page, and what stands before them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from speaq import __version__
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import require_finite
from speaq.models.language_model import LanguageModel
from speaq.serving import assets, errors, routes
from speaq.serving.access import Access
from speaq.serving.answering import Desk
from speaq.serving.engine import Engine
from speaq.serving.journal import Journal
from speaq.serving.keys import KeyRing
from speaq.serving.settings import ServingSettings


def application(
    model: LanguageModel, store: ExperienceStore, *, beta: float, settings: ServingSettings
) -> FastAPI:
    """A FastAPI application that answers with `model` and keeps every answer in `store`.

    Args:
        model: in float32 where answers should be exact; it answers one token at a time.
        store: kept open by the caller, longer than the application runs.
        beta: strength of guidance; 0 needs no value head.
        settings: see there.

    Raises:
        SettingsError: β is not finite, or other machines are let in without keys.
        ModelError: β is not 0 and the model has no value head.
    """
    require_finite(beta)
    if beta != 0:
        model.require_head()
    keys = KeyRing.open(settings.keys_file) if settings.keys_file is not None else None
    model.causal.eval()
    engine = Engine(settings.parallel, settings.max_waiting)
    desk = Desk(model, store, Journal(settings.journal), engine, settings, beta)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(desk.recover)
        yield
        await run_in_threadpool(engine.close)

    app = FastAPI(
        title="speaq",
        version=__version__,
        description="Answers in OpenAI's shapes, and feedback on them.",
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    app.state.desk = desk
    app.openapi_version = "3.0.3"  # the newest the local documentation page can show
    errors.install(app)
    app.include_router(routes.router(desk))
    app.include_router(assets.router())
    if settings.page:
        from speaq.serving import page

        page.mount(app, desk)
    app.add_middleware(
        Access, keys=keys, host=settings.host, max_body_bytes=settings.max_body_bytes
    )
    return app
