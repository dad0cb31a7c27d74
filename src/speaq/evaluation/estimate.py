"""Off-policy estimates from turn-level importance ratios: arithmetic on arrays, nothing else.

N episodes of at most J turns, under G values of β. An episode with fewer turns earns nothing in
the turns it does not have and keeps its weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import EvidenceError, SettingsError
from speaq.core.seeds import generator

LOG_CLIP = 4.0
"""Weights are clipped at e⁴ ≈ 55: one reply never stands for more than that many."""

Floats = NDArray[np.float64]


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

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise SettingsError(
                f"gate setting level = {self.level} must be in [0.5, 1).",
                f"gate 的 level = {self.level} 必须在 [0.5, 1) 内。",
            )


@dataclass(frozen=True)
class Scores:
    """What one pass over the log gives."""

    betas: tuple[float, ...]
    log_ratios: Floats  # (G, N, J) ln π_β(turn)/μ(turn)
    kl: Floats  # (G, N) nats per episode
    rewards: Floats  # (N, J)


@dataclass(frozen=True)
class Estimate:
    """What one β is predicted to earn per episode."""

    beta: float
    predicted: float
    low: float
    high: float
    gain: float
    """Predicted over what the log itself earned."""
    gain_low: float
    """Lower end of the interval of the gain, from the same bootstrap draws."""
    ess: float
    """Effective sample size, (Σw)²/Σw², in episodes."""
    kl: float
    """KL(π_β ‖ π) in nats per episode, over the log's states."""


def weights(log_ratios: Floats) -> Floats:
    """Cumulative clipped weights of turns: (..., J) -> (..., J)."""
    return np.exp(np.minimum(np.cumsum(log_ratios, axis=-1), LOG_CLIP))


def self_normalised(weight_sums: Floats, reward_sums: Floats) -> Floats:
    """Σ_j (Σ_i w_ij r_ij)/(Σ_i w_ij) from sums over episodes: (..., J) twice -> (...).

    A turn that no episode has any weight in counts 0; its effective sample size is 0 as well.
    """
    none = np.zeros_like(weight_sums)
    means: Floats = np.divide(reward_sums, weight_sums, out=none, where=weight_sums > 0).sum(-1)
    return means


def effective_size(w: Floats) -> float:
    """(Σw)²/Σw² of weights (N,): how many equally weighted episodes say as much."""
    if not w.any():
        return 0.0
    w = w / w.max()  # squares of tiny weights would vanish
    return float(w.sum() ** 2 / (w**2).sum())


def estimates(
    scores: Scores, groups: Sequence[str], settings: GateSettings, seed: int
) -> list[Estimate]:
    """Estimates for every β; episodes of one group (prompt) are drawn together.

    Raises:
        EvidenceError: fewer than 5 groups; no interval could be trusted.
    """
    names, place = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    if len(names) < 5:
        raise EvidenceError(
            f"the log holds {len(names)} different prompts; the gate needs at least 5 to say how "
            "much its prediction would vary.",
            f"日志只有 {len(names)} 个不同的提示；闸门至少需要 5 个才能估计预测的波动。",
        )
    draws = generator(seed, "gate").multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=settings.draws
    )  # (draws, P)
    logged = _group_sums(np.ones_like(scores.rewards), scores.rewards, place, len(names))
    logged_mean = float(self_normalised(*(part.sum(0) for part in logged)))
    logged_draws = self_normalised(*(np.tensordot(draws, part, 1) for part in logged))
    tail = (1 - settings.level) / 2
    rows = []
    for number, beta in enumerate(scores.betas):
        w = weights(scores.log_ratios[number])  # (N, J)
        sums = _group_sums(w, scores.rewards, place, len(names))
        predicted = float(self_normalised(*(part.sum(0) for part in sums)))
        drawn = self_normalised(*(np.tensordot(draws, part, 1) for part in sums))
        low, high = np.quantile(drawn, [tail, 1 - tail])
        rows.append(
            Estimate(
                beta=beta,
                predicted=predicted,
                low=float(low),
                high=float(high),
                gain=predicted - logged_mean,
                gain_low=float(np.quantile(drawn - logged_draws, tail)),
                ess=effective_size(w[:, -1]),
                kl=float(scores.kl[number].mean()),
            )
        )
    return rows


def _group_sums(
    w: Floats, rewards: Floats, place: NDArray[np.intp], groups: int
) -> tuple[Floats, Floats]:
    """Sums of w and of w·r within each group: (P, J) each."""
    sums = np.zeros((2, groups, w.shape[1]))
    np.add.at(sums[0], place, w)
    np.add.at(sums[1], place, w * rewards)
    return sums[0], sums[1]
