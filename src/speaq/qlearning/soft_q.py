"""Soft Q-learning by path consistency, with the model's own policy as the reference.

The best policy that pays η for every nat it moves away from the reference π satisfies

    V(s) = η ln Σ_a π(a|s) exp(Q(s, a) / η)
    Q(s, a) = r + γ V(s')
    π*(a|s) = π(a|s) exp((Q(s, a) - V(s)) / η)

so that guiding with β = 1/η is π* itself, not a step towards it. Subtracting the first line from
the second and adding up n steps along any path, whoever walked it,

    Q(s_k, a_k) = Σ_{j<n} γ^j r_{k+j} - Σ_{0<j<n} γ^j (Q - V)(s_{k+j}, a_{k+j}) + γ^n V(s_{k+n}),

which is where many-step targets stay correct on other people's logs without importance weights
(Nachum et al. 2017, eq. 11; for text Guo et al. 2021). Transitions may be random: the identity
then holds in expectation, and as the right side is a fixed target the regression finds it.

Here Q = V_head + A on top of the model's logits: V(s) = V_head(s) + η ln Σ_a π(a|s) exp(A/η).

Differences from Guo et al.: there the logits themselves are Q and the reference is uniform;
there is no discount and the reward comes at the end only; one loss per variant, summed, where
`steps` chooses one; theirs pass gradients to neither side of one-step targets, as here.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.models.head import ValueHead
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import log_mean_exp, look_ahead, over_live_states
from speaq.qlearning.operations import cloning, ridge, weighted_mean
from speaq.training.batch import Batch


@dataclass(frozen=True)
class SoftQ:
    """Settings of soft Q-learning."""

    discount: float = 0.99
    """γ per action token."""
    eta: float = 1.0
    """η, the reward a nat of KL must earn; guide with β = 1/η."""
    steps: int = 1
    """n of the path; 0 takes it to the end of the episode."""
    ridge: float = 1.0
    """Prior on advantages on a frozen trunk, in episodes; see `operations.ridge`."""
    cloning: float = 1.0
    """Weight of cloning, where the policy is trained."""
    target_every: int = 5
    """Steps between updates of the target network."""
    target_rate: float = 0.1
    """Polyak rate of an update; 1 copies."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "q"

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "eta": (self.eta > 0, "> 0"),
            "steps": (self.steps >= 0, "≥ 0"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "cloning": (self.cloning >= 0, "≥ 0"),
            "target_every": (self.target_every >= 1, "≥ 1"),
            "target_rate": (0 < self.target_rate <= 1, "in (0, 1]"),
        }
        require("soft-q", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """½(Q(s_k, a_k) - its n-step target)², mean over the actions each member may see."""
        # The state after the last action has no centre; Q must mean one thing everywhere.
        view = replace(view, centres=None)
        batch, slow = view.batch, view.delayed()
        with torch.no_grad():
            q_values, values = slow.q_values(slow.head), soft_values(slow, slow.head, self.eta)
            target = path_target(batch.rewards, q_values, values, batch, self.steps)
        error = view.q_values(view.head) - target
        terms = {"soft_q": weighted_mean(0.5 * error**2, view.members)}
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.cloning:
            terms["cloning"] = self.cloning * cloning(view)
        return total(terms, error)


def soft_values(view: View, head: ValueHead, eta: float) -> Tensor:
    """V(s) = V_head(s) + η ln Σ_a π(a|s) exp(A(s, a)/η) of every live state: (M, B, K+1)."""
    return over_live_states(
        view, lambda states: head.values(states) + eta * log_mean_exp(head, states, 1 / eta)
    )


def path_target(
    rewards: Tensor, q_values: Tensor, values: Tensor, batch: Batch, steps: int
) -> Tensor:
    """What Q(s_k, a_k) equals along n steps of a path.

    Args:
        rewards: (B, K).
        q_values: (M, B, K) of the actions taken.
        values: (M, B, K+1) of the states.
        batch: the episodes.
        steps: n ≥ 1; 0 goes to the end.

    Returns:
        (M, B, K); meaningless on padding.
    """
    spent = q_values - values[..., :-1]  # η ln π*/π of each action, if the values are right
    reach = look_ahead(rewards - spent, batch.discounts, batch.action_mask, values, steps)
    return reach + spent
