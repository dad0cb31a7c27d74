"""Implicit language Q-learning (Snell et al. 2023, after Kostrikov et al. 2022).

V is an upper expectile of Q over the actions in the log, so that the bootstrap target r + γ V(s')
speaks of good actions without ever asking about one nobody took.

Differences from the paper: Q = V' + A with a linear, zero-initialised advantage, so that it folds;
the twins are averaged for guiding and only their minimum is used in the expectile; the
conservative term is estimated on a sample of states where the vocabulary is large; the same trunk
serves policy and values.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.models.head import StateValues
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import conservative_penalty
from speaq.qlearning.operations import cloning, ridge, weighted_mean


@dataclass(frozen=True)
class ILQL:
    """Settings of ILQL; the defaults are trlx's, read in its source."""

    discount: float = 0.99
    """γ per action token."""
    expectile: float = 0.7
    """τ in (0, 1): 0.5 is the mean of Q over the log's actions, towards 1 their maximum."""
    cql: float = 0.1
    """Weight of the conservative term; relative to the policy where that is frozen."""
    cql_states: int = 256
    """States per batch the conservative term is estimated on; 0 takes all."""
    awac: float = 1.0
    """Weight of the policy term, where the policy is trained."""
    awac_beta: float = 0.0
    """Advantage weighting exp(β(Q - V)) of the policy term; 0 is plain cloning."""
    ridge: float = 1.0
    """Prior on advantages on a frozen trunk, in episodes; see `operations.ridge`."""
    target_every: int = 5
    """Steps between updates of the target network."""
    target_rate: float = 0.1
    """Polyak rate of an update; 1 copies."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 2
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "centred"

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "expectile": (0 < self.expectile < 1, "in (0, 1)"),
            "target_every": (self.target_every >= 1, "≥ 1"),
            "target_rate": (0 < self.target_rate <= 1, "in (0, 1]"),
        }
        require("ilql", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """The expectile state value, one for each pair of twins."""
        return {"expectile_value": StateValues(members, hidden_size, width=hidden_size)}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """L_Q + L_V + cql·L_CQL + awac·L_AWAC (Snell et al., section 4)."""
        batch, weights, slow = view.batch, view.members, view.delayed()
        twins = view.q_values(view.head)  # (2M, B, K)
        values = view.values(view.extra["expectile_value"])  # (M, B, K+1)
        with torch.no_grad():
            lower = twin_minimum(slow.q_values(slow.head))  # (M, B, K)
            target = td_target(batch.rewards, batch.discounts, values)
        terms = {
            "q": q_loss(twins, target, weights),
            "v": expectile_loss(lower, values[..., :-1], weights, self.expectile),
        }
        if self.cql:
            # Summed over each pair of twins, as L_Q is.
            terms["cql"] = 2 * self.cql * conservative_penalty(view, self.cql_states)
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.awac:
            advantage = (lower - values[..., :-1]).mean(0).detach()
            terms["awac"] = self.awac * cloning(view, torch.exp(self.awac_beta * advantage))
        return total(terms, twins - target.repeat_interleave(2, dim=0))


def twin_minimum(twins: Tensor) -> Tensor:
    """The lower of each pair of neighbours: (2M, B, K) -> (M, B, K)."""
    return twins.view(-1, 2, *twins.shape[1:]).amin(1)


def td_target(rewards: Tensor, discounts: Tensor, values: Tensor) -> Tensor:
    """r_k + γ_k V(s_{k+1}): (B, K), (B, K), (M, B, K+1) -> (M, B, K).

    γ_k is 0 after an action that ended the episode, γ after one that was cut off.
    """
    return rewards + discounts * values[..., 1:]


def q_loss(twins: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Squared error of both twins against their target, summed over the pair.

    (2M, B, K), (M, B, K), (M, B, K) -> ().
    """
    error = (twins - target.repeat_interleave(2, dim=0)) ** 2
    return 2 * weighted_mean(error, weights.repeat_interleave(2, dim=0))


def expectile_loss(q_values: Tensor, values: Tensor, weights: Tensor, expectile: float) -> Tensor:
    """|τ - 1[u < 0]| u² with u = Q - V: all (M, B, K) -> ()."""
    error = q_values - values
    side = torch.where(error < 0, 1 - expectile, expectile)
    return weighted_mean(side * error**2, weights)
