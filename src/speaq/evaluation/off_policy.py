"""What a policy would earn, from a log of another: the estimators, as sums over episodes.

N logged episodes of at most J decisions (turns, or single tokens). Every estimator here is

    Σ_j (Σ_i above_ij) / (Σ_i below_ij)

and returns the two arrays. What they share, sums over groups of episodes and the bootstrap over
them, stands once in `intervals`. An episode with fewer decisions earns nothing in those it does
not have and keeps its weight. Returns are not discounted; who discounts, discounts the rewards.

    inverse_propensity  unbiased where the log's policy is known; its variance grows with weights
    self_normalised     forgives weights that do not sum to N; biased by 1/N, seldom noticeably
    direct              believes a model of the values, as far as it is right
    doubly_robust       unbiased if the weights or the model are right, and quiet if both are
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LOG_CLIP = 4.0
"""Weights are clipped at e⁴ ≈ 55: one reply never stands for more than that many."""

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """The summands of one estimate."""

    above: Floats  # (N, J)
    below: Floats  # (N, J)

    def minus(self, other: "Terms") -> "Terms":
        """The summands of the difference between two estimates from one log."""
        return Terms(np.hstack([self.above, -other.above]), np.hstack([self.below, other.below]))


def weights(log_ratios: Floats, log_clip: float = LOG_CLIP) -> Floats:
    """Weight of everything up to each decision: ln π(a|s)/μ(a|s) (..., J) -> (..., J).

    Clipped at e^`log_clip`; infinity does not clip.
    """
    return np.exp(np.minimum(np.cumsum(log_ratios, axis=-1), log_clip))


def inverse_propensity(w: Floats, rewards: Floats) -> Terms:
    """1/N Σ_ij w_ij r_ij (Horvitz and Thompson 1952; per decision: Precup, Sutton and Singh 2000).

    Args:
        w: (N, J) from `weights`.
        rewards: (N, J).
    """
    return Terms(w * rewards, np.ones_like(w))


def self_normalised(w: Floats, rewards: Floats) -> Terms:
    """Σ_j Σ_i w_ij r_ij / Σ_i w_ij (SNIPS: Swaminathan and Joachims 2015), shapes as above."""
    return Terms(w * rewards, w)


def direct(values: Floats) -> Terms:
    """The mean of a model's values (N,) of the episodes' first states."""
    return Terms(values[:, None], np.ones((len(values), 1)))


def doubly_robust(
    w: Floats, rewards: Floats, q: Floats, v: Floats, *, normalise: bool = False
) -> Terms:
    """v_0 + Σ_j w_j (r_j + v_{j+1} - q_j), averaged over episodes.

    With one decision the estimator of Dudík, Langford and Li (2011); with more that of Jiang and
    Li (2016, equation 10), unrolled. Whatever q is, the mean is right if the weights are and
    v(s) = Σ_a π(a|s) q(s, a).

    Args:
        w: (N, J) from `weights`.
        rewards: (N, J).
        q: (N, J) the model's value of each action taken; 0 where an episode has no more.
        v: (N, J) the model's value of each state under the policy that is asked about; 0 as well.
        normalise: divide by the sums of weights instead of N (WDR: Thomas and Brunskill 2016).
    """
    after = np.zeros_like(v)
    after[:, :-1] = v[:, 1:]
    below = w if normalise else np.ones_like(w)
    first = direct(v[:, 0])
    return Terms(
        np.hstack([first.above, w * (rewards + after - q)]), np.hstack([first.below, below])
    )


def effective_size(w: Floats) -> float:
    """(Σw)²/Σw² of weights (N,): how many equally weighted episodes say as much (Kish 1965)."""
    if not w.any():
        return 0.0
    w = w / w.max()  # squares of tiny weights would vanish
    return float(w.sum() ** 2 / (w**2).sum())
