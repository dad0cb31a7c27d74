"""Tables of text: finding the delimiter and the header, reading rows, writing them again.

A row that is no row (a missing quotation mark, too few or too many values) costs only itself: the
rest of the table is read.
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.text.files.columns import is_known_name
from speaq.text.files.layouts import Layout
from speaq.text.files.readers import Row

_DELIMITERS = ("\t", ",", ";", "|")
_LONGEST = 2000
"""Lines that one quoted value may run over."""
_NAME = 40
"""Longer cells of a first line are no names."""

Values = tuple[int, list[str] | None]
"""A row number and its values; None where quotation marks do not close."""


@dataclass(frozen=True)
class Table:
    """What `sniff` found."""

    delimiter: str
    quoted: bool
    header: bool
    names: tuple[str, ...]


def sniff(lines: list[str], fallback: str, columns: Collection[str] = ()) -> Table | None:
    """The table in the first lines of a file; None if they are none of at least two columns.

    Args:
        lines: with their ends; as many as one likes to look at.
        fallback: a delimiter, where the file's name says that it is a table; else empty.
        columns: names that the user knows; a first line with one of them is a header.
    """
    best, score = ("", True), 0.0
    for delimiter in _DELIMITERS:
        for quoted in (_are_quoted(lines, delimiter), delimiter != "\t"):
            found = _regularity(lines, delimiter, quoted)
            if found > score:
                best, score = (delimiter, quoted), found
    if score < (0.6 if fallback else 0.9):
        if not fallback:
            return None
        best = (max(",;\t|", key=lines[0].count), True) if lines else (fallback, True)
    delimiter, quoted = best
    rows = [values for _, values in split(lines, delimiter, quoted) if values and any(values)]
    if not rows:
        return None
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if width < 2 and not fallback:
        return None
    named = any(cell.strip() in columns for cell in rows[0])
    header = named or _has_header([rows[0], *(row for row in rows[1:] if len(row) == width)])
    names = _names(rows[0]) if header else tuple(str(1 + n) for n in range(width))
    return Table(delimiter, quoted, header, names)


def _regularity(lines: list[str], delimiter: str, quoted: bool) -> float:
    """The share of rows that have as many values as most; 0 for a single column."""
    counts = Counter(
        len(values) if values else 0
        for _, values in split(lines, delimiter, quoted)
        if values is None or any(values)
    )
    if not counts:
        return 0.0
    width, times = counts.most_common(1)[0]
    return times / sum(counts.values()) if width > 1 else 0.0


def _are_quoted(lines: list[str], delimiter: str) -> bool:
    """Whether quotation marks stand around values. Between tabs they are seldom meant so."""
    if delimiter != "\t":
        return True
    cells = [cell for line in lines for cell in line.rstrip("\r\n").split(delimiter)]
    whole = [cell for cell in cells if len(cell) > 1 and cell[0] == cell[-1] == '"']
    return any('""' in cell[1:-1] for cell in whole)


def _has_header(rows: list[list[str]]) -> bool:
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if any(is_known_name(cell) for cell in first):
        return True
    if not rest or max(map(len, first)) > _NAME or len(set(first)) < len(first):
        return False
    columns = list(zip(*(row for row in rest if len(row) == len(first)), strict=True))
    evidence = 0
    for name, column in zip(first, columns, strict=True):
        values = Counter(column)
        if name in values:
            return False
        numbers = sum(map(_is_number, column)) > 0.9 * len(column)
        repeated = len(values) <= 0.5 * len(column)
        evidence += (numbers and not _is_number(name)) or (repeated and not _is_number(name))
    return evidence > 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names(cells: list[str]) -> tuple[str, ...]:
    """The names of the columns; one without a name gets its number, a second of a name too."""
    names: list[str] = []
    for place, cell in enumerate(cells, start=1):
        name = cell.strip().lstrip("\ufeff")
        names.append(name if name and name not in names else f"{name} {place}".strip())
    return tuple(names)


def split(lines: Iterable[str], delimiter: str, quoted: bool) -> Iterator[Values]:
    """Yield (line number, values) of each row; blank lines are left out.

    A quoted value may run over several lines. Where it never ends, or what comes of it is no row,
    the line alone is given up and the next one begins a row.
    """
    csv.field_size_limit(sys.maxsize)
    lines = list(lines)
    place = 0
    width = 0
    while place < len(lines):
        if not lines[place].strip("\r\n"):
            place += 1
            continue
        length, values = _row(lines, place, delimiter, quoted)
        if values is not None and length > 1 and width and len(values) != width:
            length, values = 1, None
        width = width or len(values or ())
        yield place + 1, values
        place += length


def _row(
    lines: list[str], place: int, delimiter: str, quoted: bool
) -> tuple[int, list[str] | None]:
    """How many lines the row takes, and its values."""
    if not quoted:
        return 1, lines[place].rstrip("\r\n").split(delimiter)
    length, marks = 1, lines[place].count('"')
    while marks % 2 and place + length < len(lines) and length < _LONGEST:
        marks += lines[place + length].count('"')
        length += 1
    text = io.StringIO("".join(lines[place : place + length]), newline="")
    try:
        (values,) = csv.reader(text, delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        # ValueError: the quotation marks did not belong together, and several rows came out.
        return 1, None
    return length, values


def read_table(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    """Yield (row number, record); rows that are none go to `faults`."""
    rows = split(text, layout.delimiter, layout.quoted)
    if layout.header:
        next(rows, None)
    for row, values in rows:
        if values is None:
            faults.append(
                DataError(
                    "a quotation mark is missing or out of place.",
                    "引号缺失或位置不对。",
                    file=path,
                    row=row,
                )
            )
        elif len(values) != len(layout.names):
            faults.append(
                DataError(
                    f"{len(values)} values for the {len(layout.names)} columns "
                    f"{', '.join(layout.names)}.",
                    f"{len(layout.names)} 列（{'、'.join(layout.names)}）却有 {len(values)} 个值。",
                    file=path,
                    row=row,
                )
            )
        elif any(values):
            yield row, dict(zip(layout.names, values, strict=True))


def write_table(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write a table as `read_table` reads it, in UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        if layout.quoted:
            writer = csv.writer(stream, delimiter=layout.delimiter, lineterminator="\n")
            if layout.header:
                writer.writerow(layout.names)
            writer.writerows([record[name] for name in layout.names] for record in records)
            return
        if layout.header:
            stream.write(layout.delimiter.join(layout.names) + "\n")
        for record in records:
            cells = (_flat(record[name], layout.delimiter) for name in layout.names)
            stream.write(layout.delimiter.join(cells) + "\n")


def _flat(value: Any, delimiter: str) -> str:
    """A value on one line without the delimiter, which could not be told apart from the next."""
    return " ".join(str(value).replace(delimiter, " ").splitlines()) if value else str(value)
