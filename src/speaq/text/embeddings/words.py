"""Texts as words and numbers, for learning vectors from."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from speaq.core.errors import DataError
from speaq.core.files import digest
from speaq.text.segmentation import segmenter

LONGEST = 10_000
"""Words of the longest piece; gensim leaves out what is beyond."""


class Words:
    """The words of each text, in lower case, made anew each time; long texts come in pieces.

    Args:
        texts: gone through several times; an iterator that cannot be is kept in memory.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(texts) if isinstance(texts, Iterator) else texts

    def __iter__(self) -> Iterator[list[str]]:
        cut = segmenter()
        for text in self.texts:
            words = cut.words(text.lower())
            for start in range(0, len(words), LONGEST):
                yield words[start : start + LONGEST]


@dataclass(frozen=True)
class Vocabulary:
    """The words that get vectors, commonest first, and how often each occurred."""

    words: tuple[str, ...]
    counts: np.ndarray
    """(V,) int64."""
    pieces: int
    """Lists of words that were counted."""
    total: int
    """Words that were counted, rare ones included."""

    def fingerprint(self) -> str:
        """A digest of the words and counts."""
        return digest("\n".join(self.words), self.counts.tobytes(), str(self.total))


def count_words(words: Iterable[list[str]], min_count: int, most: int = 0) -> Vocabulary:
    """Count; keep words that occur `min_count` times, at most the `most` commonest (0: all).

    Equally common words are in the order of the alphabet, so that the same texts in another order
    give the same vocabulary.

    Raises:
        DataError: no word is common enough.
    """
    counts: Counter[str] = Counter()
    pieces = 0
    for some in words:
        counts.update(some)
        pieces += 1
    kept = sorted(
        ((word, count) for word, count in counts.items() if count >= min_count),
        key=lambda each: (-each[1], each[0]),
    )
    if not kept:
        raise DataError(
            f"none of the {len(counts)} words occurs {min_count} times; use more texts or a "
            "smaller min_count.",
            f"{len(counts)} 个词中没有出现 {min_count} 次的；请增加文本或减小 min_count。",
        )
    kept = kept[: most or None]
    return Vocabulary(
        tuple(word for word, _ in kept),
        np.array([count for _, count in kept], np.int64),
        pieces,
        counts.total(),
    )
