"""Which episodes a training step learns from.

The loop asks a `Replay` for each step's episodes and tells it afterwards how wrong the values of
each were. What is drawn depends on the seed, the step and the replay's own saved state alone, so
that a resumed run draws what an uninterrupted one would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speaq.core.errors import SettingsError
from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.experience.sum_tree import SumTree

_STEPS_AT_ONCE = 256


@dataclass(frozen=True)
class ReplaySettings:
    """How a log is replayed."""

    kind: Literal["uniform", "prioritised"] = "uniform"
    """uniform: passes over the log. prioritised: episodes whose values are wrong come oftener;
    for algorithms that say how wrong they were."""
    exponent: float = 0.6
    """α: how much errors matter; 0 draws all alike, 1 in proportion to the error."""
    correction: float = 0.4
    """β at the first step; it rises to 1 at the last, where the drawing's bias is undone."""
    floor: float = 1e-6
    """Added to every error, so that an episode without any may be drawn again."""

    def __post_init__(self) -> None:
        rules = {
            "kind": (self.kind in ("uniform", "prioritised"), "uniform or prioritised"),
            "exponent": (0 <= self.exponent <= 1, "in [0, 1]"),
            "correction": (0 <= self.correction <= 1, "in [0, 1]"),
            "floor": (0 < self.floor < float("inf"), "> 0"),
        }
        require("replay", self, rules)


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


class Prioritised:
    """Episodes in proportion to how wrong their values were (Schaul et al. 2016, Algorithm 1).

        P(i) = p_i^α / Σ_j p_j^α,     p_i = |error_i| + floor,     w_i = (N P(i))^-β / max_j w_j

    The maximum is over all N episodes, so that with β = 1 the weighted mean over draws is the
    plain mean over episodes times a number that is the same for every batch. Batches are
    stratified as in appendix B.2.1.

    Differences from the paper: the unit is the episode, its error the mean over its actions, for
    an episode's hidden states are computed together; an episode not yet drawn has the largest
    priority known so far even if that has risen since, so whatever the scale of the errors,
    every episode is met early; β reaches 1 at the last step.

    Args:
        episodes: N at first; `added` tells of more.
        seed: of the draws.
        steps: of the run.
        exponent: α.
        correction: β at the first step.
        floor: what is added to every error.
    """

    def __init__(
        self,
        episodes: int,
        seed: int,
        *,
        steps: int,
        exponent: float = 0.6,
        correction: float = 0.4,
        floor: float = 1e-6,
    ) -> None:
        self.seed = seed
        self.steps = steps
        self.exponent = exponent
        self.correction = correction
        self.floor = floor
        self._largest = 1.0
        self._fresh = np.ones(episodes, bool)
        self._tree = SumTree(np.ones(episodes))
        self._block: tuple[int, int, NDArray[np.float64]] | None = None

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`. An episode may be drawn more than once."""
        indices = self._tree.draw(self._uniforms(step, batch_size))
        # N and the total cancel out of w_i / max_j w_j.
        weights = (self._tree.at(indices) / self._tree.least) ** -self.beta(step)
        return Draw(indices.tolist(), torch.from_numpy(weights.astype(np.float32)))

    def _uniforms(self, step: int, batch_size: int) -> NDArray[np.float64]:
        """(B,) of `step`. Making a generator costs as much as drawing, so one serves many steps."""
        number, place = divmod(step, _STEPS_AT_ONCE)
        if self._block is None or self._block[:2] != (number, batch_size):
            stream = generator(self.seed, "replay", number)
            self._block = number, batch_size, stream.random((_STEPS_AT_ONCE, batch_size))
        uniforms: NDArray[np.float64] = self._block[2][place]
        return uniforms

    def beta(self, step: int) -> float:
        """β at `step`, counted from 0."""
        done = min(1.0, step / (self.steps - 1)) if self.steps > 1 else 1.0
        return self.correction + (1 - self.correction) * done

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Give the episodes their new priorities.

        Raises:
            SettingsError: the algorithm does not say how wrong it was.
        """
        if errors is None:
            raise _no_errors("this algorithm", "该算法")
        places = np.asarray(indices, np.int64)
        priorities = np.add(errors.cpu().numpy(), self.floor, dtype=np.float64) ** self.exponent
        self._tree.update(places, priorities)
        self._fresh[places] = False
        largest = float(np.maximum.reduce(priorities))
        if largest > self._largest:
            self._largest = largest
            [fresh] = np.nonzero(self._fresh)
            self._tree.update(fresh, np.full(len(fresh), largest))

    def added(self, indices: Sequence[int]) -> None:
        """The episodes `indices` are new, behind the others or in the place of older ones."""
        places = np.asarray(indices, np.int64)
        more = int(places.max(initial=-1)) + 1 - len(self._tree)
        if more > 0:
            self._tree.append(np.full(more, self._largest))
            self._fresh = np.append(self._fresh, np.ones(more, bool))
        self._fresh[places] = True
        self._tree.update(places, np.full(len(places), self._largest))

    def state(self) -> dict[str, Tensor]:
        """Priorities, which episodes were never drawn, and the largest priority so far."""
        return {
            "priorities": torch.from_numpy(self._tree.priorities),
            "fresh": torch.tensor(self._fresh),
            "largest": torch.tensor(self._largest, dtype=torch.float64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Replay`."""
        self._tree = SumTree(state["priorities"].numpy())
        self._fresh = state["fresh"].numpy().copy()
        self._largest = float(state["largest"])


class Recent:
    """Uniform replay of episodes that keep coming.

    Args:
        newest: draw from this many of the latest; 0 draws from all.
        seed: of the draws.
    """

    def __init__(self, newest: int, seed: int) -> None:
        self.newest = newest
        self.seed = seed
        self.episodes = 0

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`. An episode may be drawn more than once."""
        first = max(0, self.episodes - self.newest) if self.newest else 0
        stream = generator(self.seed, "recent", step)
        return Draw(stream.integers(first, self.episodes, batch_size).tolist())

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Nothing to remember."""

    def added(self, indices: Sequence[int]) -> None:
        """The episodes `indices` are new, behind the others."""
        self.episodes = max([self.episodes, *(index + 1 for index in indices)])

    def state(self) -> dict[str, Tensor]:
        """Nothing: how many there are is the owner's to say."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take up."""


def growing(settings: ReplaySettings, newest: int, steps: int, seed: int) -> Recent | Prioritised:
    """The replay that `settings` ask for, of episodes that are still to come.

    Raises:
        SettingsError: prioritised replay of the newest episodes only.
    """
    if settings.kind == "uniform":
        return Recent(newest, seed)
    if newest:
        raise SettingsError(
            f"prioritised replay draws from all episodes; recent = {newest} needs kind = uniform.",
            f"prioritised 回放会从全部片段中抽取；recent = {newest} 需要 kind = uniform。",
        )
    return _prioritised(settings, 0, steps, seed)


def replay_of(settings: ReplaySettings, episodes: int, steps: int, seed: int) -> Replay:
    """The replay that `settings` ask for, of a log of `episodes` over a run of `steps`."""
    if settings.kind == "uniform":
        return Permutations(episodes, seed)
    return _prioritised(settings, episodes, steps, seed)


def _prioritised(settings: ReplaySettings, episodes: int, steps: int, seed: int) -> Prioritised:
    return Prioritised(
        episodes,
        seed,
        steps=steps,
        exponent=settings.exponent,
        correction=settings.correction,
        floor=settings.floor,
    )


def require_errors(settings: ReplaySettings, algorithm: str, gives_errors: bool) -> None:
    """Refuse prioritised replay for an algorithm that does not say how wrong it was.

    Raises:
        SettingsError: names the algorithm.
    """
    if settings.kind == "prioritised" and not gives_errors:
        raise _no_errors(f"algorithm {algorithm}", f"算法 {algorithm} ")


def _no_errors(en: str, zh: str) -> SettingsError:
    return SettingsError(
        f"replay setting kind = prioritised needs an algorithm that says how wrong the value of "
        f"each action was, which {en} does not; use kind = uniform.",
        f"replay 的 kind = prioritised 需要能给出每个动作价值误差的算法，而{zh}不能；"
        "请用 kind = uniform。",
    )


def batch_indices(seed: int, step: int, batch_size: int, episodes: int) -> list[int]:
    """The episodes of step `step` (from 0): passes over permutations of them all, back to back."""
    taken: list[int] = []
    while len(taken) < batch_size:
        place = step * batch_size + len(taken)
        epoch, start = divmod(place, episodes)
        order = generator(seed, "epoch", epoch).permutation(episodes)
        taken += order[start : start + batch_size - len(taken)].tolist()
    return taken
