"""The server: a language model, applications, their store, routes and page, behind one door."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from speaq import __version__
from speaq.apps.application import Application
from speaq.core import registry
from speaq.core.errors import SettingsError
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import require_finite
from speaq.models.language_model import LanguageModel
from speaq.serving import applications as application_routes
from speaq.serving import assets, errors, feedback, health, routes
from speaq.serving.access import Access
from speaq.serving.answering import Desk
from speaq.serving.counter import Counter
from speaq.serving.engine import Engine
from speaq.serving.journal import Journal
from speaq.serving.keys import KeyRing
from speaq.serving.settings import ServingSettings

_BODY, _BODY_WITH_FILES = 1 << 20, 64 << 20


@dataclass(frozen=True)
class Shelf:
    """A store without a language model's journal beside it."""

    store: ExperienceStore

    def knows(self, episode_id: str) -> bool:
        """Whether an answer with this id was given."""
        return self.store.get(episode_id) is not None


def application(
    model: LanguageModel | None,
    store: ExperienceStore,
    *,
    beta: float,
    settings: ServingSettings,
    applications: Sequence[Application[Any]] = (),
) -> FastAPI:
    """A FastAPI application that keeps every answer it gives in `store`.

    Args:
        model: answers in OpenAI's shapes; in float32 where answers should be exact. None: only
            applications are served.
        store: kept open by the caller, longer than the application runs.
        beta: strength of the model's guidance; 0 needs no value head.
        settings: see there.
        applications: each under /v1/NAME and as a panel of the page.

    Raises:
        SettingsError: β is not finite, other machines are let in without keys, nothing is
            served, or an application is named twice.
        ModelError: β is not 0 and the model has no value head.
    """
    _check(model, beta, applications)
    keys = KeyRing.open(settings.keys_file) if settings.keys_file is not None else None
    engine = Engine(settings.parallel, settings.max_waiting)
    journal = Journal(settings.journal)
    desk = None if model is None else Desk(model, store, journal, engine, settings, beta)
    counters = [Counter(each, store, engine, settings.consent) for each in applications]

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        if desk is not None:
            await run_in_threadpool(desk.recover)
        yield
        await run_in_threadpool(engine.close)

    app = FastAPI(
        title="speaq",
        version=__version__,
        description="Answers in OpenAI's shapes, applications, and feedback on both.",
        docs_url=None,
        redoc_url=None,
        lifespan=running,
    )
    app.state.desk, app.state.keyed = desk, keys is not None
    app.openapi_version = "3.0.3"  # the newest the local documentation page can show
    errors.install(app)
    app.include_router(routes.router(desk) if desk is not None else routes.no_models())
    app.include_router(feedback.router(desk or Shelf(store)))
    app.include_router(health.router(engine))
    app.include_router(application_routes.router(counters))
    for counter in counters:
        if counter.name in registry.names("routes"):
            app.include_router(registry.load("routes", counter.name)(counter))
    app.include_router(assets.router())
    if settings.page:
        from speaq.serving import page

        page.mount(app, desk, counters)
    app.add_middleware(
        Access,
        keys=keys,
        host=settings.host,
        max_body_bytes=settings.max_body_bytes or (_BODY_WITH_FILES if counters else _BODY),
        in_bodies=any(counter.name == "translate" for counter in counters),
    )
    return app


def _check(
    model: LanguageModel | None, beta: float, applications: Sequence[Application[Any]]
) -> None:
    require_finite(beta)
    names = [each.name for each in applications]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"the application '{name}' is named twice; a server has one of each.",
                f"应用“{name}”出现了两次；一个服务器中每种应用只能有一个。",
            )
    if model is None and not applications:
        raise SettingsError(
            "there is nothing to serve: name a model, or an application with --apps NAME=FOLDER.",
            "没有可提供的服务：请给出模型，或以 --apps 名称=目录 给出应用。",
        )
    if model is not None:
        if beta != 0:
            model.require_head()
        model.causal.eval()
