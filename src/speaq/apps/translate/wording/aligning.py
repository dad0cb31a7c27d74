"""Which words of a translation stand for a term of its source: those that the model would not have
written had the term not been there.

The translation is scored once more with the term cut out of the source. What each word loses by
that, in nats, is what it owes to the term. It needs nothing of a model but its probabilities.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from speaq.apps.translate.translating import Direction
from speaq.apps.translate.wording.glossary import Match
from speaq.text.segmentation import Place, segmenter
from speaq.text.stop_words import stop_words
from speaq.text.units import HAN

_WORD = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:[-'’][^\W_{HAN}]+)*")


@dataclass(frozen=True)
class Aligned:
    """The words of a translation and what they owe to terms."""

    words: tuple[Place, ...]
    """Where each begins and ends."""
    owed: tuple[tuple[float, ...], ...]
    """To each match, what each word owes; -inf of words that only build the sentence."""


def aligned(
    direction: Direction, source: str, translations: Sequence[str], matches: Sequence[Match]
) -> list[Aligned]:
    """The words of each translation of `source`, and what they owe to each match."""
    sources = [source, *(_without(source, match) for match in matches)]
    asked = [(one, said) for said in translations for one in sources]
    scored = iter(direction.logprobs([one for one, _ in asked], [said for _, said in asked]))
    made = []
    for said, ends in zip(translations, direction.ends(translations), strict=True):
        words = words_of(said, direction.target)
        whole, *less = (_shares(next(scored), ends, words) for _ in sources)
        counts = [_means(said[start:end], direction.target) for start, end in words]
        owed = (
            tuple(
                a - b if counted else -math.inf
                for a, b, counted in zip(whole, each, counts, strict=True)
            )
            for each in less
        )
        made.append(Aligned(tuple(words), tuple(owed)))
    return made


def words_of(text: str, language: str) -> list[Place]:
    """Where the words of a text stand; in Chinese, as a segmenter cuts them."""
    if language == "zh":
        return segmenter().places(text)
    return [each.span() for each in _WORD.finditer(text)]


def _without(source: str, match: Match) -> str:
    return f"{source[: match.start].rstrip()} {source[match.end :].lstrip()}".strip()


def _shares(logprobs: Sequence[float], ends: Sequence[int], words: Sequence[Place]) -> list[float]:
    """The log-probability of each word: of the tokens that reach into it."""
    starts = [0, *ends]
    return [
        sum(
            logprob
            for logprob, first, last in zip(logprobs, starts, ends, strict=False)
            if first < end and last > start
        )
        for start, end in words
    ]


def _means(word: str, language: str) -> bool:
    """Whether a word says something of its own; no term becomes an article or the like."""
    if language == "en":
        return word.lower() not in stop_words("en")
    return language != "zh" or word not in stop_words("zh")
