"""How good forecasts are: MASE, sMAPE, CRPS and coverage, as the field defines them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def smape(wanted: Values, found: Values) -> float:
    """Symmetric mean absolute percentage error, in [0, 2] (Makridakis 1993, as in M4, over 100).

    Both zero counts as no error.
    """
    size = np.abs(wanted) + np.abs(found)
    apart = 2 * np.abs(wanted - found)
    return float(np.divide(apart, size, out=np.zeros_like(apart), where=size > 0).mean())


def pinball(wanted: Values, found: Values, level: float) -> float:
    """Mean quantile loss of one quantile's forecasts."""
    apart = wanted - found
    return float(np.maximum(level * apart, (level - 1) * apart).mean())


def crps(wanted: Values, quantiles: Values, levels: Sequence[float]) -> float:
    """Continuous ranked probability score as the mean of twice the pinball losses (Gneiting and
    Raftery 2007), over levels spaced as they are: wanted (..., H), quantiles (levels, ..., H).
    """
    losses = [
        2 * pinball(wanted, each, level) for level, each in zip(levels, quantiles, strict=True)
    ]
    # The integral over levels in (0, 1): each loss stands for the levels nearest to it.
    edges = np.concatenate([[0.0], (np.array(levels[1:]) + np.array(levels[:-1])) / 2, [1.0]])
    return float((np.diff(edges) * losses).sum())


def coverage(wanted: Values, lower: Values, upper: Values) -> float:
    """Share of values inside of their bands."""
    return float(((wanted >= lower) & (wanted <= upper)).mean())
