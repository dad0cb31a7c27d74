"""ShiQ (Clavier et al. 2025): a model's logits are its Q, and whole episodes its equations.

Divide soft Q-learning by η and add the reference's logits l: with g = l + Q/η, softmax(g) is the
best policy, and V(s) = η(ln Σ exp g - ln Σ exp l), which is 0 at the start. Along an episode, from
every place k to the end, what was received must equal what was spent on KL plus the value of k,

    Σ_{j≥k} γ^{j-k} (r_j - η ln(π_g/π)(a_j|s_j)) = V(s_k),

one squared residual each, its gradient taken through all of it. No target network and no state
value: here g is the output of the folded model, l + A/η, so that A is Q itself. Guide with
β = 1/η. `starts = first` keeps the residual of k = 0 alone, as TBRM does (2025); it fixes the
policy, not the values, and reads no reward but the sum.

The form is derived from the above and checked against enumerated optima, not copied from the
papers' code. Exact where the next state follows from the action. Where somebody answers in
between, a squared residual also punishes the luck of the answer, and soft-q is the exact one.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import log_mean_exp, look_ahead, over_live_states
from speaq.qlearning.operations import ridge, weighted_mean
from speaq.training.batch import Batch


@dataclass(frozen=True)
class ShiQ:
    """Settings of ShiQ."""

    discount: float = 1.0
    """γ per action token."""
    eta: float = 1.0
    """η, the reward a nat of KL must earn; guide with β = 1/η."""
    ridge: float = 1.0
    """Prior on advantages on a frozen trunk, in episodes; see `operations.ridge`."""
    starts: str = "all"
    """Places residuals start from: `all`, or the `first`."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "q"
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "eta": (self.eta > 0, "> 0"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "starts": (self.starts in ("all", "first"), "all / first"),
        }
        require("shiq", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """½ residual², mean over the places each member may see."""
        head, batch = view.head, view.batch
        B, K = batch.actions.shape
        values = over_live_states(
            view, lambda states: self.eta * log_mean_exp(head, states, 1 / self.eta)
        )
        # Not centred: here a state's level is its value.
        states, actions = view.hidden[:, :-1].reshape(B * K, -1), batch.actions.reshape(-1)
        advantages = head.advantages_at(states, actions).view(-1, B, K)
        residual = path_residual(advantages, values, batch)
        weights = view.members
        if self.starts == "first":
            first = weights * (torch.arange(K, device=weights.device) == 0)
            weights = first / first.sum((1, 2), keepdim=True).clamp(min=1e-12)
        terms = {"shiq": weighted_mean(0.5 * residual**2, weights)}
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        return total(terms, residual)


def path_residual(advantages: Tensor, values: Tensor, batch: Batch) -> Tensor:
    """What each place received to the end, less what it spent and was worth.

    Args:
        advantages: (M, B, K) η(g - l) of the actions taken.
        values: (M, B, K+1) V of the states; the last counts where an episode was cut off.
        batch: the episodes.

    Returns:
        (M, B, K); meaningless on padding.
    """
    spent = advantages - values[..., :-1]  # η ln π_g/π
    received = look_ahead(batch.rewards - spent, batch.discounts, batch.action_mask, values, 0)
    return received - values[..., :-1]
