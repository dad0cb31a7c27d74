"""A text as sentences and what stands between them, and back.

Line breaks and the space at the ends of lines stay where they are. Between two sentences of one
line stands what the target language puts there: a space, or nothing in Chinese.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speaq.apps.translate.texts.languages import UNSPACED
from speaq.text.sentences import places
from speaq.text.units import HAN

_LINE = re.compile(r"[^\n\r]+|[\n\r]+")
_ORDINAL = re.compile(r"(?:^|\s)\d{1,2}\.$")
_UNIT = re.compile(rf"[{HAN}]|[^\s{HAN}]{{1,24}}")
_CLAUSE = re.compile(r"[,;:，；：、]")
LONGEST = 80
"""Words, or Chinese characters, of the longest piece; small models know no longer sentences."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or what stands between two."""

    text: str
    start: int
    """In characters of the whole text."""
    sentence: bool

    @property
    def end(self) -> int:
        """Exclusive."""
        return self.start + len(self.text)


def segments(text: str, language: str = "", longest: int = LONGEST) -> list[Segment]:
    """The sentences of `text` and what stands between them; joined they are `text` again.

    A sentence of more than `longest` units is cut behind a comma or between words.
    """
    found: list[Segment] = []
    for line in _LINE.finditer(text):
        cuts = [
            (line.start() + start + first, line.start() + start + last)
            for start, end in _sentences(line.group(), language)
            for first, last in _short(line.group()[start:end], longest)
        ]
        done = line.start()
        for start, end in cuts:
            if start > done:
                found.append(Segment(text[done:start], done, False))
            found.append(Segment(text[start:end], start, True))
            done = end
        if done < line.end():
            found.append(Segment(text[done : line.end()], done, False))
    return found


def joined(
    pieces: Sequence[Segment], translations: Sequence[str], source: str, target: str
) -> Iterator[str]:
    """The translation in as many parts as `pieces` has.

    Args:
        pieces: of the source.
        translations: one for each sentence of `pieces`.
        source: the source's language.
        target: the target's language.
    """
    said = iter(translations)
    for number, piece in enumerate(pieces):
        earlier = number > 0 and pieces[number - 1].sentence
        if piece.sentence:
            yield (between("", source, target) if earlier else "") + next(said)
        elif earlier and number + 1 < len(pieces) and pieces[number + 1].sentence:
            yield between(piece.text, source, target)
        else:
            yield piece.text


def between(gap: str, source: str, target: str) -> str:
    """What stands between two sentences of one line in the target language."""
    if source in UNSPACED and target not in UNSPACED and not gap:
        return " "
    return "" if target in UNSPACED and source not in UNSPACED and gap == " " else gap


def _sentences(line: str, language: str) -> Iterator[tuple[int, int]]:
    """The places of sentences; in German a number with a full stop is an ordinal."""
    held: tuple[int, int] | None = None
    for start, end in places(line):
        if held is not None:
            start = held[0]
        held = (start, end)
        if language != "de" or not _ORDINAL.search(line[start:end]):
            yield held
            held = None
    if held is not None:
        yield held


def _short(sentence: str, longest: int) -> Iterator[tuple[int, int]]:
    """The places of its pieces."""
    units = list(_UNIT.finditer(sentence))
    start = 0
    while len(units) > longest:
        room = units[:longest]
        clauses = [unit for unit in room[longest // 2 :] if _CLAUSE.search(unit.group())]
        # A unit is a character in Chinese, where the comma is part of no word.
        last = clauses[-1] if clauses else room[-1]
        yield start, last.end()
        units = [unit for unit in units if unit.start() >= last.end()]
        start = units[0].start() if units else len(sentence)
    if start < len(sentence):
        yield start, len(sentence)
