"""Reading a figure of `metrics.jsonl` while the run that writes it goes on."""

import json
import os
from pathlib import Path


class Follower:
    """The new values of a figure, each step once, whatever becomes of the file.

    A run that continues from a checkpoint writes the lines after it anew; those are the same lines
    (a resumed run is the same run), so steps that were seen are passed over.
    """

    def __init__(self, run: Path, figure: str) -> None:
        self._file = run / "metrics.jsonl"
        self._figure = figure
        self._inode = -1
        self._offset = 0
        self.step = 0
        """The last step seen, of whatever figures."""

    def new(self) -> list[tuple[int, float]]:
        """Step and value of the lines since the last call."""
        try:
            with self._file.open("rb") as stream:
                state = os.fstat(stream.fileno())
                if state.st_ino != self._inode or state.st_size < self._offset:
                    self._inode, self._offset = state.st_ino, 0
                stream.seek(self._offset)
                text = stream.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.splitlines():
            row = _row(line)
            step = int(row.get("step", 0))
            if step > self.step:
                self.step = step
                if self._figure in row:
                    found.append((step, float(row[self._figure])))
        return found


def rows(run: Path) -> list[dict[str, float]]:
    """Every whole line of a run's metrics, in order."""
    try:
        text = (run / "metrics.jsonl").read_bytes()
    except FileNotFoundError:
        return []
    return [row for row in map(_row, text.splitlines()) if row]


def _row(line: bytes) -> dict[str, float]:
    """A line's figures; none for a line that a crash cut in two."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
