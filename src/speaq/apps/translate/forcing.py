"""Glossary terms in a translation: where the model said otherwise, its words are replaced.

The model's own translation is kept but for the words that the term replaces. Which those are is
asked of the model: of all ways to put the term in place of up to three words, or between two, it
finds the right one likeliest, as what follows then still fits the source. (Constrained beam search,
the usual way, lets the rest of the sentence change as well, and small models lose by it.)
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from speaq.apps.translate.glossary import Match
from speaq.apps.translate.languages import UNSPACED
from speaq.apps.translate.terms import find, stemmed
from speaq.apps.translate.translating import Direction, Hypothesis, confidence
from speaq.text.units import HAN

_WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:[-'’][^\W_{HAN}]+)*")
_SIGN = re.compile(r"[.,;:!?，。；：！？]")
_REPLACED = 3
"""Words that a term may stand for."""


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
    for number, match in enumerate(matches):
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

    texts = [
        _placed(said, start, end, choice, direction.target)
        for start, end in _places(said)
        for choice in match.choices[:_CHOICES]
    ]
    return _likeliest(direction, source, [text for text in dict.fromkeys(texts) if fits(text)])


def _likeliest(
    direction: Direction, source: str, candidates: Sequence[str]
) -> tuple[str, float] | None:
    """The candidate that the model finds likeliest as the whole translation."""
    if not candidates:
        return None
    likely = direction.likelihood(source, candidates)
    return max(zip(candidates, likely, strict=True), key=lambda each: each[1])


def _places(said: str) -> list[tuple[int, int]]:
    """Where a term may go: in place of up to three words of a clause, or before one."""
    words = [each.span() for each in _WORD.finditer(said)]
    made = []
    for first, (start, _) in enumerate(words):
        made.append((start, start))
        for _, end in words[first : first + _REPLACED]:
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
