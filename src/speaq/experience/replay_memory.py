"""Replay memory on disk: rows of named arrays of any length, mapped rather than read.

    memory/
        memory.json       what is committed: rows, layout, capacity
        index.0.bin       (rows, columns) int64: where each row's piece of each column ends
        tokens.0.bin ...  one file per column, the pieces of all rows end to end

Rows are only ever written behind those that are committed, and `memory.json` is replaced once
their bytes are on disk. Whatever a killed writer left behind lies beyond the committed count and
is written over. There is one writer at a time.

With a capacity, row n stands in slot n mod capacity, so the newest rows push out the oldest. What
was pushed out stays in the files for as long as it takes to append about a capacity's worth of
rows, so that a run can go back to its last checkpoint; then the files are written anew without it.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError, SettingsError, StorageError
from speaq.core.files import storage_errors, write_text

VERSION = 1
"""Of the files; a memory of another one is refused rather than misread."""

Row = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Committed:
    """What `memory.json` says."""

    version: int = VERSION
    capacity: int = 0
    rows: int = 0
    """Rows appended, those pushed out included, less those taken back."""
    written: int = 0
    """Rows whose bytes are whole, from those taken back as well: `rewind` may go forward again."""
    dropped: int = 0
    """The oldest rows that are no longer in the files."""
    generation: int = 0
    """Number in the names of the files."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Type of each column, set by the first row."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Columns whose pieces are all of one size, which can be taken as rows of a table."""


class ReplayMemory:
    """A durable memory of ragged rows.

    Args:
        folder: where it is, or is to be.
        capacity: how many rows it holds; 0 for as many as fit the disk.
        when_full: `overwrite` pushes out the oldest row for each new one, `refuse` refuses.

    Raises:
        SettingsError: a memory of another capacity is in the folder.
        StorageError: what is in the folder is no memory of this version.
    """

    def __init__(
        self,
        folder: Path,
        capacity: int = 0,
        when_full: Literal["overwrite", "refuse"] = "overwrite",
    ) -> None:
        self.folder = Path(folder)
        self.when_full = when_full
        self._maps: dict[str, NDArray[Any]] = {}
        self._now = self._open(capacity)

    def __len__(self) -> int:
        """How many rows can be read: all, or `capacity` of them."""
        held = self._now.rows
        return min(held, self._now.capacity) if self._now.capacity else held

    @property
    def count(self) -> int:
        """How many rows were ever appended, those pushed out included: what `rewind` takes."""
        return self._now.rows

    def append(self, rows: Iterable[Row]) -> list[int]:
        """Add rows; once this returns they are on disk. All of them, or none.

        Args:
            rows: one-dimensional arrays by name; names and types are those of the first row ever.

        Returns:
            The index of each new row. One that stood there before has been pushed out.

        Raises:
            DataError: a row with other columns, or an array that is not one-dimensional.
            StorageError: the disk refused, or the memory is full and may not push out rows.
        """
        new = [dict(row) for row in rows]
        if not new:
            return []
        now = self._with_layout(new[0])
        for number, row in enumerate(new, start=1):
            _require_layout(row, now.columns, number)
        if self.when_full == "refuse" and now.capacity and now.rows + len(new) > now.capacity:
            raise StorageError(
                f"the replay memory {self.folder} holds {now.capacity} rows and is full; raise its "
                "capacity, or let new rows push out the oldest.",
                f"回放存储 {self.folder} 的容量为 {now.capacity} 行，已满；"
                "请增大容量，或允许新行挤出最旧的行。",
            )
        self._write(now, new)
        total = now.rows + len(new)
        sizes = {name: size for name in now.columns if (size := _common_size(name, now, new))}
        self._commit(replace(now, rows=total, written=total, sizes=sizes))
        self._compact()
        return [n % now.capacity if now.capacity else n for n in range(now.rows, total)]

    def row(self, index: int) -> dict[str, NDArray[Any]]:
        """The row of one index; see `rows`."""
        return self.rows([index])[0]

    def rows(self, indices: Sequence[int]) -> list[dict[str, NDArray[Any]]]:
        """Copies of the rows `indices`, in order.

        Raises:
            IndexError: no such row.
        """
        columns = [_split(*column) for column in self.gather(indices).values()]
        names = tuple(self._now.columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def gather(self, indices: Sequence[int]) -> dict[str, tuple[NDArray[Any], NDArray[np.int64]]]:
        """Copies of the rows `indices` by column: their pieces end to end, and the B sizes.

        Raises:
            IndexError: no such row.
        """
        wanted = np.asarray(indices, np.int64)
        if not len(wanted):
            return {}
        # Seen as unsigned, negative numbers are beyond every row.
        if np.maximum.reduce(wanted.view(np.uint64)) >= len(self):
            raise IndexError(f"the replay memory holds rows 0 to {len(self) - 1}")
        places = self._places(wanted)
        ends = self._ends()
        alike = {size: np.full(len(places), size) for size in set(self._now.sizes.values())}
        made = {}
        for number, (name, kind) in enumerate(self._now.columns.items()):
            values = self._map(name, np.dtype(kind))
            if size := self._now.sizes.get(name):
                table = values[: len(ends) * size].reshape(-1, size)
                made[name] = table.take(places, axis=0).reshape(-1), alike[size]
            else:
                stops = ends[places, number]
                sizes = stops - np.where(places > 0, ends[places - 1, number], 0)
                shift = np.repeat(stops - sizes.cumsum(), sizes)
                made[name] = values.take(shift + np.arange(len(shift))), sizes
        return made

    def rewind(self, count: int) -> None:
        """Go back to when `count` rows had been appended, as a resumed run must.

        Until the next `append` one may go forward again as well, to what had been there.

        Raises:
            DataError: fewer rows were appended, or rows needed for it are gone from the files.
        """
        now = self._now
        first = max(0, count - now.capacity) if now.capacity else 0
        if not 0 <= count <= now.written or first < now.dropped:
            raise DataError(
                f"the memory cannot go to {count} rows; it knows {now.dropped} to {now.written}. "
                "Start again in another folder.",
                f"回放存储无法回到 {count} 行；它只有第 {now.dropped} 至 {now.written} 行。"
                "请换一个目录重新开始。",
                file=self.folder,
            )
        if count != now.rows:
            self._commit(replace(now, rows=count))

    def _open(self, capacity: int) -> _Committed:
        if capacity < 0:
            raise SettingsError(
                f"replay memory capacity = {capacity} must be ≥ 0.",
                f"回放存储的 capacity = {capacity} 必须 ≥ 0。",
            )
        file = self.folder / "memory.json"
        if not file.exists():
            return _Committed(capacity=capacity)
        found = json.loads(file.read_text(encoding="utf-8"))
        if found.get("version") != VERSION:
            raise StorageError(
                f"{file} is of version {found.get('version')}, this speaq knows {VERSION}.",
                f"{file} 的版本为 {found.get('version')}，当前 speaq 只认识 {VERSION}。",
            )
        now = _Committed(**found)
        if now.capacity != capacity:
            raise SettingsError(
                f"the replay memory {self.folder} was made for {now.capacity} rows, not "
                f"{capacity}; open it with the same capacity, or choose another folder.",
                f"回放存储 {self.folder} 的容量是 {now.capacity} 行，而不是 {capacity} 行；"
                "请用相同的容量打开，或换一个目录。",
            )
        for left in self.folder.glob("*.bin"):
            if left.suffixes[-2:] != [f".{now.generation}", ".bin"]:
                left.unlink()
        return now

    def _with_layout(self, row: Row) -> _Committed:
        if self._now.columns:
            return self._now
        return replace(self._now, columns={name: each.dtype.str for name, each in row.items()})

    def _write(self, now: _Committed, rows: Sequence[Row]) -> None:
        """Put the bytes of `rows` behind those of the committed ones."""
        sizes = np.array([[len(row[name]) for name in now.columns] for row in rows], np.int64)
        place = now.rows - now.dropped
        before = np.zeros(len(now.columns), np.int64)
        if place:
            before = self._ends()[-1]
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for number, (name, kind) in enumerate(now.columns.items()):
                pieces = [np.ascontiguousarray(row[name]) for row in rows]
                at = int(before[number]) * np.dtype(kind).itemsize
                _put(
                    self._file(name, now.generation),
                    at,
                    b"".join(each.tobytes() for each in pieces),
                )
            ends = before + sizes.cumsum(axis=0)
            _put(self._file("index", now.generation), place * before.nbytes, ends.tobytes())

    def _compact(self) -> None:
        """Write the files anew once most of what is in them can no longer be needed."""
        now = self._now
        if not now.capacity or now.rows - now.dropped <= 4 * now.capacity:
            return
        keep = 2 * now.capacity
        place = now.rows - now.dropped - keep
        later = replace(now, dropped=now.rows - keep, generation=now.generation + 1)
        ends = self._ends()[place - 1 :]
        with storage_errors(self.folder):
            for number, (name, kind) in enumerate(now.columns.items()):
                piece = self._map(name, np.dtype(kind))[ends[0, number] : ends[-1, number]]
                _put(self._file(name, later.generation), 0, piece.tobytes())
            _put(self._file("index", later.generation), 0, (ends[1:] - ends[0]).tobytes())
        self._commit(later)
        for name in ("index", *now.columns):
            self._file(name, now.generation).unlink()

    def _commit(self, now: _Committed) -> None:
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / "memory.json", json.dumps(asdict(now), indent=1) + "\n")
        self._now = now
        self._maps = {}

    def _places(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in the files the rows of these indices stand."""
        now = self._now
        if not now.capacity or now.rows <= now.capacity:
            return indices - now.dropped
        newest = now.rows - 1
        return newest - (newest - indices) % now.capacity - now.dropped

    def _file(self, name: str, generation: int) -> Path:
        return self.folder / f"{name}.{generation}.bin"

    def _ends(self) -> NDArray[np.int64]:
        """(rows in the files, columns) where the pieces of each committed row end."""
        shape = self._now.rows - self._now.dropped, len(self._now.columns)
        return self._map("index", np.dtype(np.int64))[: shape[0] * shape[1]].reshape(shape)

    def _map(self, name: str, kind: np.dtype[Any]) -> NDArray[Any]:
        """All whole items of a file, those beyond the committed ones as well."""
        if name not in self._maps:
            file = self._file(name, self._now.generation)
            items = file.stat().st_size // kind.itemsize
            # A file without a single item cannot be mapped.
            empty: NDArray[Any] = np.empty(0, kind)
            found = np.memmap(file, kind, "r", shape=(items,)) if items else empty
            # The plain array is the same pages, and cheaper to index.
            self._maps[name] = np.asarray(found)
        return self._maps[name]


def _split(values: NDArray[Any], sizes: NDArray[np.int64]) -> list[NDArray[Any]]:
    """The B pieces that stand end to end in `values`."""
    stops = sizes.cumsum().tolist()
    return [values[stop - size : stop] for stop, size in zip(stops, sizes.tolist(), strict=True)]


def _common_size(name: str, now: _Committed, new: Sequence[Row]) -> int:
    """Size above 0 of every piece of a column, those of `new` included; 0 if they differ."""
    size = now.sizes.get(name, 0) if now.rows else len(new[0][name])
    return size if all(len(row[name]) == size for row in new) else 0


def _require_layout(row: Row, columns: Mapping[str, str], number: int) -> None:
    found = {name: each.dtype.str for name, each in row.items()}
    flat = all(each.ndim == 1 for each in row.values())
    named = all(name.isidentifier() and name != "index" for name in row)
    if found != dict(columns) or not flat or not named:
        raise DataError(
            f"item {number} to append has columns {found}; expected are one-dimensional arrays "
            f"{dict(columns)}, named by a word other than index.",
            f"待追加的第 {number} 项的列为 {found}；应为一维数组 {dict(columns)}，"
            "列名为 index 以外的单词。",
        )


def _put(file: Path, at: int, data: bytes) -> None:
    """Write `data` at byte `at` of `file` and see it to the disk."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(descriptor, "r+b") as stream:
        stream.seek(at)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
