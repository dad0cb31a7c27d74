"""Glossary terms in a translation: where the model said otherwise, its words are replaced.

A translation is kept but for the words that the terms replace: those that owe most to the term's
own words in the source (`aligning.py`). To ask instead where the model finds the term likeliest
finds the wrong place often, for a word that it would not say is unlikely everywhere; and
constrained beam search lets the rest of the sentence change as well. Of the model's best
translations the one is taken that says what the terms say.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from speaq.apps.translate.texts.languages import UNSPACED
from speaq.apps.translate.translating import Direction, Hypothesis, confidence, mean_probability
from speaq.apps.translate.wording.aligning import Aligned, aligned, words_of
from speaq.apps.translate.wording.glossary import Match
from speaq.apps.translate.wording.terms import find, stemmed
from speaq.text.segmentation import Place

_SIGN = re.compile(r"[^\w\s'’-]")
"""What no term reaches over."""
_SHARE = 0.5
"""Of what the best word owes: words beside it that owe so much are replaced with it."""
_CHOICES = 3
"""Inflections that are tried of a term."""
_ENOUGH = 3.0
"""What a word may owe to a term, in nats; more says no more."""
_WEIGHT = 0.3
"""Of what is owed, beside the mean log-probability of a translation's tokens."""


@dataclass(frozen=True)
class Forced:
    """A translation with its terms."""

    text: str
    confidence: float
    honoured: tuple[bool, ...]
    """For each match, in order."""
    of: Hypothesis
    """What it was made of."""


@dataclass(frozen=True)
class _Plan:
    """Where terms go in a translation."""

    places: tuple[tuple[Place, Match], ...]
    """What each replaces; not those that stand already."""
    owed: float
    """Mean over the terms, in nats."""


def force(
    direction: Direction, source: str, hypotheses: Sequence[Hypothesis], matches: Sequence[Match]
) -> Forced:
    """The translation of `source` with every term of the glossary.

    Args:
        direction: what translates.
        source: a sentence.
        hypotheses: its translations without the glossary, best first.
        matches: the terms in it.
    """
    matches = _with_choices(matches)
    first = hypotheses[0]
    if all(_honoured(first.text, matches, direction.target)):
        return Forced(first.text, confidence(first), (True,) * len(matches), first)
    texts = [each.text for each in hypotheses]
    plans = [
        _planned(text, each, matches, direction.target)
        for text, each in zip(texts, aligned(direction, source, texts, matches), strict=True)
    ]
    worth = [each.score + _WEIGHT * plan.owed for each, plan in zip(hypotheses, plans, strict=True)]
    chosen = max(range(len(plans)), key=worth.__getitem__)
    best, plan = hypotheses[chosen], plans[chosen]
    said, certain = best.text, confidence(best)
    # From the right to the left, so that places stay where they are.
    for place, match in sorted(plan.places, key=lambda each: each[0], reverse=True):
        said, certain = _likeliest(direction, source, said, [place], match)
    for number, match in enumerate(matches):
        if not _honoured(said, matches[: number + 1], direction.target)[-1]:
            words = words_of(said, direction.target)
            gaps = [(start, start) for start, _ in words] or [(0, len(said))]
            said, certain = _likeliest(direction, source, said, gaps, match)
    return Forced(said, certain, _honoured(said, matches, direction.target), best)


def _with_choices(matches: Sequence[Match]) -> list[Match]:
    """Which of two places is filled first is chance: both may take any of the term's
    inflections."""
    return [
        replace(
            match,
            choices=max((each.choices for each in matches if each.term == match.term), key=len),
        )
        for match in matches
    ]


def _planned(text: str, found: Aligned, matches: Sequence[Match], target: str) -> _Plan:
    """Each term in place of the word that owes most to it; the surest terms choose first."""
    standing = {
        term: find(stemmed(term, target), stemmed(text, target))
        for term in {match.term.target for match in matches}
    }
    taken = {
        number
        for places in standing.values()
        for start, end in places
        for number, word in enumerate(found.words)
        if word[0] < end and word[1] > start
    }
    places: list[tuple[Place, Match]] = []
    total = 0.0
    order = sorted(range(len(matches)), key=lambda n: max(found.owed[n], default=0.0), reverse=True)
    for number in order:
        match, owed = matches[number], found.owed[number]
        free = [each for each in range(len(found.words)) if each not in taken]
        if standing[match.term.target]:
            standing[match.term.target].pop()
            total += _ENOUGH
        elif free:
            word = max(free, key=owed.__getitem__)
            first, last = _reach(text, found.words, owed, word, free)
            taken.update(range(first, last + 1))
            places.append(((found.words[first][0], found.words[last][1]), match))
            total += min(_ENOUGH, max(0.0, owed[word]))
    return _Plan(tuple(places), total / len(matches))


def _reach(
    text: str, words: Sequence[Place], owed: Sequence[float], best: int, free: Sequence[int]
) -> tuple[int, int]:
    """The first and the last of the words around the best that owe nearly as much: a term may have
    become several."""
    first = last = best
    least = _SHARE * owed[best]
    while first - 1 in free and owed[first - 1] >= least > 0:
        if _SIGN.search(text[words[first - 1][1] : words[first][0]]):
            break
        first -= 1
    while last + 1 in free and owed[last + 1] >= least > 0:
        if _SIGN.search(text[words[last][1] : words[last + 1][0]]):
            break
        last += 1
    return first, last


def _honoured(text: str, matches: Sequence[Match], target: str) -> tuple[bool, ...]:
    """Of each match whether its term stands there; of a term that stands too seldom the last
    matches are those without it."""
    have = Counter({match.term.target: count(text, match, target) for match in matches})
    said = []
    for match in matches:
        said.append(have[match.term.target] > 0)
        have[match.term.target] -= 1
    return tuple(said)


def count(text: str, match: Match, target: str) -> int:
    """How often a term's translation stands in a text, whatever its ending."""
    return len(find(stemmed(match.term.target, target), stemmed(text, target)))


def _likeliest(
    direction: Direction, source: str, said: str, places: Sequence[Place], match: Match
) -> tuple[str, float]:
    """The text with a term at one of the places, in the likeliest of its inflections."""
    texts = [
        _placed(said, *place, choice, direction.target)
        for choice in match.choices[:_CHOICES]
        for place in places
    ]
    scored = direction.logprobs([source] * len(texts), texts)
    totals = [sum(each) for each in scored]
    best = max(range(len(texts)), key=totals.__getitem__)
    return texts[best], mean_probability(scored[best])


def _placed(said: str, start: int, end: int, term: str, target: str) -> str:
    gap = " " if start == end and target not in UNSPACED else ""
    return f"{said[:start]}{_cased(term, said[start:], start)}{gap}{said[end:]}"


def _cased(term: str, replaced: str, start: int) -> str:
    """A term that begins the sentence is written large if what it replaces is."""
    if start == 0 and replaced[:1].isupper() and term[:1].islower():
        return term[0].upper() + term[1:]
    return term
