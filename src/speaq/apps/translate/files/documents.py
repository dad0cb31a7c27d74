"""Files as texts to translate, and the same file with their translations: nothing else changes.

Plain text, subtitles (SRT, WebVTT), HTML, tables (TSV, CSV), Word and gettext catalogues. A file
stays in its encoding where that can write the translation, else it becomes UTF-8.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speaq.apps.translate.checks.degeneration import translatable
from speaq.apps.translate.files.markup import readable, stretches, written
from speaq.apps.translate.texts.scripts import extra
from speaq.core.errors import DataError
from speaq.core.files import replacing_file
from speaq.core.places import require_file
from speaq.text.files.encodings import detect
from speaq.text.files.tables import sniff
from speaq.text.segmentation import is_chinese


@dataclass(frozen=True)
class Document:
    """What of a file is translated, and how the rest comes around it again."""

    texts: tuple[str, ...]
    made: Callable[[Sequence[str]], bytes] = field(repr=False)
    """The whole file with a translation for each of `texts`."""


def read_document(data: bytes, name: str) -> Document:
    """A file's bytes.

    Args:
        data: its content.
        name: its name; the ending says what it is.

    Raises:
        DataError: an unknown ending, a damaged file, or no encoding of text.
        SettingsError: an extra is missing.
    """
    kind = Path(name).suffix.lower()
    if kind == ".docx":
        from speaq.apps.translate.files.office import read_word

        return read_word(data, name)
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join(suffixes())
        raise DataError(
            f"cannot translate files named like this; known endings are {known}.",
            f"无法翻译这种后缀的文件；可用的后缀：{known}。",
            file=name,
        )
    encoding = detect(io.BytesIO(data), name)
    texts, whole = reader(data.decode(encoding), name)
    errors = "xmlcharrefreplace" if reader is _html else "strict"

    def made(translations: Sequence[str]) -> bytes:
        text = whole(translations)
        try:
            return text.encode(encoding, errors)
        except UnicodeEncodeError:
            return text.encode("utf-8")

    return Document(tuple(texts), made)


def translate_file(
    path: Path, out: Path, translate: Callable[[Sequence[str]], Sequence[str]]
) -> Document:
    """Write a file with its texts translated; `out` is whole or not there.

    Args:
        path: the file.
        out: where to.
        translate: gives the translations of texts, in order.

    Raises:
        DataError: see `read_document`, or no such file.
        StorageError: the disk refused.
    """
    require_file(path)
    document = read_document(path.read_bytes(), path.name)
    made = document.made(list(translate(document.texts)))
    with replacing_file(out) as temporary:
        temporary.write_bytes(made)
    return document


def suffixes() -> list[str]:
    """The endings of files that can be translated."""
    return sorted([*_READERS, ".docx"])


Parts = tuple[list[str], Callable[[Sequence[str]], str]]
"""A file's texts, and the file with their translations."""


def _plain(text: str, name: str) -> Parts:
    return ([text], lambda said: said[0]) if text.strip() else ([], lambda said: text)


def _html(text: str, name: str) -> Parts:
    parts = stretches(text)
    texts = [readable(each.text) for each in parts if each.translate]

    def whole(said: Sequence[str]) -> str:
        ready = iter(said)
        return "".join(written(next(ready)) if each.translate else each.text for each in parts)

    return texts, whole


_CUE = re.compile(
    r"^[ \t]*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}[ \t]+-->[^\r\n]*(?:\r\n|\n|\r)"
    r"(?P<said>(?:[^\r\n]*\S[^\r\n]*(?:\r\n|\n|\r|\Z))*)",
    re.MULTILINE,
)
_SPEAKERS = re.compile(r"\s*[-–—]")


def _subtitles(text: str, name: str) -> Parts:
    """Cues: numbers, times, positions and notes stay; a cue has as many lines as before.

    The lines of a cue are one text, unless they are two speakers', with a dash each.
    """
    texts: list[str] = []
    around: list[tuple[int, int, int]] = []
    for cue in _CUE.finditer(text):
        lines = cue.group("said").splitlines()
        start = cue.start("said")
        apart = len(lines) > 1 and all(map(_SPEAKERS.match, lines))
        if apart:
            for line in cue.group("said").splitlines(keepends=True):
                around.append((start, start + len(line.rstrip("\r\n")), 1))
                texts.append(line.rstrip("\r\n"))
                start += len(line)
        elif lines:
            end = start + len(cue.group("said").rstrip("\r\n"))
            around.append((start, end, len(lines)))
            texts.append(("" if is_chinese(text[start:end]) else " ").join(lines))
    if not texts and text.strip():
        raise DataError(
            "expected subtitles: a line with `00:00:01,000 --> 00:00:02,000` before each text.",
            "应为字幕：每条文本之前须有一行“00:00:01,000 --> 00:00:02,000”。",
            file=name,
        )
    end_of_line = _line_end(text)

    def whole(said: Sequence[str]) -> str:
        made, done = "", 0
        for (start, end, lines), own in zip(around, said, strict=True):
            made += text[done:start] + end_of_line.join(wrapped(own, lines))
            done = end
        return made + text[done:]

    return texts, whole


def wrapped(text: str, lines: int) -> list[str]:
    """A text in so many lines of about the same length, as subtitles have them."""
    unspaced = is_chinese(text)
    words, glue = (list(text), "") if unspaced else (text.split(), " ")
    made: list[str] = []
    while lines > 1 and len(words) > 1:
        wanted = len(glue.join(words)) / lines
        most = max(1, len(words) - lines + 1)  # a word for each line that is left
        lengths = [len(glue.join(words[:count])) for count in range(1, most + 1)]
        count = 1 + min(range(len(lengths)), key=lambda place: abs(lengths[place] - wanted))
        made.append(glue.join(words[:count]))
        words, lines = words[count:], lines - 1
    return [*made, glue.join(words)]


def _tabs(text: str, name: str) -> Parts:
    """The cells of a TSV, but for those of a header and numbers; quotation marks are text."""
    lines = [line.split("\t") for line in re.split(r"\r\n|\n|\r", text)]
    return _cells(text, lines, lambda rows: _line_end(text).join(map("\t".join, rows)))


def _commas(text: str, name: str) -> Parts:
    """The cells of a CSV, but for those of a header and numbers."""
    found = sniff(text.splitlines()[:100], ",")
    delimiter = found.delimiter if found is not None else ","

    def joined(rows: Sequence[Sequence[str]]) -> str:
        made = io.StringIO(newline="")
        csv.writer(made, delimiter=delimiter, lineterminator=_line_end(text)).writerows(rows)
        return made.getvalue()

    return _cells(
        text, list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), joined
    )


def _cells(
    text: str, rows: Sequence[list[str]], joined: Callable[[Sequence[Sequence[str]]], str]
) -> Parts:
    found = sniff(text.splitlines()[:100], "\t")
    first = 1 if found is not None and found.header else 0
    places = [
        (number, place)
        for number, row in enumerate(rows)
        for place, cell in enumerate(row)
        if number >= first and translatable(cell)
    ]

    def whole(said: Sequence[str]) -> str:
        made = [list(row) for row in rows]
        for (number, place), own in zip(places, said, strict=True):
            made[number][place] = " ".join(own.split()) if "\n" not in rows[number][place] else own
        return joined(made)

    return [rows[number][place] for number, place in places], whole


def _catalogue(text: str, name: str) -> Parts:
    """A gettext catalogue: messages without a translation get one, marked fuzzy."""
    polib = extra("polib", "a gettext catalogue", "gettext 目录")
    try:
        file = polib.pofile(text, wrapwidth=0)
    except OSError as error:
        raise DataError(
            f"this is no gettext catalogue ({error}).", f"不是 gettext 目录（{error}）。", file=name
        ) from error
    if not file and text.strip():
        raise DataError(
            "there is no entry in it; a gettext catalogue has lines msgid and msgstr.",
            "其中没有条目；gettext 目录应有 msgid 与 msgstr 行。",
            file=name,
        )
    entries = [each for each in file if not each.translated() and not each.obsolete and each.msgid]
    texts = [form for each in entries for form in _messages(each)]

    def whole(said: Sequence[str]) -> str:
        ready = iter(said)
        for entry in entries:
            own = [next(ready) for _ in _messages(entry)]
            if entry.msgid_plural:
                entry.msgstr_plural = {n: own[min(n, 1)] for n in entry.msgstr_plural or (0, 1)}
            else:
                entry.msgstr = own[0]
            if "fuzzy" not in entry.flags:
                entry.flags.append("fuzzy")
        return f"{file}"

    return texts, whole


def _messages(entry: Any) -> list[str]:
    return [entry.msgid, entry.msgid_plural] if entry.msgid_plural else [entry.msgid]


def _line_end(text: str) -> str:
    found = re.search(r"\r\n|\n|\r", text)
    return found.group() if found else "\n"


_READERS: dict[str, Callable[[str, str], Parts]] = {
    ".txt": _plain,
    ".md": _plain,
    ".srt": _subtitles,
    ".vtt": _subtitles,
    ".html": _html,
    ".htm": _html,
    ".xhtml": _html,
    ".tsv": _tabs,
    ".csv": _commas,
    ".po": _catalogue,
}
