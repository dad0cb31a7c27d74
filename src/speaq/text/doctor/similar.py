"""Texts that are the same, or almost: duplicates and near-duplicates.

Duplicates are equal once width, case, white space and the punctuation at both ends are left out.
Near-duplicates share most of their character n-grams (Jaccard similarity) and name the same
numbers: two orders that differ in the sum are two orders.

The search is exact, not sampled. Two sets of n elements or fewer with similarity t or more share at
least l among the rarest ``n - ceil(t n) + l`` of each (Chaudhuri, Ganti and Kaushik 2006, "A
primitive operator for similarity joins", with l = 1; Wang, Li and Feng 2012, "Can we beat the
prefix filtering?", for any l), so only texts that meet there so often are compared. Here l grows
with n.
"""

import functools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speaq.text.units import HAN

_HAN = re.compile(f"[{HAN}]")
_DIGITS = re.compile(r"\d+")
_EDGES = " .,;:!?…。，；：！？、\"'“”‘’「」()（）-—~～"
_FEWEST = 8
"""Texts of fewer n-grams have no near-duplicates: there, every word counts."""
_PER_MEETING = 10
"""Texts have to meet once for so many n-grams of the shorter one before they are compared."""


class Near(NamedTuple):
    """Two texts by their places in the list, the first one earlier, and how alike they are."""

    first: int
    second: int
    similarity: float


@functools.lru_cache(maxsize=1024)
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
    long_enough = [place for place, each in enumerate(ordered) if len(each) >= _FEWEST]
    # A later text is at least as long: what it meets are the shorter ones.
    places = sorted(long_enough, key=lambda place: len(ordered[place]))
    for later, met in _meetings([ordered[place] for place in places], threshold):
        two = places[later]
        for earlier in met:
            one = places[earlier]
            if numbers[one] != numbers[two]:
                continue
            alike = min(map(jaccard, sides[one], sides[two]), default=0.0)
            if alike >= threshold:
                yield Near(min(one, two), max(one, two), alike)


def _meetings(
    sets: Sequence[NDArray[np.int64]], threshold: float
) -> Iterator[tuple[int, list[int]]]:
    """Yield, for each set, the earlier ones that it may be alike to.

    Args:
        sets: elements by rarity, shorter sets first.
        threshold: the least similarity.
    """
    sizes = np.array([len(each) for each in sets], dtype=np.int64)
    needed = np.maximum(1, sizes // _PER_MEETING)
    kept = np.minimum(sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + needed, sizes)
    if not len(sets):
        return
    elements = np.concatenate([each[:count] for each, count in zip(sets, kept, strict=True)])
    owners = np.repeat(np.arange(len(sets)), kept)
    # Where each element's owners stand together, the earlier ones are those before oneself.
    order = np.lexsort((owners, elements))
    owners, elements = owners[order], elements[order]
    begins = np.searchsorted(elements, elements, side="left")
    spots = np.empty_like(order)
    spots[order] = np.arange(len(order))
    starts = np.cumsum(kept) - kept
    shortest = np.searchsorted(sizes, threshold * sizes - 1e-9, side="left")
    for later in range(len(sets)):
        mine = spots[starts[later] : starts[later] + kept[later]]
        met = np.concatenate([owners[begins[spot] : spot] for spot in mine])
        found, times = np.unique(met[met >= shortest[later]], return_counts=True)
        yield later, found[times >= needed[found]].tolist()


def _by_rarity(sides: Sequence[Sequence[set[str]]]) -> list[NDArray[np.int64]]:
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
    return [
        np.sort(np.fromiter((rank[each] for each in elements), np.int64, len(elements)))
        for elements in tagged
    ]


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
