"""A server with a tiny model, on a free local port, for the tests that talk HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openai import OpenAI

from speaq.experience.store import ExperienceStore
from speaq.models.language_model import LanguageModel
from speaq.serving.answering import Desk
from speaq.serving.app import application
from speaq.serving.settings import ServingSettings


@dataclass
class Running:
    url: str
    store: ExperienceStore
    desk: Desk
    clients: ExitStack

    def client(self, key: str = "none") -> OpenAI:
        """Closed when the server stops; a connection left to the collector is a warning then."""
        made = OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=60)
        return self.clients.enter_context(made)


@contextmanager
def _serving(
    model: LanguageModel | None, folder: Path, beta: float, applications: Any, **chosen: Any
) -> Iterator[Running]:
    chosen = {"page": False, "journal": folder / "open", **chosen}
    with ExperienceStore(folder / "store.sqlite") as store:
        settings = ServingSettings(**chosen)
        app = application(model, store, beta=beta, settings=settings, applications=applications)
        # Bound here, so that a client's first connection waits for the server instead of failing.
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            port = listening.getsockname()[1]
            with ExitStack() as clients:
                yield Running(f"http://127.0.0.1:{port}", store, app.state.desk, clients)
        finally:
            server.should_exit = True
            thread.join()
            listening.close()


@pytest.fixture
def serve_model(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`serve_model(model, beta=0.0, applications=(), **settings)`: a running server, stopped after
    the test."""
    with ExitStack() as stack:

        def start(
            model: LanguageModel | None, beta: float = 0.0, applications: Any = (), **chosen: Any
        ) -> Running:
            return stack.enter_context(_serving(model, tmp_path, beta, applications, **chosen))

        yield start


@pytest.fixture
def running(
    serve_model: Callable[..., Running], tiny: LanguageModel, with_random_head: Any
) -> Running:
    """A server that guides `tiny` by a random head with β = 2."""
    from speaq.models.head import HeadSettings

    return serve_model(with_random_head(tiny, HeadSettings("tied")), beta=2.0)
