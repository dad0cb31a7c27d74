"""From scores of letters to the best text: prefix beam search for CTC (Hannun et al. 2014).

    score(text) = ln P_ctc(text | sound) + weight · ln P_ngrams(text) + bonus · |text|

P_ctc sums over all ways to spread a text's letters over the rows, so a prefix carries two
probabilities: that it ends in a blank, and that it ends in its last letter.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speaq.apps.transcribe.acoustic import BLANK
from speaq.apps.transcribe.ngrams import END, NGrams
from speaq.core.settings import require

_NEVER = -math.inf
_LIKELY = math.log(1e-4)
"""Letters below this are not tried in a row."""


@dataclass(frozen=True)
class BeamSettings:
    """How the best text is looked for."""

    width: int = 16
    """Prefixes kept after each row."""
    weight: float = 0.5
    """Of the n-grams against the sound; 0: none."""
    bonus: float = 0.5
    """For each letter, as every letter costs the n-grams something."""

    def __post_init__(self) -> None:
        rules = {
            "width": (self.width >= 1, "≥ 1"),
            "weight": (self.weight >= 0, "≥ 0"),
        }
        require("beam", self, rules)


@dataclass
class _Prefix:
    blank: float = _NEVER
    """ln of all ways that end in a blank."""
    letter: float = _NEVER
    """ln of all ways that end in the last letter."""
    rows: tuple[int, ...] = ()
    """The row in which each letter began."""
    spelt: float = 0.0
    """What n-grams and bonus give."""

    @property
    def sound(self) -> float:
        return _added(self.blank, self.letter)


@dataclass(frozen=True)
class Spelt:
    """A text found in scores."""

    text: str
    rows: tuple[int, ...] = field(default=())
    """Of each letter, the row it began in."""
    score: float = 0.0
    """See above; natural logarithm."""


def best_path(scores: NDArray[np.float32], letters: str) -> Spelt:
    """The best letter of each row, repetitions and blanks taken out: scores (T, letters + 1)."""
    rows = scores.argmax(1)
    begins = [
        row
        for row, letter in enumerate(rows)
        if letter != BLANK and (row == 0 or letter != rows[row - 1])
    ]
    text = "".join(letters[rows[row] - 1] for row in begins)
    return Spelt(text, tuple(begins), float(scores.max(1).sum()))


def beam_search(
    scores: NDArray[np.float32], letters: str, settings: BeamSettings, ngrams: NGrams | None = None
) -> list[Spelt]:
    """The best texts, best first: scores (T, letters + 1) natural logarithms."""
    beam: dict[str, _Prefix] = {"": _Prefix(blank=0.0)}
    model = ngrams if settings.weight else None
    for row, found in enumerate(scores):
        grown: dict[str, _Prefix] = {}
        tried = [int(each) for each in np.flatnonzero(found > _LIKELY) if each != BLANK]
        for text, prefix in beam.items():
            _stay(grown, text, prefix, found, letters)
            for letter in tried:
                _grow(grown, text, prefix, letters[letter - 1], float(found[letter]), row)
        for text, prefix in grown.items():
            if text not in beam:
                before = beam[text[:-1]].spelt
                prefix.spelt = before + _worth(text, settings, model)
            else:
                prefix.spelt = beam[text].spelt
        ranked = sorted(grown.items(), key=lambda each: -(each[1].sound + each[1].spelt))
        beam = dict(ranked[: settings.width])
    made = [
        Spelt(text, prefix.rows, prefix.sound + prefix.spelt + _ending(text, settings, model))
        for text, prefix in beam.items()
    ]
    return sorted(made, key=lambda each: -each.score)


def _stay(
    grown: dict[str, _Prefix], text: str, prefix: _Prefix, found: NDArray[np.float32], letters: str
) -> None:
    """The same text after one more row: a blank, or the last letter still sounding."""
    same = _in(grown, text)
    _follow(same, prefix.rows, prefix.sound + float(found[BLANK]))
    same.blank = _added(same.blank, prefix.sound + float(found[BLANK]))
    if text:
        last = float(found[letters.index(text[-1]) + 1])
        same.letter = _added(same.letter, prefix.letter + last)


def _grow(
    grown: dict[str, _Prefix], text: str, prefix: _Prefix, letter: str, score: float, row: int
) -> None:
    """One letter more. The same letter twice needs a blank in between."""
    before = prefix.blank if text.endswith(letter) else prefix.sound
    longer = _in(grown, text + letter)
    _follow(longer, (*prefix.rows, row), before + score)
    longer.letter = _added(longer.letter, before + score)


def _in(grown: dict[str, _Prefix], text: str) -> _Prefix:
    return grown.setdefault(text, _Prefix())


def _follow(prefix: _Prefix, rows: tuple[int, ...], score: float) -> None:
    """Times are those of the likelier way here."""
    if not prefix.rows or score > prefix.sound:
        prefix.rows = rows


def _worth(text: str, settings: BeamSettings, ngrams: NGrams | None) -> float:
    spelt = ngrams.log_probability(text[-1], text[:-1]) if ngrams else 0.0
    return settings.weight * spelt + settings.bonus


def _ending(text: str, settings: BeamSettings, ngrams: NGrams | None) -> float:
    return settings.weight * ngrams.log_probability(END, text) if ngrams else 0.0


def _added(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    if one < other:
        one, other = other, one
    return one if other == _NEVER else one + math.log1p(math.exp(other - one))
