"""Drawing in proportion to priorities that keep changing.

A sum tree finds the leaf at a given place of the running total without adding up all leaves
(Schaul et al. 2016, appendix B.2.1). Nodes here have 64 children, not two: a call of numpy costs
as much as some hundred additions, so few wide levels serve a batch sooner than many narrow ones.
What is above the last full level is short enough to be added up anew for every batch.

Every node is the sum of its children, made afresh whenever one of them changes, never a sum that
differences were added to. So rounding does not pile up, and a tree made from the same priorities
is the same tree bit for bit, whatever its history.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH = 64
"""Children of a node."""

TOP = 4096
"""Nodes above which another level is worth while."""

_SHIFT = WIDTH.bit_length() - 1


class SumTree:
    """N priorities ≥ 0 in float64; a leaf of priority 0 is never found.

    Args:
        priorities: (N,) of the leaves there are at first; `append` adds more.

    Raises:
        ValueError: a priority that is negative or not finite, here and wherever one is given.
    """

    def __init__(self, priorities: ArrayLike = ()) -> None:
        first = _checked(priorities)
        self._count = len(first)
        self._levels: list[NDArray[np.float64]] = []
        self._least = np.empty(0)
        self._build(first, len(first))

    def __len__(self) -> int:
        return self._count

    @property
    def priorities(self) -> NDArray[np.float64]:
        """(N,) a copy."""
        return self._levels[0].reshape(-1)[: self._count].copy()

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(self._levels[-1].sum())

    @property
    def least(self) -> float:
        """The smallest priority above 0; infinite if there is none."""
        return float(self._least.min(initial=np.inf))

    def append(self, priorities: ArrayLike) -> None:
        """Add leaves behind those there are. Room is doubled when it runs out."""
        new = _checked(priorities)
        start, self._count = self._count, self._count + len(new)
        if self._count > self._levels[0].size:
            old = self._levels[0].reshape(-1)[:start]
            self._build(np.concatenate([old, new]), 2 * self._count)
        elif len(new):
            self._set(np.arange(start, self._count), new)

    def update(self, indices: NDArray[np.int64], priorities: ArrayLike) -> None:
        """Give the leaves `indices` (B,) new priorities (B,); of equal indices the last one wins.

        Raises:
            IndexError: no such leaf.
        """
        new = _checked(priorities)
        if len(indices):
            self._require(indices)
            self._set(indices, new)

    def at(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """(B,) the priorities of the leaves `indices` (B,)."""
        self._require(indices)
        return self._levels[0].reshape(-1)[indices]

    def find(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """The leaf in which each place of the running total lies: (B,) -> (B,).

        Leaf i covers the places from the sum of the priorities before it up to, and without, that
        sum plus its own. Places at or beyond the total count as the last one before it.

        Raises:
            ValueError: all priorities are 0.
        """
        top = self._levels[-1]
        running = np.zeros(len(top) + 1)
        top.cumsum(out=running[1:])
        if running[-1] == 0:
            raise ValueError("nothing can be found where every priority is 0")
        inside = np.minimum(places, np.nextafter(running[-1], 0))
        nodes = running.searchsorted(inside, side="right") - 1
        inside = inside - running[nodes]
        for level in self._levels[-2::-1]:
            sums = level[nodes].cumsum(axis=1)  # (B, WIDTH)
            # Rounding may leave a place a hair outside its node; it stays within.
            inside = np.minimum(inside, np.nextafter(sums[:, -1], 0))
            child = (sums > inside[:, None]).argmax(axis=1)
            if level is not self._levels[0]:
                before = sums[np.arange(len(child)), child - 1]
                inside = inside - np.where(child > 0, before, 0.0)
            nodes = nodes * WIDTH + child
        return nodes

    def draw(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """B leaves, each found from one of B equal strips of the total: (B,) in [0, 1) -> (B,).

        Every leaf is expected B · priority / total times, as in independent draws, and the number
        varies less.
        """
        strips = np.arange(len(uniforms)) + uniforms
        return self.find(strips * (self.total / max(1, len(uniforms))))

    def _build(self, priorities: NDArray[np.float64], room: int) -> None:
        rows = -(-max(1, room) // WIDTH)
        leaves = np.zeros((rows, WIDTH))
        leaves.reshape(-1)[: len(priorities)] = priorities
        self._levels = [leaves]
        self._least = _least(leaves)
        sums = leaves.sum(axis=1)
        while len(sums) > TOP:
            level = np.zeros((-(-len(sums) // WIDTH), WIDTH))
            level.reshape(-1)[: len(sums)] = sums
            self._levels.append(level)
            sums = level.sum(axis=1)
        self._levels.append(sums)

    def _set(self, indices: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        self._levels[0].reshape(-1)[indices] = priorities
        nodes = indices
        for below, above in zip(self._levels, self._levels[1:], strict=False):
            nodes = nodes >> _SHIFT
            children = below[nodes]
            above.reshape(-1)[nodes] = children.sum(axis=1)
            if below is self._levels[0]:
                self._least[nodes] = _least(children)

    def _require(self, indices: NDArray[np.int64]) -> None:
        if len(indices) and not 0 <= indices.min() <= indices.max() < self._count:
            raise IndexError(f"the tree has leaves 0 to {self._count - 1}")


def _least(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest number above 0 of each row, infinite where there is none: (R, WIDTH) -> (R,)."""
    least: NDArray[np.float64] = np.where(rows > 0, rows, np.inf).min(axis=1)
    return least


def _checked(priorities: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(priorities, np.float64).reshape(-1)
    if len(values) and not (values.min() >= 0 and values.max() < np.inf):
        raise ValueError("priorities are finite numbers from 0")
    return values
