"""Drawing in proportion to priorities that keep changing.

A sum tree finds the leaf at a given place of the running total without adding up all leaves
(Schaul et al. 2016, appendix B.2.1). Nodes here have 16 children, not two: a call of numpy costs
as much as some hundred additions, so few wide levels serve a batch sooner than many narrow ones.
What is above the last full level is short enough to be added up anew for every batch.

Every node is the sum of its children, made afresh whenever one of them changes, never a sum that
differences were added to. So rounding does not pile up, and a tree made from the same priorities
is the same tree bit for bit, whatever its history.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH = 16
"""Children of a node, a power of two."""

TOP = 512
"""Nodes above which another level is worth while."""

_INFINITY = np.float64(np.inf).view(np.uint64)


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
        # One product of matrices makes the running sums of a batch's nodes. Every column adds in
        # the same order, so a child of priority 0 leaves the sum as it was, to the bit.
        self._running = np.triu(np.ones((WIDTH, WIDTH)))
        self._shift = WIDTH.bit_length() - 1
        self._least: float | None = None
        self._levels = _levels(first, len(first))

    def __len__(self) -> int:
        return self._count

    @property
    def priorities(self) -> NDArray[np.float64]:
        """(N,) a copy."""
        return self._leaves.copy()

    @property
    def total(self) -> float:
        """The sum of all priorities."""
        return float(np.add.reduce(self._levels[-1]))

    @property
    def least(self) -> float:
        """The smallest priority above 0; infinite if there is none."""
        if self._least is None:
            leaves = self._leaves
            self._least = float(leaves[leaves > 0].min(initial=np.inf))
        return self._least

    def append(self, priorities: ArrayLike) -> None:
        """Add leaves behind those there are. Room is doubled when it runs out."""
        new = _checked(priorities)
        start, self._count = self._count, self._count + len(new)
        if self._count > self._levels[0].size:
            old = self._levels[0].reshape(-1)[:start]
            self._levels = _levels(np.concatenate([old, new]), 2 * self._count)
            self._least = None
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
        if len(indices):
            self._require(indices)
        return self._levels[0].reshape(-1).take(indices)

    def find(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """The leaf in which each place of the running total lies: (B,) -> (B,).

        Leaf i covers the places from the sum of the priorities before it up to, and without, that
        sum plus its own. Places at or beyond the total count as the last one before it.

        Raises:
            ValueError: all priorities are 0.
        """
        return self._find(places, self._ends())

    def _ends(self) -> NDArray[np.float64]:
        """0, and where each node of the top ends."""
        top = self._levels[-1]
        ends = np.zeros(len(top) + 1)
        np.add.accumulate(top, out=ends[1:])
        return ends

    def _find(self, places: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
        total = float(ends[-1])
        if total == 0:
            raise ValueError("nothing can be found where every priority is 0")
        inside = np.minimum(places, math.nextafter(total, 0))
        nodes: NDArray[np.int64] = ends.searchsorted(inside, side="right")
        nodes -= 1
        inside -= ends.take(nodes)
        for level in self._levels[-2::-1]:
            sums = level.take(nodes, axis=0) @ self._running  # (B, WIDTH)
            # Rounding may leave a place a hair outside its node; it stays within.
            np.minimum(inside, np.nextafter(sums[:, -1], 0), out=inside)
            child = (sums > inside[:, None]).argmax(axis=1)
            nodes *= WIDTH
            nodes += child
            if level is not self._levels[0]:
                before = sums.reshape(-1).take(np.arange(-1, sums.size - 1, WIDTH) + child)
                before[child == 0] = 0
                inside -= before
        return nodes

    def draw(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        """B leaves, each found from one of B equal strips of the total: (B,) in [0, 1) -> (B,).

        Every leaf is expected B · priority / total times, as in independent draws, and the number
        varies less.
        """
        ends = self._ends()
        places = np.arange(len(uniforms)) + uniforms
        places *= float(ends[-1]) / max(1, len(uniforms))
        return self._find(places, ends)

    @property
    def _leaves(self) -> NDArray[np.float64]:
        return self._levels[0].reshape(-1)[: self._count]

    def _set(self, indices: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        leaves = self._levels[0].reshape(-1)
        gone = leaves.take(indices)
        leaves[indices] = priorities
        if self._least is not None:
            # Read back, as of equal indices only the last one's priority stands. The least is
            # looked for anew, when asked, only once it may have been overwritten.
            come = float(np.minimum.reduce(leaves.take(indices)))
            kept = come > 0 and np.minimum.reduce(gone) > self._least
            self._least = min(self._least, come) if kept else None
        nodes = indices
        for below, above in zip(self._levels, self._levels[1:], strict=False):
            nodes = nodes >> self._shift
            above.reshape(-1)[nodes] = np.add.reduce(below.take(nodes, axis=0), axis=1)

    def _require(self, indices: NDArray[np.int64]) -> None:
        # Seen as unsigned, negative numbers are beyond every count.
        if np.maximum.reduce(indices.view(np.uint64)) >= self._count:
            raise IndexError(f"the tree has leaves 0 to {self._count - 1}")


def _levels(priorities: NDArray[np.float64], room: int) -> list[NDArray[np.float64]]:
    """The leaves in rows of WIDTH, rows of their sums, and so on up to a short list of sums."""
    sums = np.zeros(max(1, room))
    sums[: len(priorities)] = priorities
    levels: list[NDArray[np.float64]] = []
    while not levels or len(sums) > TOP:
        rows = np.zeros((-(-len(sums) // WIDTH), WIDTH))
        rows.reshape(-1)[: len(sums)] = sums
        levels.append(rows)
        sums = np.add.reduce(rows, axis=1)
    return [*levels, sums]


def _checked(priorities: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(priorities, np.float64).reshape(-1)
    # Seen as whole numbers, whatever is negative or not finite is at or beyond infinity.
    if len(values) and np.maximum.reduce(values.view(np.uint64)) >= _INFINITY:
        raise ValueError("priorities are finite numbers from 0")
    return values
