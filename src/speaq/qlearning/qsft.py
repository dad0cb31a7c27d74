"""Q-SFT (Hong et al. 2024): Q-learning as a weighted classification.

A model p over the vocabulary and one token more, which stands for failure, is fitted by
cross-entropy whose label is the action with weight B and failure with weight 1 - B,

    L = -B ln p(a|s) - (1 - B) ln p(failure|s),    B = r + γ max_a' p̄(a'|s')/π(a'|s').

Setting the derivative to zero, p(a|s) = π(a|s) E[B|s, a] and failure takes the rest: the ratio
p/π is Q*, for any return in [0, 1], and random transitions do no harm as L is linear in B. (The
paper's other form spreads 1 - B over the V - 1 other tokens; its optimum is off by up to
1/(V - 1), which divided by a small π is anything but small. It is not offered.)

Here π is the model's own policy and p = π · exp(A - ln(Σ π exp A + exp u)), u(s) the score of
failure, kept where other algorithms keep V.

Difference from the paper: there π is guided by exp(β p); the head's A is ln Q up to a constant of
the state, so here it is guided by Q^β. Both prefer the same token; this one folds.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.errors import DataError
from speaq.core.settings import require
from speaq.models.head import ValueHead
from speaq.models.vocabulary import chunked_max
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import log_mean_exp, look_ahead, over_live_states
from speaq.qlearning.operations import cloning, ridge, weighted_mean


@dataclass(frozen=True)
class QSFT:
    """Settings of Q-SFT."""

    discount: float = 0.99
    """γ per action token."""
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
    gives_errors: ClassVar[bool] = False
    estimates: ClassVar[str] = ""

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "cloning": (self.cloning >= 0, "≥ 0"),
            "target_every": (self.target_every >= 1, "≥ 1"),
            "target_rate": (0 < self.target_rate <= 1, "in (0, 1]"),
        }
        require("qsft", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes.

        Raises:
            DataError: a return is not in [0, 1], where it could be read as a probability.
        """
        outside = returns[(returns < -1e-6) | (returns > 1 + 1e-6)]
        if len(outside):
            raise DataError(
                f"qsft reads returns as probabilities, but one is {outside[0]:g}; rescale the "
                "reward into [0, 1].",
                f"qsft 把回报当作概率，但其中有 {outside[0]:g}；请把奖励缩放到 [0, 1]。",
                field="reward",
            )
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted cross-entropy, less the constant ln π(a|s)."""
        batch, slow = view.batch, view.delayed()
        with torch.no_grad():
            best = over_live_states(slow, lambda states: best_ratio(slow.head, states))
            weight = look_ahead(batch.rewards, batch.discounts, batch.action_mask, best, 1)
        norm = over_live_states(view, lambda states: log_norm(view.head, states))[..., :-1]
        states = view.hidden[:, :-1].flatten(0, 1)
        action = view.head.advantages_at(states, batch.actions.reshape(-1)).view_as(norm) - norm
        failure = view.values(view.head.state_values)[..., :-1] - norm
        terms = {"qsft": qsft_loss(action, failure, weight.clamp(0, 1), view.members)}
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.cloning:
            terms["cloning"] = self.cloning * cloning(view)
        return total(terms)


def log_norm(head: ValueHead, states: Tensor) -> Tensor:
    """ln(Σ_a π(a|s) exp A(s, a) + exp u(s)): (N, D) -> (M, N)."""
    return torch.logaddexp(log_mean_exp(head, states, 1.0), head.values(states))


def best_ratio(head: ValueHead, states: Tensor) -> Tensor:
    """max_a p(a|s)/π(a|s): (N, D) -> (M, N), without gradient."""
    features = head.features(states)
    best = [chunked_max(features[m], head.member_table(m))[0] for m in range(head.members)]
    return torch.exp(torch.stack(best) - log_norm(head, states))


def qsft_loss(action: Tensor, failure: Tensor, weight: Tensor, weights: Tensor) -> Tensor:
    """-B ln(p(a)/π(a)) - (1 - B) ln p(failure), mean over actions: all (M, B, K) -> ()."""
    return weighted_mean(-weight * action - (1 - weight) * failure, weights)
