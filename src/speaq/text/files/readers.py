"""Readers of data files: JSON Lines, JSON, CSV, TSV (each also as .gz) and Parquet.

Rows are counted as an editor or a spreadsheet shows them: a line of a text file, the header of a
table included; a record of a JSON list or of a Parquet file, from 1.
"""

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from speaq.core.errors import DataError
from speaq.core.places import require_file
from speaq.text.files.encodings import detect

Row = tuple[int, dict[str, Any]]


def read_rows(path: str | Path) -> Iterator[Row]:
    """Yield (row number, record) from a data file, by its suffix.

    Text may be UTF-8, with or without a mark, GBK or another common encoding. Values of CSV and
    TSV are strings; those of the others are what JSON and Arrow make of them.

    Raises:
        DataError: no such file, an unknown suffix, a truncated or malformed row.
    """
    path = Path(path)
    require_file(path)
    kind = suffix_of(path)
    if kind == ".parquet":
        yield from parquet_rows(path)
        return
    reader = _TEXT.get(kind)
    if reader is None:
        known = ", ".join([*_TEXT, ".parquet"])
        raise DataError(
            f"cannot read files named like this; known endings are {known}, all but the last "
            "also with .gz.",
            f"无法读取这种后缀的文件；可用的后缀：{known}（除最后一种外都可加 .gz）。",
            file=path,
        )
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    # Only CSV may have line ends inside a value, and its reader wants them untouched.
    with open_text(path, encoding) as text:
        yield from reader(text, path)


def suffix_of(path: Path) -> str:
    """The ending that says what a file holds, in lower case, `.gz` left out."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if it ends in `.gz`.

    Raises:
        DataError: there is no such file, or it is cut off or damaged.
    """
    require_file(path)
    packed = path.name.lower().endswith(".gz")
    try:
        with cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb") as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            "the compressed file is cut off or damaged.", "压缩文件不完整或已损坏。", file=path
        ) from error


@contextmanager
def open_text(path: Path, encoding: str, errors: str = "strict") -> Iterator[TextIO]:
    """The text of a file, line ends untouched.

    Raises:
        DataError: it is not in this encoding throughout (unless `errors` is `replace`).
    """
    try:
        with (
            open_bytes(path) as stream,
            io.TextIOWrapper(stream, encoding, errors=errors, newline="") as text,
        ):
            yield text
    except UnicodeDecodeError as error:
        raise DataError(
            f"the text is not {error.encoding} throughout; save the file as UTF-8.",
            f"文本并非全部为 {error.encoding} 编码；请另存为 UTF-8。",
            file=path,
        ) from error


def _json_lines(text: TextIO, path: Path) -> Iterator[Row]:
    for row, line in enumerate(text, start=1):
        if line.strip():
            yield row, _record(parse_json(line, path, row), path, row)


def _json(text: TextIO, path: Path) -> Iterator[Row]:
    parsed = parse_json(text.read(), path, None)
    for row, value in enumerate(parsed if isinstance(parsed, list) else [parsed], start=1):
        yield row, _record(value, path, row)


def parse_json(text: str, path: Path, row: int | None) -> Any:
    """What a JSON text says.

    Raises:
        DataError: it is cut off, no JSON, or too deep.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not text[error.pos :].strip() or error.msg.startswith("Unterminated"):
            raise DataError(
                "the JSON ends in the middle; it was probably cut off.",
                "JSON 在中途结束，很可能被截断。",
                file=path,
                row=row,
            ) from error
        raise DataError(
            f"this is not JSON ({error.msg} at character {error.pos + 1}).",
            f"不是有效的 JSON（第 {error.pos + 1} 个字符：{error.msg}）。",
            file=path,
            row=row,
        ) from error
    except ValueError as error:
        # Python refuses whole numbers of thousands of digits.
        raise DataError("a number is too long.", "有过长的数字。", file=path, row=row) from error
    except RecursionError as error:
        raise DataError(
            "the JSON is nested too deeply.", "JSON 嵌套过深。", file=path, row=row
        ) from error


def _record(value: Any, path: Path, row: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(
            f'expected an object such as {{"prompt": ...}}, found {type(value).__name__}.',
            f'应为 {{"prompt": ...}} 这样的对象，却是 {type(value).__name__}。',
            file=path,
            row=row,
        )
    return value


def _csv(text: TextIO, path: Path) -> Iterator[Row]:
    header = text.readline()
    text.seek(0)
    return _table(text, path, max(",;\t", key=header.count))


def _tsv(text: TextIO, path: Path) -> Iterator[Row]:
    return _table(text, path, "\t")


def _table(text: TextIO, path: Path, delimiter: str) -> Iterator[Row]:
    # The limit is the module's, not the reader's; a long reply is no error.
    csv.field_size_limit(sys.maxsize)
    lines = csv.reader(text, delimiter=delimiter, strict=True)
    names: list[str] = []
    row = 1
    try:
        for values in lines:
            if not any(values):
                pass
            elif not names:
                names = _header(values, path)
            else:
                yield row, _named(names, values, path, row)
            row = lines.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"this is not a table ({error}); a quotation mark may be missing.",
            f"不是有效的表格（{error}）；可能缺少引号。",
            file=path,
            row=row,
        ) from error


def _header(values: list[str], path: Path) -> list[str]:
    names = [value.strip() for value in values]
    for name in names:
        if not name or names.count(name) > 1:
            raise DataError(
                f"the first line must name each column once; found {', '.join(names)}.",
                f"首行须为每一列各给出一个名称；现为 {'、'.join(names)}。",
                file=path,
                row=1,
                field=name or None,
            )
    return names


def _named(names: list[str], values: list[str], path: Path, row: int) -> dict[str, Any]:
    if len(values) != len(names):
        raise DataError(
            f"{len(values)} values for the {len(names)} columns {', '.join(names)}; the row may "
            "be cut off, or a value with a separator in it may lack its quotation marks.",
            f"{len(names)} 列（{'、'.join(names)}）却有 {len(values)} 个值；"
            "该行可能被截断，或含分隔符的值缺少引号。",
            file=path,
            row=row,
        )
    return dict(zip(names, values, strict=True))


def parquet_rows(path: Path) -> Iterator[Row]:
    """Yield (row number, record) from a Parquet file, counted from 1.

    Raises:
        DataError: it is cut off or damaged.
    """
    import pyarrow
    import pyarrow.parquet

    row = 1
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for record in batch.to_pylist():
                    yield row, record
                    row += 1
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "this is not a whole Parquet file; it may be cut off or damaged.",
            "不是完整的 Parquet 文件；可能被截断或已损坏。",
            file=path,
        ) from error


_TEXT: dict[str, Callable[[TextIO, Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
}
