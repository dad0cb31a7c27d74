"""Documents cut into passages: paragraphs, or runs of sentences of a long one, with some overlap.

A passage is never torn inside of a sentence unless the sentence alone is too long.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speaq.apps.answer.documents import PARAGRAPH, Part
from speaq.core.settings import require
from speaq.text import sentences
from speaq.text.units import HAN

Stretch = tuple[int, int]
"""From a character of a part to another, the second not included."""

_BREAK = re.compile(rf"\n[^\S\n]*\n\s*|\s*{PARAGRAPH}\s*")
_MEASURED = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")


@dataclass(frozen=True)
class PassageSettings:
    """How documents are cut.

    Raises:
        SettingsError: an overlap that is not below the length.
    """

    length: int = 200
    """Words, or Chinese characters, of a passage; short paragraphs are joined up to it."""
    overlap: int = 30
    """Words, or Chinese characters, that neighbouring passages of one paragraph share."""

    def __post_init__(self) -> None:
        rules = {
            "length": (self.length >= 10, "≥ 10"),
            "overlap": (0 <= self.overlap < self.length, "≥ 0 and below length"),
        }
        require("passages", self, rules)


def cut(part: Part, settings: PassageSettings) -> Iterator[Stretch]:
    """The passages of a part, in order, without the space around them.

    A row of a table stays whole: it is one answer.
    """
    text = part.text
    if part.field:
        yield from _trimmed(text, 0, len(text))
        return
    pieces: list[tuple[int, int, int]] = []
    for start, end in _paragraphs(text):
        size = measure(text[start:end])
        if pieces and sum(each[2] for each in pieces) + size > settings.length:
            yield pieces[0][0], pieces[-1][1]
            pieces = []
        if size > settings.length:
            yield from _windows(_sentences(text, start, end, settings.length), settings)
        else:
            pieces.append((start, end, size))
    if pieces:
        yield pieces[0][0], pieces[-1][1]


def sentences_in(text: str) -> list[Stretch]:
    """The sentences of a passage; none goes on from one paragraph into the next."""
    return [
        (start + first, start + last)
        for start, end in _paragraphs(text)
        for first, last in sentences.places(text[start:end])
    ]


def measure(text: str) -> int:
    """Words of a text; a Chinese character counts as one."""
    return len(_MEASURED.findall(text))


def _paragraphs(text: str) -> Iterator[Stretch]:
    start = 0
    for found in _BREAK.finditer(text):
        yield from _trimmed(text, start, found.start())
        start = found.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Stretch]:
    piece = text[start:end]
    first = start + len(piece) - len(piece.lstrip())
    if first < end:
        yield first, start + len(piece.rstrip())


def _sentences(text: str, start: int, end: int, longest: int) -> list[tuple[int, int, int]]:
    """Sentences with their sizes; one that is too long is cut where its words end."""
    found = []
    for first, last in sentences.places(text[start:end]):
        size = measure(text[start + first : start + last])
        if size <= longest:
            found.append((start + first, start + last, size))
            continue
        places = [each.end() for each in _MEASURED.finditer(text, start + first, start + last)]
        begin = start + first
        for n in range(longest, len(places) + longest, longest):
            stop = places[n - 1] if n < len(places) else start + last
            size = min(longest, len(places) - n + longest)
            found += [(*inner, size) for inner in _trimmed(text, begin, stop)]
            begin = stop
    return found


def _windows(
    pieces: Sequence[tuple[int, int, int]], settings: PassageSettings
) -> Iterator[Stretch]:
    """Runs of sentences up to the length; the next run begins with the last sentences of this one
    that fit into the overlap."""
    first = 0
    while first < len(pieces):
        last, size = first, pieces[first][2]
        while last + 1 < len(pieces) and size + pieces[last + 1][2] <= settings.length:
            last += 1
            size += pieces[last][2]
        yield pieces[first][0], pieces[last][1]
        if last + 1 == len(pieces):
            return
        following, shared = last + 1, 0
        while following - 1 > first and shared + pieces[following - 1][2] <= settings.overlap:
            following -= 1
            shared += pieces[following][2]
        first = following
