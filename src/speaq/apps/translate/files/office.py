"""Word documents: paragraphs are translated, and what a run of letters looks like stays with it.

A paragraph's runs of another look than most of it become tags, as in HTML; pictures, fields, tabs
and breaks are tags without content.
"""

import copy
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from speaq.apps.translate.checks.degeneration import translatable
from speaq.apps.translate.files.documents import Document
from speaq.apps.translate.texts.scripts import extra
from speaq.core.errors import DataError

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TAG = re.compile(r"(</?r\d+/?>)")
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"


@dataclass(frozen=True)
class _Run:
    """Some letters of one look, or something that is no letter."""

    element: Any
    text: str
    look: str
    solid: bool
    """Not letters: stays as it is."""


def read_word(data: bytes, name: str) -> Document:
    """A .docx: the paragraphs of its body, tables, headers and footers.

    Raises:
        DataError: it is none.
        SettingsError: `python-docx` is not installed.
    """
    docx = extra("docx", "a Word document", "Word 文档")
    try:
        file = docx.Document(io.BytesIO(data))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(
            "this is no Word document (.docx), or it is damaged.",
            "不是 Word 文档（.docx），或已损坏。",
            file=name,
        ) from error
    paragraphs = [(each, list(_runs(each))) for each in _paragraphs(file)]
    paragraphs = [
        (each, runs) for each, runs in paragraphs if translatable("".join(r.text for r in runs))
    ]

    def made(translations: Sequence[str]) -> bytes:
        for (paragraph, runs), text in zip(paragraphs, translations, strict=True):
            _write(paragraph, runs, text)
        stream = io.BytesIO()
        file.save(stream)
        return stream.getvalue()

    return Document(tuple(_tagged(runs) for _, runs in paragraphs), made)


def _paragraphs(file: Any) -> Iterator[Any]:
    roots = [file.element.body]
    for section in file.sections:
        roots += [
            part._element
            for part in (section.header, section.footer)
            if not part.is_linked_to_previous
        ]
    for root in roots:
        yield from root.iter(f"{_WORD}p")


def _runs(paragraph: Any) -> Iterator[_Run]:
    """Neighbours of one look are one run; what is deleted in a tracked change is left alone."""
    held: _Run | None = None
    for element in list(paragraph.iter(f"{_WORD}r")):
        above = [each.tag for each in element.iterancestors()]
        inner = above[: above.index(f"{_WORD}p")]
        if f"{_WORD}del" in inner or _paragraph_of(element) is not paragraph:
            continue
        run = _run(element, paragraph)
        if held is not None and not (held.solid or run.solid) and held.look == run.look:
            held = _Run(held.element, held.text + run.text, run.look, False)
            element.getparent().remove(element)
        else:
            if held is not None:
                yield held
            held = run
    if held is not None:
        yield held


def _paragraph_of(element: Any) -> Any:
    return next(each for each in element.iterancestors() if each.tag == f"{_WORD}p")


def _run(element: Any, paragraph: Any) -> _Run:
    """A run; of what stands in a link the link is part of the look."""
    properties = element.find(f"{_WORD}rPr")
    content = [child for child in element if child is not properties]
    solid = any(child.tag != f"{_WORD}t" for child in content) or not content
    look = "" if properties is None else str(properties.xml)
    parent = element.getparent()
    if parent is not paragraph:
        look += repr((parent.tag, sorted(parent.attrib.items())))
    text = "" if solid else "".join(child.text or "" for child in content)
    return _Run(element, text, look, solid)


def _usual(runs: Sequence[_Run]) -> str:
    counts: Counter[str] = Counter()
    for run in runs:
        counts[run.look] += len(run.text)
    return counts.most_common(1)[0][0]


def _tagged(runs: Sequence[_Run]) -> str:
    """The paragraph with `<r2>` around the letters of run 2, if they look unlike most."""
    usual = _usual(runs)
    made = ""
    for number, run in enumerate(runs):
        if run.solid:
            made += f"<r{number}/>"
        else:
            made += run.text if run.look == usual else f"<r{number}>{run.text}</r{number}>"
    return made


def _write(paragraph: Any, runs: Sequence[_Run], text: str) -> None:
    """Put the translation into copies of the runs, in its order, where the first run stands."""
    usual = _usual(runs)
    plain = next(run for run in runs if not run.solid and run.look == usual)
    first = runs[0].element
    while first.getparent() is not paragraph:
        first = first.getparent()
    place = paragraph.index(first)
    made: list[Any] = []
    current = plain
    for piece in _TAG.split(text):
        if _TAG.fullmatch(piece) is None:
            if piece:
                made.append(_copy(current.element, piece, paragraph))
            continue
        number = int(re.sub(r"\D", "", piece))
        if piece.endswith("/>"):
            made.append(
                _within(runs[number].element, copy.deepcopy(runs[number].element), paragraph)
            )
        else:
            current = plain if piece.startswith("</") else runs[number]
    for offset, element in enumerate(made):
        paragraph.insert(place + offset, element)
    for run in runs:
        parent = run.element.getparent()
        parent.remove(run.element)
        if parent is not paragraph and len(parent) == 0:
            parent.getparent().remove(parent)


def _copy(element: Any, text: str, paragraph: Any) -> Any:
    """A run like this one with other letters."""
    made = copy.deepcopy(element)
    letters = [child for child in made if child.tag == f"{_WORD}t"]
    letters[0].text = text
    letters[0].set(_SPACE, "preserve")
    for other in letters[1:]:
        made.remove(other)
    return _within(element, made, paragraph)


def _within(element: Any, made: Any, paragraph: Any) -> Any:
    """The copy in a copy of what the run stands in, such as a link."""
    parent = element.getparent()
    if parent is paragraph:
        return made
    around = copy.deepcopy(parent)
    for child in list(around):
        around.remove(child)
    around.append(made)
    return around
