"""Q# (Zhou et al. 2025): learn how returns are distributed, then what to pay for.

Where the next state follows from the action and nothing is discounted, the soft optimum needs no
bootstrapping: with Z the return of the *reference* from (s, a) on,

    Q*(s, a) = η ln E[exp(Z/η)],

so it suffices to know the distribution of Z, a classification of returns the log already holds.
Fitting the distribution and then taking the exponential moment is steadier than regressing on
exp(Z/η), which one lucky reply dominates. Q* of any η could be read from the same distribution.

Here the distribution is a classifier over `atoms` equally spaced returns, 2 of them for returns
that are 0 or 1 (the Bernoulli case); a return in between is shared by its two neighbours, which
keeps the mean and overstates the moment a little. The head then regresses on Q*, without noise.
Guide with β = 1/η.

Differences from the paper: one log drawn from the reference, no fresh roll-ins (learn again on
newer logs for that); the moment is copied into a head that folds. Random answers between turns
make Q* of this formula fonder of risk than the KL-regularised optimum; soft-q is exact there.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.errors import DataError
from speaq.core.settings import require
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.operations import ridge, weighted_mean


@dataclass(frozen=True)
class QSharp:
    """Settings of Q#."""

    eta: float = 1.0
    """η, the reward a nat of KL must earn; guide with β = 1/η."""
    ridge: float = 1.0
    """Prior on advantages on a frozen trunk, in episodes; see `operations.ridge`."""
    atoms: int = 2
    """Returns the distribution is made of."""
    low: float = 0.0
    """The lowest return."""
    high: float = 1.0
    """The highest return."""

    discount: ClassVar[float] = 1.0
    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "q"
    target_every: ClassVar[int] = 0
    target_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        rules = {
            "eta": (self.eta > 0, "> 0"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "atoms": (self.atoms >= 2, "≥ 2"),
            "high": (self.high > self.low, f"> low = {self.low}"),
        }
        require("qsharp", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """The classifier of returns."""
        return {"returns": TiedCritic(members, self.atoms, hidden_size)}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes.

        Raises:
            DataError: a return lies outside [low, high].
        """
        slack = 1e-6 * (self.high - self.low)
        outside = returns[(returns < self.low - slack) | (returns > self.high + slack)]
        if len(outside):
            raise DataError(
                f"a return is {outside[0]:g}, outside qsharp's low = {self.low:g} to high = "
                f"{self.high:g}; widen them or rescale the reward.",
                f"有回报为 {outside[0]:g}，超出 qsharp 的 low = {self.low:g} 至 high = "
                f"{self.high:g}；请放宽范围或缩放奖励。",
                field="reward",
            )
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the returns, and ½(Q - Q*)² of the head."""
        view = replace(view, centres=None)
        batch = view.batch
        B, K = batch.actions.shape
        states = view.hidden[:, :-1].reshape(B * K, -1)
        critic = cast(TiedCritic, view.extra["returns"])
        vectors = view.head.output_table[batch.actions.reshape(-1)]
        logprobs = torch.log_softmax(critic(states, vectors), -1).view(-1, B, K, self.atoms)
        atoms = torch.linspace(self.low, self.high, self.atoms, device=states.device)
        shares = two_hot(batch.returns(), atoms)
        moment = soft_moment(logprobs.detach(), atoms, self.eta)
        error = view.q_values(view.head) - moment
        terms = {
            "returns": weighted_mean(-(shares * logprobs).sum(-1), view.members),
            "qsharp": weighted_mean(0.5 * error**2, view.members),
        }
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        return total(terms, error)


def two_hot(returns: Tensor, atoms: Tensor) -> Tensor:
    """Shares of each atom that have the return as their mean: (B, K), (A,) -> (B, K, A)."""
    spacing = atoms[1] - atoms[0]
    return (1 - (returns[..., None] - atoms).abs() / spacing).clamp(min=0)


def soft_moment(logprobs: Tensor, atoms: Tensor, eta: float) -> Tensor:
    """η ln Σ_z p(z) exp(z/η): (..., A), (A,) -> (...)."""
    return eta * torch.logsumexp(logprobs + atoms / eta, -1)
