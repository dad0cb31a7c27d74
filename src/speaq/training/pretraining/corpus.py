"""Raw text as documents: plain text files, or a column of a data file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError
from speaq.core.places import require_file
from speaq.text.corpus import USUAL
from speaq.text.files.encodings import detect
from speaq.text.files.readers import open_bytes, open_text, read_rows, suffix_of

PIECE = 1 << 18
"""Characters of a long document that are handled at once."""
_PLAIN = (".txt", ".text", ".md", "")
_LINE = re.compile(r"\n(?=\S)")


def documents(path: Path | str, column: str = "") -> Iterator[list[str]]:
    """Yield the documents of a file in order, each as the pieces it is made of.

    A plain text file (`.txt`, `.md`; also as `.gz`) is one document; a table or JSON Lines has one
    in each row. A long document comes in pieces that are cut where a line begins, so that a
    tokenizer splits them as it would split the whole.

    Args:
        path: of the file.
        column: where the text is in a row; empty: the first usual one (text, content, 文本, ...).
            A lone column is taken whatever its name.

    Raises:
        DataError: no such file or column, or nothing in it.
    """
    path = Path(path)
    found = False
    rows = _plain(path) if suffix_of(path) in _PLAIN else _column(path, column)
    for text in rows:
        if text:
            found = True
            yield _pieces(text)
    if not found:
        raise DataError("there is no text in it.", "其中没有文本。", file=path)


def _plain(path: Path) -> Iterator[str]:
    require_file(path)
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    with open_text(path, encoding) as text:
        yield text.read().replace("\r\n", "\n")


def _column(path: Path, column: str) -> Iterator[str]:
    for row, record in read_rows(path):
        name = next(iter(record)) if len(record) == 1 else column or _usual(record)
        if not isinstance(record.get(name), str):
            raise DataError(
                f"expected a text (columns found: {', '.join(record)}); name the column with "
                "--column.",
                f"应为文本（现有的列：{'、'.join(record)}）；请用 --column 指明列名。",
                file=path,
                row=row,
                field=name,
            )
        yield record[name]


def _usual(record: Mapping[str, Any]) -> str:
    return next((name for name in USUAL if name in record), USUAL[0])


def _pieces(text: str) -> list[str]:
    found, start = [], 0
    while len(text) - start > PIECE:
        line = _LINE.search(text, start + PIECE)
        if line is None:
            break
        found.append(text[start : line.end()])
        start = line.end()
    return [*found, text[start:]]
