"""Filtered cloning: imitate the best episodes only.

As LMRL-Gym's %BC (Abdulhai et al. 2023): keep episodes whose return reaches the percentile
100 - `top`, then clone. The strongest simple baseline; it needs no value function.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.errors import SettingsError
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.operations import cloning


@dataclass(frozen=True)
class FilteredCloning:
    """Settings of filtered cloning."""

    top: float = 0.2
    """Share of episodes to keep, by return."""

    learns: ClassVar[str] = "policy"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = False
    estimates: ClassVar[str] = ""
    discount: ClassVar[float] = 1.0
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.top <= 1:
            raise SettingsError(
                f"filtered-bc setting top = {self.top} must be in (0, 1].",
                f"filtered-bc 的 top = {self.top} 必须在 (0, 1] 内。",
            )

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """The episodes whose return reaches the (1 - top) quantile; ties are all kept."""
        return np.asarray(returns >= np.quantile(returns, 1 - self.top))

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """-ln π(a_k|s_k), mean over actions."""
        return total({"filtered_bc": cloning(view)})
