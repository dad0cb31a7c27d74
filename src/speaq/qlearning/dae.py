"""Direct advantage estimation (Pan et al. 2022, NeurIPS): credit is shared out, not repeated.

Where the next state follows from the action alone, as it does within a reply, an episode's return
is exactly its starting value plus the advantages of what was done,

    Σ_k γ^k r_k = V(s_0) + Σ_k γ^k A(s_k, a_k)        with Σ_a π(a|s) A(s, a) = 0,

so one regression of whole episodes on the sum of their advantages finds the tokens that made the
difference. Monte Carlo regression asks every token to explain the whole return by itself, and
meets the noise of all the others each time; on small noisy logs this one learns two to three
times as much (see `benchmarks/credit.py`).

Differences from the paper: the whole episode is one window, so nothing is bootstrapped and there
is no target network; the constraint holds exactly for tied heads on a frozen trunk, through the
cached centres, and is left to V elsewhere; a ridge prior stands in for early stopping. What a user
says between turns is luck of mean zero to the policy: it adds noise, no bias.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.qlearning.algorithm import View, total
from speaq.qlearning.operations import ridge


@dataclass(frozen=True)
class DirectAdvantage:
    """Settings of direct advantage estimation."""

    discount: float = 1.0
    """γ per action token."""
    ridge: float = 1.0
    """Strength of the prior that advantages are small, in episodes; see `operations.ridge`."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = False
    estimates: ClassVar[str] = "account"
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """None."""
        return {}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """½(Σ_k γ^k (r_k - A_k) - V(s_0))², mean over the episodes each member may see."""
        batch = view.batch
        power = torch.arange(batch.rewards.shape[1], device=batch.rewards.device)
        gammas = self.discount ** power.float()
        accounts = view.accounts(view.head, gammas)
        values = view.head.values(view.hidden[:, 0])
        returns = (batch.rewards * gammas).sum(-1)
        terms = {"dae": dae_loss(accounts, values, returns, batch.member_mask)}
        if self.ridge:
            terms["ridge"] = self.ridge * ridge(view)
        return total(terms)


def dae_loss(accounts: Tensor, values: Tensor, returns: Tensor, seen: Tensor) -> Tensor:
    """Half the mean squared gap between returns and their account.

    Args:
        accounts: (M, B) Σ_k γ^k A(s_k, a_k).
        values: (M, B) of the first state.
        returns: (B,) Σ_k γ^k r_k.
        seen: (M, B) bool, the episodes each member may learn from.
    """
    gap = returns - accounts - values
    kept = torch.where(seen, 0.5 * gap**2, 0.0).sum(1) / seen.sum(1).clamp(min=1)
    return kept.mean()
