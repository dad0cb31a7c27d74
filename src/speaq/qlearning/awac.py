"""Advantage-weighted actor-critic (Nair et al. 2020): imitate what a critic finds good.

    critic   Q(s_k, a_k) -> Σ_{j<n} γ^j r + γ^n V_π(s_{k+n}),    V_π(s) = Σ_a π(a|s) Q(s, a)
    actor    -mean w_k ln π(a_k|s_k),    w = exp(β(Q - V_π)), at most `limit`

The policy itself is trained, with no head left behind: filtered cloning with soft edges, and a
notion of which tokens of a good reply were the good ones. It stays among what the log shows,
settling where π ∝ π_log exp(β A_π).

Differences from the paper: data from a log only; V_π is summed exactly over the vocabulary, where
the paper draws an action; the critic is read with the policy's output table from hidden states it
does not train, and bootstraps from itself instead of a slow copy.
"""

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.models.vocabulary import chunked_mean
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import look_ahead, over_live_states
from speaq.qlearning.contrast import require_different
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.operations import cloning, weighted_mean


@dataclass(frozen=True)
class AWAC:
    """Settings of advantage-weighted actor-critic."""

    discount: float = 0.99
    """γ per action token."""
    beta: float = 1.0
    """β of the weights exp(β A); 0 is plain cloning."""
    limit: float = 20.0
    """Largest weight of an action."""
    steps: int = 1
    """n of the critic's targets; 0 takes what the log received to the end."""

    learns: ClassVar[str] = "policy"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = ""
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "beta": (self.beta >= 0, "≥ 0"),
            "limit": (self.limit > 0, "> 0"),
            "steps": (self.steps >= 0, "≥ 0"),
        }
        require("awac", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """The critic."""
        return {"critic": TiedCritic(members, 1, hidden_size)}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes.

        Raises:
            DataError: all of the same return.
        """
        require_different(returns)
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """Critic's and actor's loss; neither trains the other's parameters."""
        batch = view.batch
        critic = cast(TiedCritic, view.extra["critic"])
        hidden, table = view.hidden.detach(), view.output_table.detach().float()
        states = hidden[:, :-1].flatten(0, 1)
        q_values = critic(states, table[batch.actions.reshape(-1)])  # (M, B·K, 1)
        q_values = q_values.view(-1, *batch.actions.shape)
        with torch.no_grad():
            values = over_live_states(view, lambda s: policy_values(critic, s, table))
            target = look_ahead(
                batch.rewards, batch.discounts, batch.action_mask, values, self.steps
            )
            advantage = (q_values - values[..., :-1]).mean(0)
            weights = torch.exp(self.beta * advantage).clamp(max=self.limit)
        return total(
            {
                "critic": weighted_mean(0.5 * (q_values - target) ** 2, view.members),
                "actor": cloning(view, weights),
            },
            q_values - target,
        )


def policy_values(critic: TiedCritic, states: Tensor, table: Tensor) -> Tensor:
    """V_π(s) = Σ_a π(a|s) Q(s, a), π the policy of the output table: (N, D), (V, D) -> (M, N)."""
    features = critic.features(states)
    means = [chunked_mean(states, table, each, table) for each in features]
    values: Tensor = critic.state_values(states) + torch.stack(means)
    return values
