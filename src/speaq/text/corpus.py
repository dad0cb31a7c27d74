"""A corpus: the texts of files, read anew each time it is gone through."""

import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from speaq.core.errors import DataError
from speaq.core.files import digest, file_digest
from speaq.core.places import require_file
from speaq.text.files.data_files import read_examples
from speaq.text.files.encodings import detect
from speaq.text.files.examples import texts
from speaq.text.files.layouts import get
from speaq.text.files.readers import read_rows, suffix_of
from speaq.text.files.recognise import recognise

PLAIN = (".txt", ".text", ".md", ".en", ".zh", "")
"""Endings of files whose lines are the texts."""
USUAL = ("text", "content", "sentence", "文本", "内容", "句子", "review", "评论")
"""Columns taken for text, in this order, in files too small to judge by their values."""
_STREAMED = ("csv", "jsonl", "json", "parquet")
"""Formats whose rows are read one at a time."""


class Corpus:
    """The texts of one or more files, in order; empty lines and empty texts are left out.

    A plain text file gives its lines; any other what is text in it, as `data_files` finds it.

    Args:
        files: what `read_rows` can read, or plain text, each also as `.gz`.
        column: of the files with columns; empty: the one that holds text by its name or values.

    Raises:
        DataError: no file is named, one is missing, or (while reading) it holds no text.
    """

    def __init__(self, files: Sequence[Path | str], column: str = "") -> None:
        if not files:
            raise DataError("no file of texts is named.", "没有指定文本文件。")
        self.files = [Path(file) for file in files]
        self.column = column
        for file in self.files:
            require_file(file)

    def __iter__(self) -> Iterator[str]:
        for file in self.files:
            read = lines(file) if suffix_of(file) in PLAIN else self._column(file)
            for text in read:
                if text.strip():
                    yield text

    def fingerprint(self) -> str:
        """A digest of the files' contents and of the column."""
        return digest(self.column, *(file_digest(file) for file in self.files))

    def _column(self, file: Path) -> Iterator[str]:
        name = self.column or _text_column(file)
        if not name:
            for example in read_examples(file):
                yield from texts(example).values()
            return
        for row, record in read_rows(file):
            value = get(record, name)
            if not isinstance(value, str):
                raise DataError(
                    f"expected a text (columns found: {', '.join(record)}); name the column with "
                    "--column.",
                    f"应为文本（现有的列：{'、'.join(record)}）；请用 --column 指明列名。",
                    file=file,
                    row=row,
                    field=name,
                )
            yield value


def _text_column(file: Path) -> str:
    """The column of texts; empty where texts are not simply a named column.

    Raises:
        DataError: nothing in the file is text.
    """
    try:
        layout = recognise(file)
    except DataError as error:
        if error.row is not None or not file.stat().st_size:
            raise
        _, record = next(read_rows(file), (0, {}))
        for name in USUAL:
            if name in record:
                return name
        raise DataError(
            "no column is known to hold texts; name it with --column.",
            "无法判断哪一列是文本；请用 --column 指明列名。",
            file=file,
        ) from error
    streamed = layout.format in _STREAMED and layout.header and not layout.shape
    return layout.columns.get("text", "") if streamed else ""


def lines(file: Path) -> Iterator[str]:
    """The lines of a plain text file in any common encoding, also `.gz`, without their ends.

    Raises:
        DataError: no such file, or one that is damaged or no text.
    """
    require_file(file)

    def opened() -> BinaryIO:
        packed = file.name.lower().endswith(".gz")
        return cast(BinaryIO, gzip.open(file, "rb")) if packed else file.open("rb")

    try:
        with opened() as stream:
            encoding = detect(stream, file)
        with opened() as stream, io.TextIOWrapper(stream, encoding) as text:
            for line in text:
                yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"the text is not {error.encoding} throughout; save the file as UTF-8.",
            f"文本并非全部为 {error.encoding} 编码；请另存为 UTF-8。",
            file=file,
        ) from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(
            "the compressed file is cut off or damaged.", "压缩文件不完整或已损坏。", file=file
        ) from error
