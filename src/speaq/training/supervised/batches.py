"""Rows of tokens, batches of them, and which rows a step learns from.

Texts of like length share a batch, so that little of it is padding; the order of batches stays
random. Where several tasks learn, a batch is of one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speaq.core.seeds import generator
from speaq.training.replay import Draw

_POOL = 50
"""Batches among which rows are sorted by length."""


def _nothing() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence that the trunk reads. An example read in windows makes several."""

    example: int
    """Which example it is of."""
    tokens: NDArray[np.int64]  # (T,)
    segments: NDArray[np.int64]  # (T,) 0 for the first text, 1 for the second
    target: NDArray[np.float32] | NDArray[np.int64]
    """What the head should answer; see the task."""
    places: NDArray[np.int64] = field(default_factory=_nothing)
    """(P,) tokens that the head reads, such as the first one of each word."""
    offsets: NDArray[np.int64] = field(default_factory=_nothing)
    """(T, 2) characters that each token stands for, where answers are passages."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B rows, padded on the right to T tokens and P places."""

    tokens: Tensor  # (B, T) int64
    segments: Tensor  # (B, T) int64
    mask: Tensor  # (B, T) bool
    places: Tensor  # (B, P) int64; padding points at 0
    place_mask: Tensor  # (B, P) bool
    rows: tuple[Row, ...]


def collate(rows: Sequence[Row], padding: int, device: torch.device) -> Batch:
    """Pad rows into a batch on `device`."""
    B, T = len(rows), max(len(row.tokens) for row in rows)
    P = max(len(row.places) for row in rows)
    tokens, segments = np.full((B, T), padding, np.int64), np.zeros((B, T), np.int64)
    places = np.zeros((B, P), np.int64)
    mask, place_mask = np.zeros((B, T), bool), np.zeros((B, P), bool)
    for b, row in enumerate(rows):
        tokens[b, : len(row.tokens)] = row.tokens
        segments[b, : len(row.tokens)] = row.segments
        mask[b, : len(row.tokens)] = True
        places[b, : len(row.places)] = row.places
        place_mask[b, : len(row.places)] = True

    def there(array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(device)

    return Batch(
        there(tokens), there(segments), there(mask), there(places), there(place_mask), tuple(rows)
    )


def padded_targets(batch: Batch, filling: int) -> Tensor:
    """Targets of one length per row as (B, P) int64, filled up with `filling`."""
    B, P = batch.places.shape
    made = np.full((B, P), filling, np.int64)
    for b, row in enumerate(batch.rows):
        made[b, : len(row.target)] = row.target
    return torch.from_numpy(made).to(batch.places.device)


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """All rows in batches of `size` of like length, longest first: for reading without learning."""
    order = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    return [order[start : start + size] for start in range(0, len(order), size)]


class Buckets:
    """A replay of rows in batches of like length; see `training.replay.Replay`.

    Every pass shuffles a group's rows, sorts them by length within pools of 50 batches, cuts
    batches and shuffles these. With several groups (tasks) a step's group k is drawn with
    probability ∝ n_k^(1 / temperature): 1 in proportion to its rows, large all alike (Raffel et
    al. 2020, section 3.5.2, without a limit on n).

    Args:
        groups: the lengths of the rows of each group; rows are counted through all groups.
        seed: of the draws.
        steps: of the run.
        temperature: of the drawing of groups.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        seed: int,
        steps: int,
        temperature: float = 1.0,
    ) -> None:
        self.groups = [np.asarray(lengths, np.int64) for lengths in groups]
        self.starts = np.cumsum([0, *(len(lengths) for lengths in groups)])
        self.seed = seed
        shares = np.array([len(lengths) for lengths in groups], float) ** (1 / temperature)
        self.shares: NDArray[np.float64] = shares / shares.sum()
        stream = generator(seed, "tasks")
        self._which = stream.choice(len(groups), size=steps, p=self.shares)
        self._count = np.zeros(steps, np.int64)
        for k in range(len(groups)):
            here = self._which == k
            self._count[here] = np.arange(here.sum())
        self._pass: dict[int, tuple[int, int, list[list[int]]]] = {}

    def group_of(self, index: int) -> int:
        """The group that row `index` belongs to."""
        return int(np.searchsorted(self.starts, index, side="right") - 1)

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`; the last batch of a pass may be smaller."""
        group, number = int(self._which[step]), int(self._count[step])
        batches = -(-len(self.groups[group]) // batch_size)
        epoch, place = divmod(number, batches)
        known = self._pass.get(group)
        if known is None or known[:2] != (epoch, batch_size):
            known = epoch, batch_size, self._batches(group, epoch, batch_size)
            self._pass[group] = known
        start = int(self.starts[group])
        return Draw([start + row for row in known[2][place]])

    def _batches(self, group: int, epoch: int, size: int) -> list[list[int]]:
        lengths = self.groups[group]
        stream = generator(self.seed, "buckets", group, epoch)
        order = stream.permutation(len(lengths))
        pool = size * _POOL
        cut: list[list[int]] = []
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            part = part[np.argsort(lengths[part], kind="stable")]
            cut += [part[at : at + size].tolist() for at in range(0, len(part), size)]
        return [cut[place] for place in stream.permutation(len(cut))]

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing: the step says it all."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take up."""
