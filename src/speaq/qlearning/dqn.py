"""Deep Q-learning over tokens (Mnih et al. 2015), with the switches that compose.

    y_k = Σ_{j<n} γ^j r_{k+j} + γ^n Q̄(s_{k+n}, a*),     a* = argmax_a Q̄   or, double, argmax_a Q

* `double` (van Hasselt et al. 2016): the online head chooses the token, the target values it.
* `steps` (n-step): counted in action tokens, across turns; a reward for a whole reply reaches its
  first token in one update. Uncorrected, so with n > 1 the fixed point follows the log's policy
  for n - 1 tokens before it turns greedy: Q* only if the log is greedy there, or n = 1.
* dueling (Wang et al. 2016) is how every head here is made: Q = V + A.
* `cql` (Kumar et al. 2020): α(ln Σ μ exp Q - Q(a)), with μ the policy where it is frozen and
  uniform where it is trained. Discrete CQL is this algorithm with `cql` > 0; there is no other
  file for it.

Differences from the paper: no replay memory but the log; one member may not bootstrap from
another; a trained trunk also clones the log (`cloning`), as its policy is what Q guides.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import conservative_penalty, greedy_values, look_ahead
from speaq.qlearning.operations import masked_mean, policy_logprobs, ridge, weighted_mean


@dataclass(frozen=True)
class DQN:
    """Settings of deep Q-learning."""

    discount: float = 0.99
    """γ per action token."""
    double: bool = True
    """Whether the online head chooses the token the target values."""
    steps: int = 1
    """n of the n-step target; 0 looks ahead to the end of the episode."""
    huber: float = 1.0
    """Error beyond which the loss grows linearly; 0 is the plain square."""
    cql: float = 0.1
    """Weight of the conservative term. Without it, tokens the log never tried keep whatever
    value generalisation gives them, and the maximum finds the worst of these errors."""
    cql_states: int = 256
    """States per batch the conservative term is estimated on; 0 takes all."""
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

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "steps": (self.steps >= 0, "≥ 0"),
            "huber": (self.huber >= 0, "≥ 0"),
            "cql": (self.cql >= 0, "≥ 0"),
            "cql_states": (self.cql_states >= 0, "≥ 0"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "cloning": (self.cloning >= 0, "≥ 0"),
            "target_every": (self.target_every >= 1, "≥ 1"),
            "target_rate": (0 < self.target_rate <= 1, "in (0, 1]"),
        }
        require("dqn", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of Q(s_k, a_k) against y_k, plus the conservative term."""
        # The state after the last action has no centre; Q must mean one thing everywhere.
        view = replace(view, centres=None)
        batch, slow = view.batch, view.delayed()
        best = greedy_values(slow, chooser=view if self.double else slow)
        target = look_ahead(batch.rewards, batch.discounts, batch.action_mask, best, self.steps)
        q_values = view.q_values(view.head)
        terms = {"q": td_loss(q_values, target, view.members, self.huber)}
        if self.cql:
            terms["cql"] = self.cql * conservative_penalty(view, self.cql_states)
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.cloning:
            logprobs = policy_logprobs(view.hidden[:, :-1], view.output_table, batch.actions)
            terms["cloning"] = -self.cloning * masked_mean(logprobs, batch.action_mask)
        return total(terms, q_values - target)


def td_loss(q_values: Tensor, target: Tensor, weights: Tensor, huber: float) -> Tensor:
    """Mean of ½e², or of δ(|e| - ½δ) where |e| > δ > 0, with e = Q - y: all (M, B, K) -> ()."""
    error = (q_values - target).abs()
    loss = 0.5 * error**2
    if huber:
        loss = torch.where(error > huber, huber * (error - 0.5 * huber), loss)
    return weighted_mean(loss, weights)
