"""Texts that are the same, or almost: duplicates and near-duplicates.

Duplicates are equal once width, case, white space and the punctuation at both ends are left out.
Near-duplicates share most of their character n-grams (Jaccard similarity) and name the same
numbers: two orders that differ in the sum are two orders.

The search is exact, not sampled. Two sets with similarity t or more share an element among the
rarest ``n - ceil(t n) + 1`` of each (Chaudhuri, Ganti and Kaushik 2006, "A primitive operator for
similarity joins", the prefix filter), so only texts that meet there are compared.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from speaq.text.units import HAN

_HAN = re.compile(f"[{HAN}]")
_DIGITS = re.compile(r"\d+")
_EDGES = " .,;:!?…。，；：！？、\"'“”‘’「」()（）-—~～"
_FEWEST = 8
"""Texts of fewer n-grams have no near-duplicates: there, every word counts."""


class Near(NamedTuple):
    """Two texts by their places in the list, the first one earlier, and how alike they are."""

    first: int
    second: int
    similarity: float


def folded(text: str) -> str:
    """A text without width, case, runs of white space and the punctuation at its ends."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return plain.strip(_EDGES) or plain


def key(fields: Iterable[str]) -> str:
    """Equal for examples that are duplicates."""
    return "\x1f".join(map(folded, fields))


def shingles(text: str) -> set[str]:
    """The character trigrams of a folded text; bigrams where it is mostly Chinese."""
    text = folded(text)
    size = 2 if 2 * len(_HAN.findall(text)) > len(text) else 3
    return {text[n : n + size] for n in range(max(1, len(text) - size + 1))}


def jaccard(one: set[str], two: set[str]) -> float:
    """The share of elements that both sets have; 1 for two empty ones."""
    either = len(one | two)
    return len(one & two) / either if either else 1.0


def near_pairs(items: Sequence[Sequence[str]], threshold: float) -> Iterator[Near]:
    """Yield all pairs of near-duplicates.

    Args:
        items: the fields of each example, as many for all. Each field has to be alike.
        threshold: the least Jaccard similarity of every field, above 0.
    """
    numbers = [tuple(_DIGITS.findall("\x1f".join(fields))) for fields in items]
    sides = [[shingles(field) for field in fields] for fields in items]
    ordered = _by_rarity(sides)
    index: dict[int, list[int]] = defaultdict(list)
    for place in sorted(range(len(items)), key=lambda n: len(ordered[n])):
        elements = ordered[place]
        if len(elements) < _FEWEST:
            continue
        prefix = elements[: len(elements) - math.ceil(threshold * len(elements)) + 1]
        for other in set(chain.from_iterable(index.get(each, ()) for each in prefix)):
            if len(ordered[other]) < threshold * len(elements) or numbers[other] != numbers[place]:
                continue
            alike = min(map(jaccard, sides[place], sides[other]), default=0.0)
            if alike >= threshold:
                yield Near(min(place, other), max(place, other), alike)
        for each in prefix:
            index[each].append(place)


def _by_rarity(sides: Sequence[Sequence[set[str]]]) -> list[list[int]]:
    """The elements of each example as numbers, rare ones first; a field's are its own.

    Where every field is alike, so are these together: the sums of what is shared and of what is
    there keep their ratio.
    """
    tagged = [
        [(side, each) for side, elements in enumerate(fields) for each in elements]
        for fields in sides
    ]
    counts = Counter(chain.from_iterable(tagged))
    # Ties are broken by the element, so that the order is one for all.
    rank = {each: n for n, each in enumerate(sorted(counts, key=lambda e: (counts[e], e)))}
    return [sorted(rank[each] for each in elements) for elements in tagged]


class Clusters:
    """Groups of places, joined two by two (union-find)."""

    def __init__(self, count: int) -> None:
        self._up = list(range(count))

    def find(self, place: int) -> int:
        """The place that stands for the group of `place`."""
        while self._up[place] != place:
            self._up[place] = self._up[self._up[place]]
            place = self._up[place]
        return place

    def join(self, one: int, two: int) -> None:
        """Make the groups of two places one; the earlier place stands for it."""
        one, two = self.find(one), self.find(two)
        self._up[max(one, two)] = min(one, two)

    def groups(self) -> list[list[int]]:
        """The groups in order of their first places."""
        found: dict[int, list[int]] = defaultdict(list)
        for place in range(len(self._up)):
            found[self.find(place)].append(place)
        return list(found.values())
