"""Records in JSON and JSON Lines, and the shapes in which people keep them."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.text.files.layouts import JsonShape, Layout
from speaq.text.files.readers import Row, parse_json

_SHOWN = 50


def sniff(lines: list[str], suffix: str) -> str:
    """`jsonl`, `json`, or nothing, by the first lines of a file."""
    shown = [line.strip() for line in lines if line.strip()][:_SHOWN]
    if not shown:
        return ""
    alone = sum(line.startswith("{") and line.endswith("}") for line in shown)
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    if alone >= 0.5 * len(shown) and (len(shown) > 1):
        return "jsonl"
    # A line such as "[Laughs] No." is no JSON.
    head = "".join(shown)[:200].replace(" ", "")
    begins = head[:1] in "{[" and (head[1:2] in '"{[]}' or head[1:2].isdigit())
    return "json" if suffix == ".json" or begins else ""


def shape_of(value: Any) -> JsonShape:
    """How records are kept in parsed JSON."""
    if isinstance(value, list):
        return "list"
    if not isinstance(value, dict) or not value:
        return "one"
    if isinstance(value.get("data"), list):
        return "data"
    lists = [each for each in value.values() if isinstance(each, list)]
    if len(lists) == len(value):
        items = [item for each in lists for item in each]
        if items and all(isinstance(item, str) for item in items):
            return "classes"
        if items and all(isinstance(item, dict | list) for item in items):
            return "parts"
    return "one"


def names_of(records: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The fields of records, `a.b` for those of an object `a`, in order of appearance."""
    names: dict[str, None] = {}
    for record in records:
        for name, value in record.items():
            names[name] = None
            if isinstance(value, dict):
                for inner, within in value.items():
                    if isinstance(within, str):
                        names[f"{name}.{inner}"] = None
    return tuple(names)


def read_json_lines(
    text: TextIO, path: Path, layout: Layout, faults: list[DataError]
) -> Iterator[Row]:
    """Yield (line, record); lines that are no object go to `faults`."""
    for row, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line, path, row)
        except DataError as error:
            faults.append(error)
            continue
        record = _as_record(value, path, row, faults)
        if record is not None:
            yield row, record


def read_json(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    """Yield (number from 1, record) of a JSON file in any shape; see `layouts.JsonShape`."""
    whole = parse_json(text.read(), path, None)
    for row, value in enumerate(_items(whole, shape_of(whole)), start=1):
        record = _as_record(value, path, row, faults)
        if record is not None:
            yield row, record


def _items(whole: Any, shape: JsonShape) -> Iterator[Any]:
    if shape == "list":
        yield from whole
    elif shape == "data":
        yield from whole["data"]
    elif shape == "classes":
        for label, texts in whole.items():
            for each in texts:
                yield {"text": each, "label": label}
    elif shape == "parts":
        for part, items in whole.items():
            for item in items:
                yield {**(_numbered(item) if isinstance(item, list) else item), "split": part}
    else:
        yield whole


def _numbered(values: list[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values, start=1)}


def _as_record(value: Any, path: Path, row: int, faults: list[DataError]) -> dict[str, Any] | None:
    if isinstance(value, list) and value and not isinstance(value[0], list | dict):
        return _numbered(value)
    if isinstance(value, dict):
        return value
    faults.append(
        DataError(
            f'expected an object such as {{"text": ...}}, found {type(value).__name__}.',
            f'应为 {{"text": ...}} 这样的对象，却是 {type(value).__name__}。',
            file=path,
            row=row,
        )
    )
    return None


def plain(value: Any) -> Any:
    """A value as JSON has it: what is not finite becomes null, what is no JSON its text."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def write_json_lines(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write one object a line, in UTF-8."""
    with path.open("w", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(plain(dict(record)), ensure_ascii=False) + "\n")


def write_json(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write records in the shape they were read from, in UTF-8; other fields of the file go."""
    items = [plain(dict(record)) for record in records]
    whole: Any = items
    if layout.shape == "data":
        whole = {"data": items}
    elif layout.shape == "one" and len(items) == 1:
        whole = items[0]
    elif layout.shape == "classes":
        whole = {}
        for item in items:
            whole.setdefault(item["label"], []).append(item["text"])
    elif layout.shape == "parts":
        whole = {}
        for item in items:
            part = item.pop("split")
            numbered = list(item) == [str(1 + n) for n in range(len(item))]
            whole.setdefault(part, []).append(list(item.values()) if numbered else item)
    with path.open("w", encoding="utf-8") as stream:
        json.dump(whole, stream, ensure_ascii=False, indent=1)
        stream.write("\n")
