"""Whose turn it is on the one model, and who waits.

A piece of work is an iterator; advancing it once is one step (one token). All steps run on one
thread, those of different works in turn, so that a long answer does not hold up a short one and
no two threads ever touch the model. An error ends the work that raised it and no other: the
executor catches it, and hands it to whoever waits for that work.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from speaq.core.errors import SpeaqError

Result = TypeVar("Result")


class BusyError(SpeaqError):
    """Too many questions wait already, or the server is going down; ask again later."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"The server is busy; try again in {retry_after} s.",
            f"服务器繁忙，请在 {retry_after} 秒后重试。",
        )
        self.retry_after = retry_after


class Ticket:
    """A work in the engine's hands."""

    def __init__(
        self,
        work: Callable[["Ticket"], Iterator[None]],
        left: Callable[["Ticket"], None],
    ) -> None:
        self.done: Future[None] = Future()
        """Resolves when the work ended; carries its error."""
        self.done.set_running_or_notify_cancel()  # who stops waiting must not break it for others
        self._steps = work(self)
        self._cancelled = threading.Event()
        self._left = left

    def cancel(self) -> None:
        """Ask the work to end at its next step, or at once if it still waits.

        Safe from any thread, at any time.
        """
        self._cancelled.set()
        self._left(self)

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the rest any more."""
        return self._cancelled.is_set()

    def step(self) -> bool:
        """Advance the work; False when it ended."""
        for _ in self._steps:
            return True
        return False


class Engine:
    """Runs works on one thread.

    Args:
        parallel: works advanced side by side.
        max_waiting: works that may wait for a place.
    """

    def __init__(self, parallel: int, max_waiting: int) -> None:
        self._parallel = parallel
        self._max_waiting = max_waiting
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="speaq-engine")
        self._lock = threading.Condition()
        self._running: set[Ticket] = set()
        self._waiting: deque[Ticket] = deque()
        self._closing = False
        self._usual_seconds = 1.0  # of one work, a moving average
        self._started: dict[Ticket, float] = {}

    def submit(self, work: Callable[[Ticket], Iterator[None]]) -> Ticket:
        """Queue a work; it is called with its ticket and gives the steps.

        Raises:
            BusyError: no place to wait, or the engine is closing.
        """
        ticket = Ticket(work, self._leave)
        with self._lock:
            full = len(self._running) >= self._parallel and len(self._waiting) >= self._max_waiting
            if self._closing or full:
                raise BusyError(self._retry_after())
            self._waiting.append(ticket)
            self._admit()
        return ticket

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function on the engine's thread, between two tokens, and return its result."""
        return self._pool.submit(function).result()

    @property
    def ready(self) -> bool:
        """Whether another question would be taken."""
        with self._lock:
            return not self._closing and len(self._waiting) < max(1, self._max_waiting)

    @property
    def load(self) -> dict[str, int]:
        """How many works run and wait."""
        with self._lock:
            return {"running": len(self._running), "waiting": len(self._waiting)}

    def close(self) -> None:
        """Refuse new works, end the present ones at their next step, and wait until they have."""
        with self._lock:
            self._closing = True
            for ticket in [*self._running, *self._waiting]:
                ticket.cancel()
            self._lock.wait_for(lambda: not self._running and not self._waiting)
        self._pool.shutdown()

    def _leave(self, ticket: Ticket) -> None:
        """Give the place of a cancelled work that waits to the next one."""
        with self._lock:
            if ticket not in self._waiting:
                return
            self._waiting.remove(ticket)
            self._lock.notify_all()
        ticket.done.set_result(None)

    def _retry_after(self) -> int:
        rounds = (len(self._waiting) + 1) / self._parallel
        return min(60, max(1, math.ceil(rounds * self._usual_seconds)))

    def _admit(self) -> None:
        """Give free places to those who wait; the lock is held."""
        while self._waiting and len(self._running) < self._parallel:
            ticket = self._waiting.popleft()
            self._running.add(ticket)
            self._started[ticket] = time.monotonic()
            # From the engine's own thread, so that the step cannot end before it is watched.
            self._pool.submit(self._advance, ticket)

    def _advance(self, ticket: Ticket) -> None:
        step = self._pool.submit(ticket.step)
        step.add_done_callback(lambda done: self._stepped(ticket, done))

    def _stepped(self, ticket: Ticket, step: "Future[bool]") -> None:
        error = step.exception()
        if error is None and step.result():
            self._advance(ticket)
            return
        with self._lock:
            self._running.discard(ticket)
            seconds = time.monotonic() - self._started.pop(ticket)
            self._usual_seconds += 0.2 * (seconds - self._usual_seconds)
            self._admit()
            self._lock.notify_all()
        if error is None:
            ticket.done.set_result(None)
        else:
            ticket.done.set_exception(error)
