"""The replay memory of a control task: its last steps, read as n-step transitions.

A ring of single steps in the order they were taken. A transition from one of them adds up the
rewards of up to n steps and ends in the state after the last; it is shorter where the episode
ended, was cut off, or has not come further yet. What ended is worth nothing afterwards; what was
cut off, or goes on, is worth what its last state is worth.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


class Step(NamedTuple):
    """One step in an environment whose observations are S numbers."""

    observation: Floats  # (S,) before it
    action: int
    reward: float
    after: Floats  # (S,) the observation after it, also where the episode is over
    terminated: bool
    truncated: bool


class Transitions:
    """The last C steps.

    Args:
        capacity: C.
        size: S.
    """

    def __init__(self, capacity: int, size: int) -> None:
        self.capacity = capacity
        self.taken = 0
        """Steps added since the beginning, also those overwritten since."""
        self._observations = np.zeros((capacity, size), np.float32)
        self._after = np.zeros((capacity, size), np.float32)
        self._actions = np.zeros(capacity, np.int64)
        self._rewards = np.zeros(capacity, np.float32)
        self._terminated = np.zeros(capacity, bool)
        self._over = np.zeros(capacity, bool)

    def __len__(self) -> int:
        return min(self.taken, self.capacity)

    def add(self, step: Step) -> int:
        """Keep a step, in the place of the oldest if the ring is full; returns the place."""
        place = self.taken % self.capacity
        self._observations[place] = step.observation
        self._actions[place] = step.action
        self._rewards[place] = step.reward
        self._after[place] = step.after
        self._terminated[place] = step.terminated
        self._over[place] = step.terminated or step.truncated
        self.taken += 1
        return place

    def gather(self, places: NDArray[np.int64], steps: int, discount: float) -> "Ahead":
        """The transitions of up to `steps` = n ≥ 1 steps that begin at `places` (B,)."""
        age = (self.taken - 1 - places) % self.capacity  # how many steps came later
        rewards, factor = np.zeros(len(places)), np.ones(len(places))
        last, going = places.copy(), np.ones(len(places), bool)
        for j in range(steps):
            here = (places + j) % self.capacity
            going &= age >= j
            last = np.where(going, here, last)
            rewards += np.where(going, factor * self._rewards[here], 0.0)
            factor = np.where(going, factor * discount, factor)
            going &= ~self._over[here]
        return Ahead(
            before=torch.from_numpy(self._observations[places]),
            actions=torch.from_numpy(self._actions[places]),
            rewards=torch.from_numpy(rewards.astype(np.float32)),
            discounts=torch.from_numpy(
                np.where(self._terminated[last], 0.0, factor).astype(np.float32)
            ),
            after=torch.from_numpy(self._after[last]),
        )

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must keep."""
        arrays = {name: torch.from_numpy(each[: len(self)]) for name, each in self._arrays.items()}
        return {**arrays, "taken": torch.tensor(self.taken)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint kept."""
        self.taken = int(state["taken"])
        for name, each in self._arrays.items():
            each[: len(self)] = state[name].numpy()

    @property
    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            "observations": self._observations,
            "after": self._after,
            "actions": self._actions,
            "rewards": self._rewards,
            "terminated": self._terminated,
            "over": self._over,
        }


class Ahead(NamedTuple):
    """B transitions."""

    before: Tensor  # (B, S) float32
    actions: Tensor  # (B,) int64
    rewards: Tensor  # (B,) float32 Σ_{j<m} γ^j r_j of the m ≤ n steps there are
    discounts: Tensor  # (B,) float32 γ^m, and 0 where the episode had ended
    after: Tensor  # (B, S) float32
