"""Recognising a data file: format, encoding, delimiter, header, columns, and what its rows are.

The contents decide; the name of the file is a hint where they leave a choice.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.core.places import require_file
from speaq.text.files import conll, json_records, squad, tables, tmx
from speaq.text.files.columns import assign
from speaq.text.files.encodings import survey
from speaq.text.files.layouts import Layout, Role
from speaq.text.files.readers import open_bytes, open_text, parquet_rows, parse_json, suffix_of

_LINES = 2000
_SAMPLE = 400
_DELIMITED = {".csv": ",", ".tsv": "\t"}

Given = Mapping[Role, str]


def recognise(path: Path, given: Given | None = None) -> Layout:
    """How a file is laid out.

    Args:
        path: of the file; `.gz` is unpacked.
        given: columns whose roles the user names.

    Raises:
        DataError: no such file, an empty one, no text in any encoding, or no column of text.
    """
    require_file(path)
    with open_bytes(path) as stream:
        head = stream.read(4)
    if head == b"PAR1" or suffix_of(path) == ".parquet":
        return _of_records(Layout("parquet"), path, given, _first(parquet_rows(path)))
    with open_bytes(path) as stream:
        found = survey(stream, path)
    plain = Layout("text", encoding=found.name, broken=found.broken_row is not None)
    with open_text(path, found.name, "replace") as text:
        lines = list(itertools.islice(text, _LINES))
    if not "".join(lines).strip():
        raise DataError("the file is empty.", "文件为空。", file=path)
    return _of_text(plain, lines, path, given)


def _of_text(plain: Layout, lines: list[str], path: Path, given: Given | None) -> Layout:
    suffix = suffix_of(path)
    start = "".join(lines[:20]).lstrip("\ufeff \t\r\n")
    if suffix == ".tmx" or (start.startswith("<") and "<tmx" in start):
        return _tmx(plain, path)
    json = json_records.sniff(lines, suffix)
    if json == "jsonl":
        return _json_lines(plain, path, given)
    if json:
        return _json(plain, path, given)
    words = conll.sniff(lines) if suffix not in _DELIMITED else None
    if words:
        columns: dict[Role, str] = {"tokens": "tokens", "tags": "tags"}
        return replace(
            plain,
            format="conll",
            kind="tagged",
            columns={**columns, "label": "label"} if words.labelled else columns,
            delimiter=words.delimiter,
            names=tuple(str(1 + n) for n in range(words.width)),
            tag_column=words.tag,
        )
    table = tables.sniff(lines, _DELIMITED.get(suffix, ""), set((given or {}).values()))
    # Prose has commas too: without a name that says so, only tabs make a table.
    if table and (suffix in _DELIMITED or table.delimiter == "\t"):
        return _table(plain, table, path, given)
    return replace(plain, kind="text", columns={"text": "text"}, names=("text",))


def _table(plain: Layout, table: tables.Table, path: Path, given: Given | None) -> Layout:
    layout = replace(
        plain,
        format="csv",
        delimiter=table.delimiter,
        quoted=table.quoted,
        header=table.header,
        names=table.names,
    )
    with open_text(path, plain.encoding, "replace") as text:
        rows = tables.read_table(_head(text), path, layout, [])
        return _of_records(layout, path, given, _first(rows))


def _head(text: TextIO) -> Any:
    return itertools.islice(text, 20 * _SAMPLE)


def _first(rows: Any) -> list[dict[str, Any]]:
    return [record for _, record in itertools.islice(rows, _SAMPLE)]


def _of_records(
    layout: Layout, path: Path, given: Given | None, sample: list[dict[str, Any]]
) -> Layout:
    if not sample:
        raise DataError(
            "the file holds no row that can be read.", "文件中没有可读取的行。", file=path
        )
    names = layout.names or json_records.names_of(sample)
    columns = assign(names, sample, given or {}, path)
    languages = tuple(
        columns.roles[role].lower().rpartition(".")[2]
        for role in ("source", "target")
        if role in columns.roles and len(columns.roles[role].rpartition(".")[2]) == 2
    )
    return replace(
        layout,
        kind=columns.kind,
        columns=columns.roles,
        names=tuple(names),
        spans=columns.spans,
        languages=languages if len(languages) == 2 else (),
    )


def _json_lines(plain: Layout, path: Path, given: Given | None) -> Layout:
    layout = replace(plain, format="jsonl")
    with open_text(path, plain.encoding, "replace") as text:
        rows = json_records.read_json_lines(text, path, layout, [])
        return _of_records(layout, path, given, _first(rows))


def _json(plain: Layout, path: Path, given: Given | None) -> Layout:
    with open_text(path, plain.encoding, "replace") as text:
        whole = parse_json(text.read(), path, None)
    if squad.is_squad(whole):
        roles: dict[Role, str] = {
            "id": "id",
            "question": "question",
            "context": "context",
            "answers": "answers",
            "impossible": "is_impossible",
        }
        return replace(plain, format="squad", kind="question", columns=roles)
    layout = replace(plain, format="json", shape=json_records.shape_of(whole))
    with open_text(path, plain.encoding, "replace") as text:
        rows = list(json_records.read_json(text, path, layout, []))
    if layout.shape == "parts":
        given = {"part": "split", **(given or {})}
    step = max(1, len(rows) // _SAMPLE)
    return _of_records(layout, path, given, [record for _, record in rows[::step]])


def _tmx(plain: Layout, path: Path) -> Layout:
    with open_text(path, plain.encoding, "replace") as text:
        languages = tmx.languages(text)
    if not languages:
        raise DataError(
            "no unit of this translation memory has two languages.",
            "该翻译记忆库中没有含两种语言的单元。",
            file=path,
        )
    columns: dict[Role, str] = {"source": "source", "target": "target"}
    return replace(plain, format="tmx", kind="parallel", columns=columns, languages=languages)
