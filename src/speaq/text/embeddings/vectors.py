"""Word vectors and what can be asked of them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from speaq.core.errors import DataError

Neighbour = tuple[str, float]
"""A word and how near it is."""
Method = Literal["add", "mul"]

_EPSILON = 1e-3
"""In 3CosMul, against division by zero; the paper's value."""


@dataclass(frozen=True)
class WordVectors:
    """V words and their vectors.

    Raises:
        DataError: words and rows do not match, a word occurs twice, or a number is not finite.
    """

    words: tuple[str, ...]
    matrix: np.ndarray
    """(V, D) float32."""
    counts: np.ndarray | None = None
    """(V,) How often each word occurred, where it is known."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How they were made."""

    def __post_init__(self) -> None:
        count = len(self.words)
        if self.matrix.ndim != 2 or len(self.matrix) != count:
            raise DataError(
                f"{count} words do not match vectors of shape {self.matrix.shape}.",
                f"{count} 个词与形状为 {self.matrix.shape} 的向量不符。",
            )
        if len(set(self.words)) < count:
            twice = next(word for word in self.words if self.words.count(word) > 1)
            raise DataError(f"the word '{twice}' occurs twice.", f"词“{twice}”重复出现。")
        if not np.isfinite(self.matrix).all():
            raise DataError(
                "the vectors hold numbers that are not finite.", "向量中含有非有限的数值。"
            )

    @property
    def size(self) -> int:
        """Numbers in a vector: D."""
        return int(self.matrix.shape[1])

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> np.ndarray:
        """(V, D) The vectors at length 1; a vector of zeros stays."""
        lengths = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return self.matrix / np.where(lengths > 0, lengths, 1)

    def __contains__(self, word: str) -> bool:
        return word in self._places

    def place(self, word: str) -> int:
        """The row of a word; if it is not known as written, of the word in lower case.

        Raises:
            DataError: an unknown word; suggests the nearest in spelling.
        """
        for written in (word, word.lower()):
            if written in self._places:
                return self._places[written]
        alike = [known for known in self.words if known[:1] == word[:1]]
        near = difflib.get_close_matches(word, alike, n=1)
        raise DataError(
            f"there is no vector for '{word}'" + (f"; did you mean '{near[0]}'?" if near else "."),
            f"没有“{word}”的向量" + (f"；是否想用“{near[0]}”？" if near else "。"),
        )

    def vector(self, word: str) -> np.ndarray:
        """(D,) The vector of a word.

        Raises:
            DataError: an unknown word.
        """
        row: np.ndarray = self.matrix[self.place(word)]
        return row

    def similarity(self, first: str, second: str) -> float:
        """The cosine of the angle between two words, from -1 to 1.

        Raises:
            DataError: an unknown word.
        """
        return float(self.unit[self.place(first)] @ self.unit[self.place(second)])

    def near(self, word: str, count: int = 10) -> list[Neighbour]:
        """The nearest other words by cosine, nearest first.

        Raises:
            DataError: an unknown word.
        """
        return self.near_all([word], count)[0]

    def near_all(self, words: Sequence[str], count: int = 10) -> list[list[Neighbour]]:
        """The same for many words, in products of matrices.

        Raises:
            DataError: an unknown word.
        """
        places = [self.place(word) for word in words]
        found = []
        step = max(1, (1 << 25) // max(1, len(self.words)))  # rows at once: 128 MB of scores
        for start in range(0, len(places), step):
            some = places[start : start + step]
            scores = self.unit[some] @ self.unit.T
            scores[np.arange(len(some)), some] = -np.inf
            found += [self._best(row, count) for row in scores]
        return found

    def near_vector(self, vector: np.ndarray, count: int = 10) -> list[Neighbour]:
        """The words nearest to a vector (D,) by cosine."""
        length = float(np.linalg.norm(vector)) or 1.0
        return self._best(self.unit @ (vector / length), count)

    def analogy(
        self, first: str, second: str, third: str, count: int = 1, method: Method = "mul"
    ) -> list[Neighbour]:
        """What is to `third` as `second` is to `first`: man, king, woman gives queen.

        Args:
            first: a.
            second: b.
            third: c; none of the three is an answer.
            count: so many answers, best first.
            method: `add` ranks by cos(x, b) - cos(x, a) + cos(x, c) (Mikolov et al. 2013; 3CosAdd
                on unit vectors), `mul` by cos(x, b) · cos(x, c) / (cos(x, a) + ε) with cosines
                moved to [0, 1] (3CosMul, Levy & Goldberg 2014, eq. 5).

        Raises:
            DataError: an unknown word.
        """
        places = [self.place(word) for word in (first, second, third)]
        a, b, c = self.unit[places] @ self.unit.T
        if method == "mul":
            a, b, c = (a + 1) / 2, (b + 1) / 2, (c + 1) / 2
            scores = b * c / (a + _EPSILON)
        else:
            scores = b - a + c
        scores[places] = -np.inf
        return self._best(scores, count)

    def mean(self, words: Iterable[str]) -> np.ndarray:
        """(D,) The mean of the vectors of those words that are known; zeros if none is."""
        rows = [self._places[word] for word in words if word in self._places]
        if not rows:
            return np.zeros(self.size, np.float32)
        mean: np.ndarray = self.matrix[rows].mean(axis=0)
        return mean

    def _best(self, scores: np.ndarray, count: int) -> list[Neighbour]:
        count = min(count, len(scores))
        some = np.argpartition(-scores, count - 1)[:count] if count else np.array([], int)
        # Equal scores come in the order of the words, whatever the partition did.
        order = some[np.lexsort((some, -scores[some]))]
        return [
            (self.words[place], float(scores[place])) for place in order if scores[place] > -np.inf
        ]
