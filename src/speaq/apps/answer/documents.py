"""Documents of the user's: text with the places that its words have in the original file.

A file is one part or several, and offsets count the characters of a part:

    .txt .md .html   the file itself, one part. Markup becomes blanks of the same length, so that
                     every offset is one in the file
    .pdf             a page each
    .docx            the paragraphs and table rows, a line each
    .csv .tsv .jsonl .json .parquet   a row each: its text, or a question and its answer
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speaq.apps.answer.extra import documents_extra
from speaq.core.errors import DataError
from speaq.core.places import require_file
from speaq.text.files.encodings import detect
from speaq.text.files.readers import open_bytes, open_text, read_rows, suffix_of

PARAGRAPH = "\u2029"
"""Ends a paragraph where markup does, without a character more than the file has."""
LONGEST = 5_000_000
"""Characters of one part; a longer text is taken for a paste that went wrong."""
_QUESTIONS = ("question", "query", "问题", "提问", "问")
_ANSWERS = ("answer", "reply", "答案", "回答", "答复", "答")
_TEXTS = ("text", "content", "body", "passage", "context", "正文", "内容", "文本", "段落")
_TITLES = ("title", "category", "name", "标题", "类别", "分类", "名称")


@dataclass(frozen=True, slots=True)
class Part:
    """A text that offsets count in."""

    text: str
    line: int = 1
    """The line of the file that the text begins in; the row of a table."""
    page: int = 0
    """Of a PDF, from 1; else 0."""
    field: str = ""
    """The column that the text is of, in tables."""
    question: str = ""
    """What the text answers, in tables of questions and answers."""
    title: str = ""
    """What the text is found by besides its own words."""


def read_document(path: Path) -> list[Part]:
    """The parts of a file that hold text.

    Raises:
        DataError: no such file, an unknown kind, no text in it, or too much of it.
        SettingsError: it needs the extra `documents`.
    """
    require_file(path)
    reader = _READERS.get(suffix_of(path))
    if reader is None:
        raise DataError(
            f"documents of this kind are not read; known endings are {', '.join(_READERS)}.",
            f"无法读取这种文档；可用的后缀：{'、'.join(_READERS)}。",
            file=path,
        )
    parts = [part for part in reader(path) if part.text.strip()]
    if not parts:
        raise _empty(path)
    for part in parts:
        require_short(part.text, path)
    return parts


def require_short(text: str, file: Path | str) -> None:
    """Refuse a text that no person meant as one document.

    Raises:
        DataError: it is longer than `LONGEST`.
    """
    if len(text) > LONGEST:
        raise DataError(
            f"the text has {len(text):,} characters, and one text may have {LONGEST:,}; split it.",
            f"文本有 {len(text):,} 个字符，单个文本最多 {LONGEST:,} 个；请拆分。",
            file=file,
        )


def _empty(path: Path) -> DataError:
    if suffix_of(path) == ".pdf":
        return DataError(
            "the PDF holds no text, only pictures of it (a scan); run character recognition "
            "first, then add it again.",
            "该 PDF 没有文本，只有图像（扫描件）；请先做文字识别（OCR）再添加。",
            file=path,
        )
    return DataError("the document holds no text.", "文档中没有文本。", file=path)


def _plain(path: Path) -> Iterator[Part]:
    yield Part(_whole(path))


def _whole(path: Path) -> str:
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    with open_text(path, encoding) as text:
        return text.read()


def _html(path: Path) -> Iterator[Part]:
    yield Part(blanked(_whole(path)))


_UNSEEN = re.compile(
    r"<!--.*?-->|<!doctype[^>]*>|<(script|style|head|noscript|template)\b.*?</\1\s*>",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
_INLINE = (
    "a abbr b big cite code del em font i img input ins kbd label mark q s samp small span strike "
    "strong sub sup tt u var wbr time"
)


def blanked(markup: str) -> str:
    """HTML with tags as blanks and entities as what they stand for, every character in its place.

    The text is as long as the markup and has the same lines.
    """
    text = _UNSEEN.sub(lambda found: _blank(found.group(), PARAGRAPH), markup)
    text = _TAG.sub(_without_tag, text)
    return _ENTITY.sub(_without_entity, text)


def _blank(gone: str, first: str) -> str:
    rest = "".join(c if c == "\n" else " " for c in gone[1:])
    return first + rest


def _without_tag(found: re.Match[str]) -> str:
    inline = found.group(1).lower() in _INLINE.split()
    return _blank(found.group(), " " if inline else PARAGRAPH)


def _without_entity(found: re.Match[str]) -> str:
    said = html.unescape(found.group())
    return said + " " * (len(found.group()) - len(said)) if len(said) == 1 else found.group()


def _pdf(path: Path) -> Iterator[Part]:
    pypdf = documents_extra("pypdf")
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted:
            raise DataError(
                "the PDF is locked by a password; save it without one.",
                "该 PDF 有密码保护；请另存为无密码的文件。",
                file=path,
            )
        pages = [page.extract_text() for page in reader.pages]
    except pypdf.errors.PyPdfError as error:
        raise DataError(
            f"the PDF is damaged ({error}).", f"该 PDF 已损坏（{error}）。", file=path
        ) from error
    for number, text in enumerate(pages, 1):
        yield Part(text, page=number)


def _docx(path: Path) -> Iterator[Part]:
    docx = documents_extra("docx")
    from zipfile import BadZipFile

    try:
        opened = docx.Document(str(path))
    except (docx.opc.exceptions.PackageNotFoundError, BadZipFile, KeyError, ValueError) as error:
        raise DataError(
            "this is not a Word document (.docx), or a damaged one.",
            "不是 Word 文档（.docx），或文件已损坏。",
            file=path,
        ) from error
    lines = []
    for block in opened.iter_inner_content():
        if isinstance(block, docx.table.Table):
            lines += [" | ".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            lines.append(block.text)
    yield Part("\n".join(line.replace("\n", " ") for line in lines))


def _table(path: Path) -> Iterator[Part]:
    for row, record in read_rows(path):
        texts = {n: value for n, value in record.items() if isinstance(value, str) and value}
        asked, said = _column(texts, _QUESTIONS), _column(texts, _ANSWERS)
        title = _column(texts, _TITLES)
        field = said if asked and said else _column(texts, _TEXTS) or said
        if not field:
            field = max(texts, key=lambda name: len(texts[name]), default="")
        if field:
            question = texts[asked] if asked and field == said else ""
            yield Part(
                texts[field],
                line=row,
                field=field,
                question=question,
                title=texts[title] if title and title != field else "",
            )


def _column(texts: Mapping[str, Any], names: tuple[str, ...]) -> str:
    by_name = {name.strip().lower(): name for name in texts}
    return next((by_name[name] for name in names if name in by_name), "")


_READERS: dict[str, Callable[[Path], Iterator[Part]]] = {
    ".txt": _plain,
    ".md": _plain,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
    ".docx": _docx,
    ".csv": _table,
    ".tsv": _table,
    ".jsonl": _table,
    ".json": _table,
    ".parquet": _table,
}
ENDINGS = tuple(_READERS)
"""Of the files that are read from a folder; others in it are passed over."""
