"""Running the application."""

import contextlib
import logging
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from speaq.apps.application import Application
from speaq.experience.store import ExperienceStore
from speaq.models.language_model import LanguageModel
from speaq.serving.app import application
from speaq.serving.settings import ServingSettings

DRAIN_SECONDS = 20
"""How long a stopping server lets running answers go on."""


def serve(
    model: LanguageModel | None,
    store: ExperienceStore,
    *,
    beta: float,
    settings: ServingSettings,
    applications: Sequence[Application[Any]] = (),
    port: int = 8000,
) -> None:
    """Serve until interrupted or told to end; answers that run then are given time to end.

    Raises:
        SettingsError, ModelError: see `application`.
    """
    import torch

    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    configuration = uvicorn.Config(
        application(model, store, beta=beta, settings=settings, applications=applications),
        host=settings.host,
        port=port,
        # Paths only would be harmless, but nothing here is worth a line for every token.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    for name in ("uvicorn.error", "uvicorn", "asyncio"):
        logging.getLogger(name).addFilter(without_messages)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupted)
    # uvicorn has shut down in order by then and only passes the signal on: the usual way to stop.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(configuration).run()


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Told to end as by Ctrl-C: else nothing would remove what passed through the page."""
    raise KeyboardInterrupt


def without_messages(record: logging.LogRecord) -> bool:
    """Take the text of exceptions out of a log record: it may quote a prompt or a key."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        record.msg = f"{record.msg} ({type(error).__name__})"
        record.exc_info = None
        record.exc_text = None
    return True


def journal_beside(store: str) -> Path:
    """Where the journal of a store goes: beside a file, else in the working folder."""
    if "://" in store:
        return Path("speaq-open-answers")
    return Path(f"{store}.open")
