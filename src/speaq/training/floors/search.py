"""The floor of search: BM25 (Robertson and Zaragoza 2009) over words, or Chinese characters.

Chinese is cut into single characters and pairs of them: a whole clause as one word, which is what
the common tools make of it, finds next to nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from speaq.core.errors import DataError
from speaq.text.stemming import stems
from speaq.text.units import HAN, units
from speaq.training.floors.extra import classic

_HAN = re.compile(f"[{HAN}]")


class Hit(NamedTuple):
    """A text that was found."""

    place: int
    score: float


def search_terms(text: str) -> list[str]:
    """What a text is found by: stems of words, Chinese characters, and pairs of characters that
    stand side by side."""
    found = units(text)
    plain = iter(stems([unit for unit in found if not _HAN.fullmatch(unit)]))
    terms = [unit if _HAN.fullmatch(unit) else next(plain) for unit in found]
    pairs = [
        first + second
        for first, second in pairwise(text)
        if _HAN.fullmatch(first) and _HAN.fullmatch(second)
    ]
    return terms + pairs


@dataclass
class Index:
    """Texts that can be searched."""

    engine: Any
    known: frozenset[str]
    count: int

    def search(self, query: str, best: int = 5) -> list[Hit]:
        """The best texts for a query, best first; fewer where fewer share a term with it."""
        terms = [term for term in search_terms(query) if term in self.known]
        if not terms:
            return []
        scores = np.asarray(self.engine.get_scores(terms))
        order = np.argsort(-scores, kind="stable")[:best]
        return [Hit(int(place), float(scores[place])) for place in order if scores[place] > 0]


def index(texts: Sequence[str], *, k1: float = 1.5, b: float = 0.75) -> Index:
    """Make texts searchable.

    Raises:
        DataError: no text holds a word.
        SettingsError: the extra `classic` is missing.
    """
    terms = [search_terms(text) for text in texts]
    known = frozenset(term for each in terms for term in each)
    if not known:
        raise DataError("no text holds a word.", "所有文本都不含词。")
    engine = classic("bm25s").BM25(k1=k1, b=b)
    engine.index(terms, show_progress=False)
    return Index(engine, known, len(texts))
