"""What small models do to odd inputs: loops, silence, chatter; how it is noticed and mended."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speaq.text.units import units

Fault = Literal["", "empty", "loop", "length"]

_LONGEST = 6
"""Words of the longest phrase whose repetition is looked for."""
_TIMES = 3
"""A phrase may stand so often in a row, or once more than in the source."""
_SAME = re.compile(r"(\S)\1{11,}")
_LETTER = re.compile(r"[^\W\d_]")
_PIECE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Repetition:
    """A phrase that stands several times in a row."""

    start: int
    """In units."""
    words: int
    times: int


def translatable(text: str) -> bool:
    """Whether there is anything to translate: a letter of any script."""
    return _LETTER.search(text) is not None


def fault(source: str, translation: str) -> Fault:
    """What is wrong with a translation, if anything.

    Empty: nothing but space or signs for a source with letters. Loop: a phrase more often in a
    row than in the source, and more than three times. Length: more than four times as long as its
    source, and twenty words over that.
    """
    if not translation.strip() or (translatable(source) and not units(translation)):
        return "empty"
    allowed = max(_TIMES, max((each.times for each in repetitions(units(source))), default=1) + 1)
    if any(each.times > allowed for each in repetitions(units(translation))):
        return "loop"
    if _SAME.search(translation) and not _SAME.search(source):
        return "loop"
    if len(units(translation)) > 4 * len(units(source)) + 20:
        return "length"
    return ""


def repetitions(words: Sequence[str]) -> list[Repetition]:
    """The phrases of up to six words that stand at least twice in a row, each at its most."""
    found = []
    for size in range(1, _LONGEST + 1):
        run = 0
        for place in range(size, len(words) + 1):
            if place < len(words) and words[place] == words[place - size]:
                run += 1
                continue
            if run >= size:
                start = place - run - size
                found.append(Repetition(start, size, run // size + 1))
            run = 0
    return found


def without_loops(text: str) -> str:
    """The text with every phrase that stands more than three times in a row standing once.

    Spaces become single ones. A loop is cut where words are written apart; of others the run of
    characters is.
    """
    words = [word for word in _PIECE.split(text.strip()) if word]
    if len(words) < 4:
        return _cut_characters(text)
    while True:
        bare = [word.lower().strip(".,;:!?") for word in words]
        longer = [each for each in repetitions(bare) if each.times > _TIMES]
        if not longer:
            return _cut_characters(" ".join(words))
        first = max(longer, key=lambda each: each.times * each.words)
        words = (
            words[: first.start + first.words] + words[first.start + first.words * first.times :]
        )


def _cut_characters(text: str) -> str:
    return re.sub(r"([^\s\d]{1,8}?)\1{3,}", r"\1", text)
