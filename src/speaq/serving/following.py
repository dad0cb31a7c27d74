"""From the engine's thread to the event loop, and back when the asker goes away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Generic, NamedTuple, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from speaq.core.errors import SpeaqError
from speaq.serving.engine import Ticket
from speaq.serving.errors import failed

What = TypeVar("What")

LOOK_EVERY = 0.2
"""Seconds between looks whether a silent asker is still there."""


class Said(NamedTuple, Generic[What]):
    """Something of choice number `choice`."""

    choice: int
    what: What


class GoneError(Exception):
    """The asker closed the connection."""


class Following(Generic[What]):
    """What the engine says about one answer, for one coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Said[What] | BaseException | None] = asyncio.Queue()
        self._ticket: Ticket | None = None

    def emit(self, choice: int, what: What) -> None:
        """Take a piece; called from the engine's thread."""
        self._loop.call_soon_threadsafe(self._queue.put_nowait, Said(choice, what))

    def follow(self, ticket: Ticket) -> None:
        """Also hear when `ticket` is done, well or not."""
        self._ticket = ticket
        ticket.done.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._queue.put_nowait, done.exception())
        )

    def cancel(self) -> None:
        """Nobody wants the rest."""
        if self._ticket is not None:
            self._ticket.cancel()

    async def next(self, request: Request) -> Said[What] | None:
        """The next thing said; None when all is.

        Raises:
            GoneError: the asker left; the work is cancelled.
            SpeaqError: what ended the work.
        """
        waiting = asyncio.ensure_future(self._queue.get())
        try:
            while not (await asyncio.wait({waiting}, timeout=LOOK_EVERY))[0]:
                if await request.is_disconnected():
                    self.cancel()
                    raise GoneError
        finally:
            waiting.cancel()
        heard = waiting.result()
        if isinstance(heard, BaseException):
            raise heard if isinstance(heard, SpeaqError) else failed(heard)
        return heard


class CancellingResponse(StreamingResponse):
    """A stream that cancels the work behind it however it ends, even before its first word."""

    def __init__(self, content: AsyncIterator[str], following: Following[Any], **more: Any) -> None:
        super().__init__(content, **more)
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._following.cancel()
