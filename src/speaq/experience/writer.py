"""One thread that writes for all: whatever waits is committed together.

A commit costs one sync of the disk however much it holds. While one is running, the next callers
queue up; they share the next. Nobody is answered before the commit that holds their rows is done.

What is not covered: a disk that says "synced" and lies.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from speaq.core.errors import StorageError
from speaq.experience.schema import WRITE, refused

Work = TypeVar("Work")
Result = TypeVar("Result")

_LARGEST = 1000
"""Pieces of work in one commit, so that the first does not wait for ever."""


class GroupWriter(Generic[Work, Result]):
    """Runs pieces of work in shared transactions, in the order they came.

    Args:
        engine: where to.
        apply: does several pieces of work on a connection and returns one result for each.
    """

    def __init__(
        self, engine: Engine, apply: Callable[[Connection, Sequence[Work]], Sequence[Result]]
    ) -> None:
        self._engine = engine
        self._apply = apply
        self._queue: queue.SimpleQueue[tuple[Work, Future[Result]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="speaq-store", daemon=True)
        self._thread.start()

    def do(self, work: Work) -> Result:
        """Do the work; when this returns it is on disk.

        Raises:
            StorageError: it is not, and nothing of it is; later work is not affected.
        """
        done: Future[Result] = Future()
        with self._lock:
            # A forked child has the queue but not the thread.
            if self._closed or not self._thread.is_alive():
                raise StorageError(
                    "The experience store is closed, or belongs to another process; open it again.",
                    "数据存储已关闭，或属于另一个进程；请重新打开。",
                )
            self._queue.put((work, done))
        return done.result()

    def close(self) -> None:
        """Finish what was queued and stop. Closing twice is harmless."""
        with self._lock:
            if not self._closed:
                self._queue.put(None)
            self._closed = True
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            group, more = self._gather()
            if group:
                self._commit(group)

    def _gather(self) -> tuple[list[tuple[Work, Future[Result]]], bool]:
        """Wait for work, then take all there is; False: this was the last."""
        group = []
        item = self._queue.get()
        while item is not None:
            group.append(item)
            if len(group) == _LARGEST or self._queue.empty():
                return group, True
            item = self._queue.get()
        return group, False

    def _commit(self, group: list[tuple[Work, Future[Result]]]) -> None:
        try:
            with (
                self._engine.connect().execution_options(**WRITE) as connection,
                connection.begin(),
            ):
                results = self._apply(connection, [work for work, _ in group])
        except SQLAlchemyError as error:
            for _, done in group:
                # Each caller gets an error of its own: a traceback grows on an exception raised
                # in several threads.
                done.set_exception(refused(self._engine.url, error))
            return
        except BaseException as error:
            with self._lock:
                self._closed = True
            for _, done in group:
                done.set_exception(error)
            self._refuse_rest()
            raise
        for (_, done), result in zip(group, results, strict=True):
            done.set_result(result)

    def _refuse_rest(self) -> None:
        while not self._queue.empty():
            item = self._queue.get()
            if item is not None:
                item[1].set_exception(StorageError("The store has stopped.", "数据存储已停止。"))
