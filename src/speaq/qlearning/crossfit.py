"""Cross-fitting: every episode is judged by ensemble members that never learnt from it.

A value function that scores the episodes it was fitted on flatters itself, and a gate that
listened to it would promote noise. So the log is cut into folds by prompt, and each member of the
ensemble learns from one half of the folds: with 4 folds there are 6 members, the mean of all 6 is
what goes live, and the mean of the 3 that never saw an episode is what the gate hears about it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive


@dataclass(frozen=True)
class CrossFit:
    """How a log was split between the members of an ensemble; kept in the model's facts."""

    folds: int = 4
    """An even number of folds; 0 lets one member learn from everything, and no gate can open."""
    seed: int = 0
    heads_per_member: int = 1
    """Heads trained on the same half, such as the twins of ILQL."""
    by: str = "prompt"
    """What stays together: `prompt`, or `episode` in a log of too few prompts."""

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds % 2 or self.folds > 8:
            raise SettingsError(
                f"folds = {self.folds} must be 0, 2, 4, 6 or 8.",
                f"folds = {self.folds} 必须为 0、2、4、6 或 8。",
            )

    @property
    def members(self) -> int:
        """Members that see different data, M."""
        return comb(self.folds, self.folds // 2) if self.folds else 1

    def seen(self, groups: Sequence[str]) -> Tensor:
        """Which member may learn from which episode: (M, N) bool, by the episodes' groups."""
        if not self.folds:
            return torch.ones(1, len(groups), dtype=torch.bool)
        fold = np.array([derive(self.seed, "fold", group) % self.folds for group in groups])
        halves = combinations(range(self.folds), self.folds // 2)
        return torch.from_numpy(np.stack([np.isin(fold, half) for half in halves]))

    def unseen_heads(self, groups: Sequence[str]) -> Tensor:
        """Which heads of the ensemble never learnt from which episode: (M·heads, N) bool."""
        return ~self.seen(groups).repeat_interleave(self.heads_per_member, dim=0)

    def facts(self) -> dict[str, Any]:
        """For `speaq.json`."""
        return asdict(self)


def plan(groups: Sequence[str], folds: int, seed: int, heads_per_member: int) -> CrossFit:
    """A split of a log whose episodes belong to `groups` (prompts).

    A log of fewer than two prompts a fold is split by episode: its gate then speaks about more
    replies to the same prompts rather than about unseen ones.
    """
    by = "prompt" if len(set(groups)) >= 2 * folds else "episode"
    return CrossFit(folds, seed, heads_per_member, by)
