"""Confidence that means what it says, and the courage to say nothing.

Scores are divided by one temperature, fitted on validation data (Guo et al. 2017, section 4.2):
accuracy does not change, and of the answers given with confidence 0.8 about 80 % are right. Below
a threshold the answer is "none of these": it is set so that a chosen share of the validation
examples, all of them in scope, is still answered.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GOLDEN = (5**0.5 - 1) / 2


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def fit_temperature(logits: NDArray[np.float32], wanted: Sequence[int]) -> float:
    """The temperature in [0.05, 20] of least negative log-likelihood: logits (N, C), N classes.

    The likelihood is convex in 1 / temperature, so a golden-section search over its logarithm
    finds the one minimum.
    """
    values = np.asarray(logits, np.float64)
    rows = np.arange(len(values))

    def cost(power: float) -> float:
        return float(-log_softmax(values / np.exp(power))[rows, list(wanted)].mean())

    low, high = np.log(0.05), np.log(20.0)
    for _ in range(60):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if cost(left) <= cost(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def confidences(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Probability of the likeliest class: logits (N, C) -> (N,)."""
    probable = np.exp(log_softmax(np.asarray(logits, np.float64) / temperature))
    return np.asarray(probable.max(-1))


def threshold_at(confidence: NDArray[np.float64], coverage: float) -> float:
    """The largest threshold that still answers a share `coverage` of these examples."""
    ordered = np.sort(np.asarray(confidence))[::-1]
    kept = max(1, int(np.ceil(coverage * len(ordered) - 1e-9)))
    return float(ordered[kept - 1])


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 15
) -> float:
    """Expected calibration error: the mean gap of confidence and accuracy over equal-width bins,
    weighted by how many fall in each (Naeini et al. 2015)."""
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    total = 0.0
    for number in range(bins):
        here = place == number
        if here.any():
            total += abs(confidence[here].mean() - right[here].mean()) * here.mean()
    return float(total)


def out_of_scope_recall(
    inside: NDArray[np.float64], outside: NDArray[np.float64], coverage: float
) -> float:
    """Share of the out-of-scope examples that a threshold refuses which lets `coverage` of the
    in-scope examples pass."""
    return float((np.asarray(outside) < threshold_at(inside, coverage)).mean())
