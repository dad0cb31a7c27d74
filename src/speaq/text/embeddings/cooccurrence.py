"""How often words stand near each other, counted in whole arrays."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

_AT_ONCE = 1 << 19
"""Words counted in one go; times the window, the pairs held in memory."""


@dataclass(frozen=True)
class Cooccurrences:
    """The non-zero entries of the co-occurrence matrix X, ordered by row and column.

    `values[n]` is X[rows[n], columns[n]]: the sum of 1/distance over all pairs of places at most a
    window apart where the two words stand, in either order. X is symmetric.
    """

    rows: np.ndarray
    """(N,) int64."""
    columns: np.ndarray
    """(N,) int64."""
    values: np.ndarray
    """(N,) float64."""


def cooccurrences(pieces: Iterable[np.ndarray], size: int, window: int) -> Cooccurrences:
    """Count.

    Args:
        pieces: texts as numbers of words from 0 to `size` - 1, without the words that have no
            vector; pairs across two pieces do not count.
        size: words: V.
        window: the largest distance that counts.
    """
    keys, values = np.empty(0, np.int64), np.empty(0)
    for tokens, owners in _blocks(pieces):
        found = [(keys, values)]
        for distance in range(1, min(window, len(tokens) - 1) + 1):
            together = owners[distance:] == owners[:-distance]
            first, second = tokens[:-distance][together], tokens[distance:][together]
            weight = np.full(len(first), 1.0 / distance)
            found += [(first * size + second, weight), (second * size + first, weight)]
        keys, values = _summed(*(np.concatenate(each) for each in zip(*found, strict=True)))
    return Cooccurrences(keys // size, keys % size, values)


def _blocks(pieces: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Many pieces as one array of words, and which piece each word is from."""
    held: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count >= _AT_ONCE:
            yield _block(held)
            held, count = [], 0
    if count:
        yield _block(held)


def _block(pieces: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = [len(piece) for piece in pieces]
    return np.concatenate(pieces).astype(np.int64), np.repeat(np.arange(len(pieces)), lengths)


def _summed(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each key once, in order, with the sum of its values."""
    if not len(keys):
        return keys, values
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[starts], np.add.reduceat(values[order], starts)
