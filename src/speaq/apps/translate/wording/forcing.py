"""Glossary terms in a translation: where the model said otherwise, its words are replaced.

The model's own translation is kept but for the words that the term replaces. Which those are is
asked of the model: of all ways to put the term in place of a word or two, or between two, it finds
the right one likeliest, as what follows then still fits the source. Constrained beam search, the
usual way, lets the rest of the sentence change as well.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from speaq.apps.translate.texts.languages import UNSPACED
from speaq.apps.translate.translating import Direction, Hypothesis, confidence
from speaq.apps.translate.wording.glossary import Match
from speaq.apps.translate.wording.terms import find, stemmed
from speaq.text.units import HAN

_WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:[-'’][^\W_{HAN}]+)*")
_SIGN = re.compile(r"[.,;:!?，。；：！？]")
_REPLACED, _CHARACTERS = 2, 4
"""Words that a term may stand for; characters, in languages without spaces."""
_AHEAD = 6
"""Places that are tried with other inflections."""
_CHOICES = 3
"""Inflections that are tried of a term."""


@dataclass(frozen=True)
class Forced:
    """A translation with its terms."""

    text: str
    confidence: float
    honoured: tuple[bool, ...]
    """For each match, in order."""


def force(direction: Direction, source: str, best: Hypothesis, matches: Sequence[Match]) -> Forced:
    """The translation of `source` with every term of the glossary.

    Args:
        direction: what translates.
        source: a sentence.
        best: its translation without the glossary.
        matches: the terms in it.
    """
    said, certain = best.text, confidence(best)
    # Which of two places is filled first is chance: both may take any of the term's inflections.
    choices = {
        match.term.target: max(
            (each.choices for each in matches if each.term == match.term), key=len
        )
        for match in matches
    }
    for number, match in enumerate(matches):
        match = replace(match, choices=choices[match.term.target])
        needed = _needed(matches[: number + 1])
        if count(said, match, direction.target) < needed[match.term.target]:
            made = _with_term(direction, source, said, match, matches[: number + 1])
            if made is not None:
                said, certain = made
    left = _needed(matches)
    honoured = []
    for match in matches:
        have = count(said, match, direction.target)
        honoured.append(have >= left[match.term.target])
        # Of a term that stands too seldom the last matches are those without it.
        left[match.term.target] -= not honoured[-1]
    return Forced(said, certain, tuple(honoured))


def _needed(matches: Sequence[Match]) -> Counter[str]:
    """How often each term has to be there."""
    return Counter(match.term.target for match in matches)


def count(text: str, match: Match, target: str) -> int:
    """How often a term's translation stands in a text, whatever its ending."""
    return len(find(stemmed(match.term.target, target), stemmed(text, target)))


def _with_term(
    direction: Direction, source: str, said: str, match: Match, sofar: Sequence[Match]
) -> tuple[str, float] | None:
    """The likeliest text with the term, and how likely; None if none has all terms so far."""
    needed = _needed(sofar)

    def fits(text: str) -> bool:
        return all(
            count(text, each, direction.target) >= needed[each.term.target] for each in sofar
        )

    places = _places(said, direction.target)
    best: dict[str, float] = {}
    for number, choice in enumerate(match.choices[:_CHOICES]):
        texts = {_placed(said, *place, choice, direction.target): place for place in places}
        texts = {text: place for text, place in texts.items() if fits(text)}
        likely = dict(zip(texts, direction.likelihood(source, list(texts)), strict=True))
        best |= likely
        if number == 0:
            # Another ending is right or wrong in its place; where that is, any of them shows.
            ahead = sorted(likely, key=lambda text: -likely[text])[:_AHEAD]
            places = [texts[text] for text in ahead] or places
    return max(best.items(), key=lambda each: each[1], default=None)


def _places(said: str, target: str) -> list[tuple[int, int]]:
    """Where a term may go: in place of a few words of a clause, or before one."""
    words = [each.span() for each in _WORD.finditer(said)]
    most = _CHARACTERS if target in UNSPACED else _REPLACED
    made = []
    for first, (start, _) in enumerate(words):
        made.append((start, start))
        for _, end in words[first : first + most]:
            if _SIGN.search(said[start:end]):
                break
            made.append((start, end))
    return made or [(0, len(said))]


def _placed(said: str, start: int, end: int, term: str, target: str) -> str:
    gap = " " if start == end and target not in UNSPACED else ""
    return f"{said[:start]}{_cased(term, said[start:], start)}{gap}{said[end:]}"


def _cased(term: str, replaced: str, start: int) -> str:
    """A term that begins the sentence is written large if what it replaces is."""
    if start == 0 and replaced[:1].isupper() and term[:1].islower():
        return term[0].upper() + term[1:]
    return term
