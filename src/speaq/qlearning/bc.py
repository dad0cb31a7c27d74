"""Behaviour cloning: make what was done likelier. The first baseline of everything."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.qlearning.algorithm import View, total
from speaq.qlearning.operations import cloning


@dataclass(frozen=True)
class Cloning:
    """Settings of behaviour cloning: there are none."""

    learns: ClassVar[str] = "policy"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = False
    estimates: ClassVar[str] = ""
    discount: ClassVar[float] = 1.0
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """-ln π(a_k|s_k), mean over actions."""
        return total({"bc": cloning(view)})
