"""Data files without settings: open one, read its examples, write them again as they were.

    for example in read_examples("train.csv"):
        print(example.place, example.text, example.label)

`open_data` reads what can be read and tells what cannot; `read_examples` refuses a file with a bad
row. Text may be CSV, TSV, JSON Lines, JSON, Parquet, plain text, CoNLL, SQuAD, parallel text (two
files, or one with two columns) or TMX, in UTF-8, UTF-16, GBK or another common encoding.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.core.files import replacing_file
from speaq.text.doctor.languages import CODES, plain_code
from speaq.text.files import conll, json_records, squad, tables, tmx
from speaq.text.files.columns import usual_part
from speaq.text.files.encodings import detect
from speaq.text.files.examples import Example, Kind, Place
from speaq.text.files.layouts import Layout, Role
from speaq.text.files.readers import Row, open_bytes, open_text, parquet_rows, suffix_of
from speaq.text.files.recognise import recognise
from speaq.text.files.shapes import example_of

_SIDES = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("in", "out"))
_PIECES = re.compile(r"[._-]")
_KNOWN = (
    ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt", ".conll", ".conllu", ".iob",
    ".bio", ".bioes", ".tmx",
)  # fmt: skip

Reader = Callable[[TextIO, Path, Layout, list[DataError]], Iterator[Row]]
Writer = Callable[[Iterable[Mapping[str, Any]], Layout, Path], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """An example and the record it came from."""

    record: Mapping[str, Any]
    example: Example


@dataclass(frozen=True)
class DataFile:
    """A file that was read, or the two files of a parallel text."""

    paths: tuple[Path, ...]
    layout: Layout
    entries: tuple[Entry, ...]
    faults: tuple[DataError, ...]
    """Rows that hold no example, in the file's order; of two files, that one is longer."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "+".join(str(path) for path in self.paths)

    @property
    def examples(self) -> list[Example]:
        """The examples in order."""
        return [entry.example for entry in self.entries]


def read_examples(
    *paths: str | Path, kind: Kind | None = None, columns: Mapping[Role, str] | None = None
) -> list[Example]:
    """The examples of a file, or of the two files of a parallel text.

    Args:
        paths: one, or a source and its translation.
        kind: what the examples must be.
        columns: names of columns by role, where they are not found by themselves.

    Raises:
        DataError: a bad row, a broken character, another kind of example, or no example.
    """
    for path in map(Path, paths):
        if path.is_file() and suffix_of(path) != ".parquet":
            with open_bytes(path) as stream:
                detect(stream, path)
    data = open_data(*paths, columns=columns)
    if data.faults:
        raise data.faults[0]
    if kind is not None and data.layout.kind != kind:
        raise DataError(
            f"expected examples of kind '{kind}', found '{data.layout.kind}' "
            f"({', '.join(f'{role}: {name}' for role, name in data.layout.columns.items())}).",
            f"应为“{kind}”类样本，却是“{data.layout.kind}”"
            f"（{'、'.join(f'{role}：{name}' for role, name in data.layout.columns.items())}）。",
            file=data.name,
        )
    if not data.entries:
        raise DataError("the file holds no examples.", "文件中没有样本。", file=data.name)
    return data.examples


def open_data(*paths: str | Path, columns: Mapping[Role, str] | None = None) -> DataFile:
    """Read what can be read of a file, or of the two files of a parallel text.

    Raises:
        DataError: no such file, an empty one, a whole that cannot be read, or no column of text.
    """
    files = tuple(map(Path, paths))
    if len(files) == 2:
        return _open_two(files[0], files[1])
    (path,) = files
    layout = recognise(path, columns)
    faults: list[DataError] = []
    entries = []
    part = part_of(path)
    for row, record in _rows(path, layout, faults):
        try:
            example = example_of(record, layout, Place(str(path), row, part))
        except DataError as error:
            faults.append(error)
        else:
            entries.append(Entry(record, example))
    faults.sort(key=lambda error: error.row or 0)
    return DataFile(files, layout, tuple(entries), tuple(faults))


def _rows(path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    if layout.format == "parquet":
        yield from parquet_rows(path)
        return
    with open_text(path, layout.encoding, "replace") as text:
        yield from _READERS[layout.format](text, path, layout, faults)


def _read_lines(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    for row, line in enumerate(text, start=1):
        if line.strip():
            yield row, {"text": line.rstrip("\r\n")}


def _write_lines(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(record["text"] + "\n" for record in records)


def _write_parquet(records: Iterable[Mapping[str, Any]], old: Path, path: Path) -> None:
    """A table with the columns and types of the old one."""
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(old)
    table = pyarrow.Table.from_pylist([dict(each) for each in records], schema=schema)
    pyarrow.parquet.write_table(table, path)


def _open_two(one: Path, two: Path) -> DataFile:
    """Two files of lines, of which each is the translation of the other's at its place."""
    layouts = [recognise(path) for path in (one, two)]
    columns: dict[Role, str] = {"source": "source", "target": "target"}
    layout = replace(
        layouts[0],
        format="parallel",
        kind="parallel",
        columns=columns,
        names=("source", "target"),
        languages=_languages(one, two),
        broken=any(each.broken for each in layouts),
    )
    sides = []
    for path, each in zip((one, two), layouts, strict=True):
        with open_text(path, each.encoding, "replace") as text:
            sides.append([line.rstrip("\r\n") for line in text])
    faults = []
    if len(sides[0]) != len(sides[1]):
        faults.append(
            DataError(
                f"{len(sides[0])} lines, but {two} has {len(sides[1])}; from some line on they do "
                "not belong together.",
                f"有 {len(sides[0])} 行，而 {two} 有 {len(sides[1])} 行；自某行起两者不再对应。",
                file=one,
                row=1 + min(map(len, sides)),
            )
        )
    entries = []
    for row, (source, target) in enumerate(zip(*sides, strict=False), start=1):
        record = {"source": source, "target": target}
        place = Place(str(one), row, part_of(one))
        entries.append(Entry(record, example_of(record, layout, place)))
    return DataFile((one, two), layout, tuple(entries), tuple(faults))


def _languages(one: Path, two: Path) -> tuple[str, ...]:
    """The languages that two names differ in; none where they are not codes of languages."""
    found = _difference(one, two)
    return tuple(map(plain_code, found)) if found and set(found) <= CODES else ()


def _difference(one: Path, two: Path) -> tuple[str, str] | None:
    """The one piece in which two names differ, in lower case; None if there are more."""
    names = [_PIECES.split(path.name.lower().removesuffix(".gz")) for path in (one, two)]
    if one.parent != two.parent or len(names[0]) != len(names[1]):
        return None
    pieces = [pair for pair in zip(*names, strict=True) if pair[0] != pair[1]]
    return pieces[0] if len(pieces) == 1 else None


def are_parallel(one: Path, two: Path) -> bool:
    """Whether two names say that the files are a text and its translation."""
    found = _difference(one, two)
    if found is None or recognise(one).format != "text" or recognise(two).format != "text":
        return False
    return set(found) <= CODES or found in _SIDES or found[::-1] in _SIDES


def open_groups(paths: Sequence[Path], columns: Mapping[Role, str] | None = None) -> list[DataFile]:
    """Open files as they belong together; see `groups`.

    Raises:
        DataError: what `groups` and `open_data` raise.
    """
    return [open_data(*each, columns=columns) for each in groups(paths)]


def groups(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Files as they belong together: texts and their translations in twos, others alone.

    A text with several translations is paired with each of them. A folder stands for the data
    files in it.

    Raises:
        DataError: a folder without data files, or what `recognise` raises.
    """
    files = list(itertools.chain.from_iterable(map(_expanded, paths)))
    found: list[tuple[Path, ...]] = []
    taken: set[Path] = set()
    for place, one in enumerate(files):
        if one in taken:
            continue
        partners = [
            two for two in files[place + 1 :] if two not in taken and are_parallel(one, two)
        ]
        taken.update((one, *partners))
        ordered = [
            (two, one) if _difference(one, two) in _reversed() else (one, two) for two in partners
        ]
        found.extend(ordered or [(one,)])
    return found


def _reversed() -> set[tuple[str, str]]:
    return {(two, one) for one, two in _SIDES}


def _expanded(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.is_file() and _is_data(each))
    if not found:
        raise DataError("the folder holds no data files.", "目录中没有数据文件。", file=path)
    return found


def _is_data(path: Path) -> bool:
    """Whether the name ends as data files do: in a format, or in a language."""
    suffix = suffix_of(path)
    return suffix in _KNOWN or suffix.removeprefix(".") in CODES


def part_of(path: Path) -> str:
    """The split that a file's name tells (train, dev, test), else its name."""
    return usual_part(path.name.lower().removesuffix(".gz")) or path.name


def save(data: DataFile, records: Iterable[Mapping[str, Any]], *paths: Path) -> None:
    """Write records in the format they were read from, in UTF-8, all or nothing for each file.

    Args:
        data: what they were read from.
        records: in order.
        paths: as many as it has.

    Raises:
        StorageError: the disk refused.
    """
    records = list(records)
    if data.layout.format == "parallel":
        for side, path in zip(("source", "target"), paths, strict=True):
            with replacing_file(path) as temporary:
                _write_lines(({"text": each[side]} for each in records), data.layout, temporary)
        return
    (path,) = paths
    with replacing_file(path) as temporary:
        if data.layout.format == "parquet":
            _write_parquet(records, data.paths[0], temporary)
            return
        _WRITERS[data.layout.format](records, data.layout, temporary)


_READERS: Mapping[str, Reader] = {
    "csv": tables.read_table,
    "jsonl": json_records.read_json_lines,
    "json": json_records.read_json,
    "text": _read_lines,
    "conll": conll.read_conll,
    "squad": squad.read_squad,
    "tmx": tmx.read_tmx,
}
_WRITERS: Mapping[str, Writer] = {
    "csv": tables.write_table,
    "jsonl": json_records.write_json_lines,
    "json": json_records.write_json,
    "text": _write_lines,
    "conll": conll.write_conll,
    "squad": squad.write_squad,
    "tmx": tmx.write_tmx,
}
