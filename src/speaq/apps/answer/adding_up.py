"""Adding up BM25 over the postings of a question's terms, without touching what cannot win.

Rare terms are added up first, for all passages. What the common ones can still add is bounded by
their weights; where that cannot lift a passage among the best, its common terms are not looked at
(the idea of MaxScore: Turtle and Flood 1995). The best passages and their scores are exact.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Posting = tuple[NDArray[np.int32], NDArray[np.uint16], float]
"""Passages (P,) that hold a term, ascending; how often (P,); the term's weight."""

MANY = 20_000
"""Passages from which it pays to leave some out."""
_COMMON = 50
"""A term is common if more than one in so many passages holds it."""


def best_scores(
    postings: Sequence[Posting],
    floor: NDArray[np.float32],
    alive: NDArray[np.bool_] | None,
    best: int,
    many: int = MANY,
) -> NDArray[np.float32]:
    """Scores (N,) in which the `best` highest are right; others may be too low.

    Args:
        postings: of the question's terms.
        floor: k1 (1 - b + b l / average) of each passage, (N,).
        alive: passages (N,) that count; None: all.
        best: how many are wanted.
        many: passages from which some are left out.
    """
    size = len(floor)
    scores = np.zeros(size, np.float32)
    ordered = sorted(postings, key=lambda each: len(each[0]))
    limit = size // _COMMON if size >= many else size
    rare = [each for each in ordered if len(each[0]) <= limit]
    for places, counts, weight in rare:
        held = np.asarray(counts, np.float32)
        scores[places] += weight * held / (held + floor[places])
    if alive is not None:
        scores[~alive] = 0
    common = ordered[len(rare) :]
    if not common:
        return scores
    least = best_of(scores, best)
    # A count never adds more than its term's weight; the last bit is for rounding.
    open_to = least - 1.0001 * sum(weight for *_, weight in common)
    if open_to > 0:
        _add_to(np.flatnonzero(scores >= open_to), scores, common, floor)
        return scores
    for places, counts, weight in common:
        held = np.asarray(counts, np.float32)
        scores[places] += weight * held / (held + floor[places])
    if alive is not None:
        scores[~alive] = 0
    return scores


def best_of(scores: NDArray[np.float32], best: int) -> float:
    """The `best`-th highest score; 0 where fewer are above 0."""
    # Most are 0, and partitioning is slow among so many equals.
    above = scores[scores > 0]
    return float(np.partition(above, -best)[-best]) if len(above) >= best else 0.0


def _add_to(
    chosen: NDArray[np.intp],
    scores: NDArray[np.float32],
    postings: Sequence[Posting],
    floor: NDArray[np.float32],
) -> None:
    """Add terms to the scores of some passages only."""
    for places, counts, weight in postings:
        rows = np.minimum(np.searchsorted(places, chosen), len(places) - 1)
        here = np.asarray(places[rows]) == chosen
        held = np.asarray(counts[rows[here]], np.float32)
        scores[chosen[here]] += weight * held / (held + floor[chosen[here]])
