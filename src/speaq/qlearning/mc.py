"""Monte Carlo returns: Q regresses on what was received from each action on.

The baseline that wins on dialogue in LMRL-Gym (Abdulhai et al. 2023, table 4), and the first
thing to try: no bootstrapping, no target network, Q^π of the policy behind the log. One step of
policy improvement follows from guiding by it.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.qlearning.algorithm import View, total
from speaq.qlearning.operations import cloning, ridge, weighted_mean


@dataclass(frozen=True)
class MonteCarlo:
    """Settings of Monte Carlo value learning."""

    discount: float = 1.0
    """γ per action token."""
    ridge: float = 1.0
    """Strength of the prior that advantages are small, in episodes; see `operations.ridge`."""
    cloning: float = 1.0
    """Weight of cloning, where the policy is trained: it is what Q guides."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "centred"
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """½(Q(s_k, a_k) - Σ_j γ^j r_{k+j})², mean over the actions each member may see."""
        q_values = view.q_values(view.head)
        returns = view.batch.returns()
        terms = {"mc": mc_loss(q_values, returns, view.members)}
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.cloning:
            terms["cloning"] = self.cloning * cloning(view)
        return total(terms, q_values - returns)


def mc_loss(q_values: Tensor, returns: Tensor, weights: Tensor) -> Tensor:
    """Half the mean squared error of Q against returns: (M, B, K), (B, K), (M, B, K) -> ()."""
    return weighted_mean(0.5 * (q_values - returns) ** 2, weights)
