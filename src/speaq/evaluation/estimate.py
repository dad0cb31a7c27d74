"""The gate's estimates: for each value of β what it would earn, by how much more, how surely.

N episodes of at most J turns and K tokens, under G values of β.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speaq.core.settings import require
from speaq.evaluation.fitted_q import fitted_q
from speaq.evaluation.intervals import Bootstrap, expanded
from speaq.evaluation.off_policy import (
    Floats,
    Terms,
    doubly_robust,
    effective_size,
    self_normalised,
    weights,
)

FOLDS = 4
"""Folds of prompts between which fitted values are crossed."""

Estimator = Literal["snips", "dr"]


@dataclass(frozen=True)
class GateSettings:
    """What counts as enough evidence."""

    level: float = 0.95
    """Confidence of the intervals."""
    draws: int = 1000
    """Bootstrap draws."""
    least_share: float = 0.1
    """Smallest effective sample size, as a share of the episodes."""
    least_episodes: float = 50
    """Smallest effective sample size, in episodes."""
    most_kl: float = float("inf")
    """Largest divergence from the base model, in nats per episode."""
    fresh: bool = False
    """The log was never learnt from, so every member may judge every episode."""
    reward: str = "feedback"
    """Name of a reward, or module:function."""
    estimator: Estimator = "dr"
    """dr: doubly robust over tokens, the narrower wherever the head knows something. snips:
    self-normalised importance sampling of turns, which asks the head nothing."""

    def __post_init__(self) -> None:
        require(
            "gate",
            self,
            {
                "level": (0.5 <= self.level < 1, "in [0.5, 1)"),
                "draws": (self.draws >= 1, "≥ 1"),
                "estimator": (self.estimator in ("snips", "dr"), "snips or dr"),
            },
        )


@dataclass(frozen=True)
class Steps:
    """What the value head says about every token of the log; 0 on padding."""

    log_ratios: Floats  # (G, N, K) ln π_β(a|s)/μ(a|s)
    rewards: Floats  # (N, K)
    mask: NDArray[np.bool_]  # (N, K)
    values: Floats  # (N, K) V(s)
    advantages: Floats  # (N, K) A(s, a) of the token taken
    means: Floats  # (G, N, K) Σ_a π_β(a|s) A(s, a)


@dataclass(frozen=True)
class Scores:
    """What one pass over the log gives."""

    betas: tuple[float, ...]
    log_ratios: Floats  # (G, N, J) ln π_β(turn)/μ(turn)
    kl: Floats  # (G, N) nats per episode
    rewards: Floats  # (N, J)
    steps: Steps
    strangeness: float = 0.0
    """Nats a token by which a log without propensities is not the base policy's; see `scoring`."""


@dataclass(frozen=True)
class Estimate:
    """What one β is predicted to earn per episode."""

    beta: float
    predicted: float
    low: float
    high: float
    gain: float
    """Predicted over what the log's policy earns, by the same estimator where that is β = 0."""
    gain_low: float
    """Lower end of the interval of the gain, from the same bootstrap draws."""
    ess: float
    """Effective sample size, (Σw)²/Σw², in episodes."""
    kl: float
    """KL(π_β ‖ π) in nats per episode, over the log's states."""


def estimates(
    scores: Scores, groups: Sequence[str], settings: GateSettings, seed: int
) -> list[Estimate]:
    """Estimates for every β; episodes of one group (prompt) are drawn together.

    Raises:
        EvidenceError: fewer than 5 groups; no interval could be trusted.
    """
    bootstrap = Bootstrap.over(groups, settings.draws, seed)
    folds = bootstrap.place % FOLDS
    logged = _terms(scores, 0, settings, folds)
    if scores.log_ratios[0].any():  # the log is of another policy than the first β's
        logged = self_normalised(np.ones_like(scores.rewards), scores.rewards)
    rows = []
    for number, beta in enumerate(scores.betas):
        w = weights(scores.log_ratios[number])  # (N, J)
        terms = _terms(scores, number, settings, folds)
        tail = expanded((1 - settings.level) / 2, bootstrap.degrees(w[:, -1]))
        predicted = bootstrap.interval(terms, tail)
        gain = bootstrap.interval(terms.minus(logged), tail)
        rows.append(
            Estimate(
                beta=beta,
                predicted=predicted.value,
                low=predicted.low,
                high=predicted.high,
                gain=gain.value,
                gain_low=gain.low,
                ess=effective_size(w[:, -1]),
                kl=float(scores.kl[number].mean()),
            )
        )
    return rows


def _terms(scores: Scores, number: int, settings: GateSettings, folds: NDArray[np.int64]) -> Terms:
    """The summands of one β by the estimator that was asked for."""
    if settings.estimator == "dr":
        return robust(scores.steps, number, folds)
    return self_normalised(weights(scores.log_ratios[number]), scores.rewards)


def robust(steps: Steps, number: int, folds: NDArray[np.int64]) -> Terms:
    """The doubly robust estimate over tokens, its model fitted to what the value head says.

    The head's own Q is that of the log's policy, its scale is shrunk by priors, and some
    algorithms learn V in the first state only. So Q of π_β is fitted anew, with six numbers:
    1, k, V(s_k), V(s_0), the advantages of what was said before, and A(s_k, a_k).

    Args:
        steps: of the log.
        number: which β.
        folds: (N,) episodes of one prompt share a fold; see `fitted_q`.
    """
    first = np.broadcast_to(steps.values[:, :1], steps.values.shape)
    before = np.cumsum(steps.advantages, 1) - steps.advantages
    place = np.broadcast_to(np.arange(first.shape[1], dtype=float), first.shape)
    known = [np.ones_like(first), place, steps.values, first, before]
    taken = np.stack([*known, steps.advantages], -1)  # (N, K, F)
    expected = np.stack([*known, steps.means[number]], -1)
    q, v = fitted_q(taken, expected, steps.rewards, steps.mask, folds)
    w = weights(steps.log_ratios[number])
    return doubly_robust(w, steps.rewards, q, v, normalise=True)
