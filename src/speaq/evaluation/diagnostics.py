"""Numbers about a value function and the log it was learnt from: arithmetic on arrays alone.

N episodes of at most K tokens, or n tokens drawn from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Bin:
    """Tokens that belong together, and what was predicted of them and then received."""

    low: float
    """The smallest of what they were sorted by: place in the reply, or prediction."""
    high: float
    tokens: int
    predicted: float
    """Mean Q(s, a)."""
    received: float
    """Mean return from there on."""
    error: float
    """Standard error of what was received, as if tokens were independent: too small where an
    episode gives several."""


@dataclass(frozen=True)
class Calibration:
    """How predictions compare with what was received, over all tokens."""

    slope: float
    """Of a straight line of what was received over what was predicted: 1 if predictions are right
    on average wherever they stand, below 1 if they are too far apart."""
    correlation: float
    """Between the two; 0 where either never varies."""
    explained: float
    """R², the share of the variance of returns that the predictions explain as they stand; below 0
    if their mean alone would have predicted better."""
    gap: float
    """Mean of predicted minus received: above 0 is over-estimation."""
    gap_error: float
    """Its standard error, episodes with one prompt taken as one observation."""


def returns_to_go(rewards: Floats, discount: float) -> Floats:
    """Σ_j γ^j r_{k+j} at each token: (N, K), 0 on padding -> (N, K)."""
    total = np.zeros(len(rewards))
    backwards = []
    for k in reversed(range(rewards.shape[1])):
        total = rewards[:, k] + discount * total
        backwards.append(total)
    return np.stack(backwards[::-1], 1)


def accounts(first: Floats, advantages: Floats, discount: float) -> Floats:
    """V(s_0) + Σ_{j≤k} γ^j A(s_j, a_j), what is expected of an episode after each of its tokens.

    Args:
        first: (N,) V of the first state.
        advantages: (N, K) centred, 0 on padding.
        discount: γ.
    """
    powers = discount ** np.arange(advantages.shape[1])
    spent: Floats = first[:, None] + np.cumsum(powers * advantages, axis=1)
    return spent


def calibrate(predicted: Floats, received: Floats, groups: Sequence[object]) -> Calibration:
    """Compare n predictions with n returns; `groups` (n,) says what is not independent."""
    error = predicted - received
    moves, varies = predicted.std(), received.std()
    both = float(((predicted - predicted.mean()) * (received - received.mean())).mean())
    _, place = np.unique(np.array([str(each) for each in groups]), return_inverse=True)
    sums = np.bincount(place, error - error.mean())
    return Calibration(
        slope=both / moves**2 if moves > 0 else 0.0,
        correlation=both / (moves * varies) if moves > 0 and varies > 0 else 0.0,
        explained=1 - float((error**2).mean()) / varies**2 if varies > 0 else 0.0,
        gap=float(error.mean()),
        gap_error=float(np.sqrt((sums**2).sum()) / len(error)),
    )


def binned(by: Floats, predicted: Floats, received: Floats, bins: int) -> list[Bin]:
    """At most `bins` groups of nearly equal size, sorted by `by`; equal ones stay together."""
    edges = np.unique(np.quantile(by, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, by, side="right") - 1, 0, max(len(edges) - 2, 0))
    made = []
    for each in np.unique(place):
        inside = place == each
        count = int(inside.sum())
        made.append(
            Bin(
                low=float(by[inside].min()),
                high=float(by[inside].max()),
                tokens=count,
                predicted=float(predicted[inside].mean()),
                received=float(received[inside].mean()),
                error=float(received[inside].std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0,
            )
        )
    return made


def effective_number(counts: Ints) -> float:
    """exp(entropy) of how often each token was taken: of so many equally frequent ones."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


@dataclass(frozen=True)
class Lag:
    """How far the slow copy of the head is behind, over the same tokens."""

    distance: float
    """Root mean square of Q - Q̄, in units of the reward."""
    share: float
    """The same as a share of the spread (standard deviation) of Q; 0 where Q never varies."""


def lag(online: Floats, target: Floats) -> Lag:
    """Compare Q (n,) with the target network's Q̄ (n,)."""
    distance, spread = float(np.sqrt(((online - target) ** 2).mean())), float(online.std())
    return Lag(distance, distance / spread if spread > 0 else 0.0)
