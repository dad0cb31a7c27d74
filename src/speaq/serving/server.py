"""Running the application."""

import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from speaq.apps.application import Application
from speaq.core.errors import SettingsError
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
    listening: socket.socket,
) -> None:
    """Serve until interrupted or told to end; answers that run then are given time to end.

    Args:
        model: for the conversation and OpenAI's routes; None: applications only.
        store: where answers are kept.
        beta: strength of guidance.
        settings: of the server.
        applications: what is served beside the model.
        listening: the address; see `listen`.

    Raises:
        SettingsError, ModelError: see `application`.
    """
    import torch

    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    configuration = uvicorn.Config(
        application(model, store, beta=beta, settings=settings, applications=applications),
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
        uvicorn.Server(configuration).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Take an address, so that nothing is opened in vain for one that is taken.

    Raises:
        SettingsError: there is no such address or port here, or another program has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not 0 <= port < 1 << 16:
            raise OSError("ports go from 0 to 65535")
        return socket.create_server((host, port), family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise SettingsError(
            f"cannot listen on port {port} of {host} "
            f"({'another program has it' if taken else error}); name another with --port.",
            f"无法监听 {host} 的端口 {port}（{'已被其他程序占用' if taken else error}）；"
            "请用 --port 指定其他端口。",
        ) from error


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
