"""Which episodes a training step learns from.

The loop asks a `Replay` for each step's episodes and tells it afterwards how wrong the values of
each were. What is drawn depends on the seed, the step and the replay's own saved state alone, so
that a resumed run draws what an uninterrupted one would.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from speaq.core.seeds import generator


class Draw(NamedTuple):
    """The B episodes of one step."""

    indices: list[int]
    weights: Tensor | None = None
    """(B,) float32 importance weights that undo the drawing's preferences; None: all are 1."""


class Replay(Protocol):
    """Where batches come from."""

    def draw(self, step: int, batch_size: int) -> Draw:
        """The episodes of step `step`, counted from 0."""

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """What the step found: (B,) mean absolute error of each episode's values, if known."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep of this replay."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the state a checkpoint kept."""


class Permutations:
    """Uniform replay of a log: passes over permutations of it, back to back.

    Args:
        episodes: N.
        seed: of the permutations.
    """

    def __init__(self, episodes: int, seed: int) -> None:
        self.episodes = episodes
        self.seed = seed

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`. Between two uses of an episode lie at most two passes."""
        return Draw(batch_indices(self.seed, step, batch_size, self.episodes))

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing: the step says it all."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take up."""


def batch_indices(seed: int, step: int, batch_size: int, episodes: int) -> list[int]:
    """The episodes of step `step` (from 0): passes over permutations of them all, back to back."""
    taken: list[int] = []
    while len(taken) < batch_size:
        place = step * batch_size + len(taken)
        epoch, start = divmod(place, episodes)
        order = generator(seed, "epoch", epoch).permutation(episodes)
        taken += order[start : start + batch_size - len(taken)].tolist()
    return taken
