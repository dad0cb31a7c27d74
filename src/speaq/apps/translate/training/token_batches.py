"""Batches of about as many tokens each, of like length: what a step costs is then the same."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from speaq.core.seeds import generator
from speaq.training.replay import Draw


class TokenBatches:
    """A replay of pairs in batches of at most `limit` tokens; see `training.replay.Replay`.

    Every pass shuffles the pairs, sorts them by length (those of one length stay shuffled), cuts
    batches and shuffles these.

    Args:
        lengths: (N,) tokens of each pair: of its longer side, which is what padding costs.
        limit: pairs of a batch times their longest.
        seed: of the passes.
    """

    def __init__(self, lengths: Sequence[int], limit: int, seed: int) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        self.limit = limit
        self.seed = seed
        self._sizes: list[int] = []
        """Batches of each pass so far: passes may cut unlike numbers of them."""
        self._known: tuple[int, list[list[int]]] | None = None

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`; `batch_size` does not matter."""
        number = 0
        while True:
            if number >= len(self._sizes):
                self._sizes.append(len(self._batches(number)))
            if step < self._sizes[number]:
                return Draw(self._batches(number)[step])
            step -= self._sizes[number]
            number += 1

    def _batches(self, number: int) -> list[list[int]]:
        if self._known is not None and self._known[0] == number:
            return self._known[1]
        stream = generator(self.seed, "token batches", number)
        order = stream.permutation(len(self.lengths))
        order = order[np.argsort(self.lengths[order], kind="stable")]
        cut: list[list[int]] = []
        batch: list[int] = []
        for index in order.tolist():
            if batch and int(self.lengths[index]) * (len(batch) + 1) > self.limit:
                cut.append(batch)
                batch = []
            batch.append(index)
        cut.append(batch)
        batches = [cut[place] for place in stream.permutation(len(cut))]
        self._known = (number, batches)
        return batches

    @property
    def batches_per_pass(self) -> int:
        """Of the first pass; others differ by few."""
        return len(self._batches(0))

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing: the step says it all."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take up."""
