"""Progress bars with the time left, on standard error, quiet where nobody looks."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def _wanted() -> bool:
    return os.environ.get("SPEAQ_PROGRESS", "1") != "0"


@contextmanager
def bar(title: str, total: float | None) -> Iterator["Bar"]:
    """A bar for work of `total` units; call `advance` as it is done.

    Args:
        title: what stands before it.
        total: None, or infinite, if nobody knows.
    """
    if total is not None and math.isinf(total):
        total = None
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not _wanted()) as display:
        task = display.add_task(title, total=total, note="")

        def advance(amount: float, note: str) -> None:
            display.update(task, advance=amount, note=note)

        yield Bar(advance)


class Bar:
    """A running progress bar."""

    def __init__(self, update: Callable[[float, str], None]) -> None:
        self._update = update

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Count `amount` more units as done; `note` is shown beside the bar."""
        self._update(amount, note)


def track(items: Iterable[Item], title: str, total: float) -> Iterator[Item]:
    """Yield `items` under a bar of `total` units, one unit each."""
    with bar(title, total) as running:
        for item in items:
            yield item
            running.advance()
