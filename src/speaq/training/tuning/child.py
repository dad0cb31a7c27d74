"""A trial's process: on a leash, watched, and stopped with all its children.

The child waits in a thread for its standard input to end. Nothing is ever written there; it ends
when the parent does, by whatever death. So no trial outlives its search and writes into a folder
that another process has begun to continue.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from speaq.core.files import storage_errors

GRACE = 5.0
"""Seconds between asking a process to end and ending it."""
LEASHED = "from speaq.training.tuning.child import leash; leash()"
"""What a child runs first."""


def leash() -> None:
    """End this process and its group as soon as the parent is gone."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # Read below Python's own buffer: a thread inside of that would keep the program from ending.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


class Child:
    """A running process in a group of its own; what it says is appended to `log`."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        with storage_errors(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as stream:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "SPEAQ_PROGRESS": "0"},
                )

    def wait(self, seconds: float) -> int | None:
        """The exit code as soon as there is one, None if there is none after `seconds`."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def megabytes(self) -> float:
        """Resident memory now, with all children."""
        total = 0
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            for each in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += each.memory_info().rss
        return total / 1e6

    def stop(self) -> None:
        """Ask the process to end as Ctrl-C does, then end its whole group."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGINT)
                self.wait(GRACE)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


@contextlib.contextmanager
def started(command: Sequence[str], log: Path) -> Iterator[Child]:
    """A process that has ended, with its children, when the block has."""
    child = Child(command, log)
    try:
        yield child
    finally:
        child.stop()


def last_line(log: Path) -> str:
    """The last thing a process said."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
