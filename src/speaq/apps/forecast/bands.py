"""How far reality strays from a forecast: split conformal bands (Lei et al. 2018, section 5.2).

For each step ahead, |actual - forecast| / spread is collected where both are known; its quantiles,
times the spread of the past at hand, are the half widths. Under exchangeability a band of 80 %
covers 80 %. The spread is the deviation of the look-back: noisy times get wide bands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Bands:
    """Half widths in units of the spread."""

    widths: Values
    """(levels, H)."""
    levels: tuple[float, ...] = LEVELS

    def around(self, forecast: Values, past: Values, level: float) -> tuple[Values, Values]:
        """Lower and upper ends (..., H) of the band of a level around forecasts (..., H).

        Args:
            forecast: the middle.
            past: (..., L) what it was made from.
            level: share of actual values inside, between those of `levels` by interpolation.
        """
        half = self._width(level) * spread(past)
        return forecast - half, forecast + half

    def quantiles(self, forecast: Values, past: Values) -> tuple[tuple[float, ...], Values]:
        """Levels in (0, 1) and the forecasts' quantiles (levels, ..., H), for CRPS."""
        halves = self.widths.reshape(len(self.levels), *(1,) * (forecast.ndim - 1), -1)
        halves = halves * spread(past)
        lower = [(1 - level) / 2 for level in reversed(self.levels)]
        upper = [(1 + level) / 2 for level in self.levels]
        found = np.concatenate([forecast - halves[::-1], forecast[None], forecast + halves])
        return (*lower, 0.5, *upper), found

    def _width(self, level: float) -> Values:
        columns = self.widths.T
        return np.array([np.interp(level, (0.0, *self.levels), (0.0, *each)) for each in columns])


def spread(past: Values) -> Values:
    """(..., 1) deviation of the look-back."""
    made: Values = past.std(-1, keepdims=True)
    return made


def calibrated(errors: Values, spreads: Values, levels: Sequence[float] = LEVELS) -> Bands:
    """Bands from errors (n, H) of forecasts and the spreads (n, 1) of their pasts.

    The quantile is the ⌈(n + 1)·level⌉-th smallest score, the largest where n is too small.
    """
    scores = np.sort(np.abs(errors) / np.maximum(spreads, 1e-12), axis=0)
    places = [min(len(scores), int(np.ceil((len(scores) + 1) * level))) - 1 for level in levels]
    return Bands(scores[places], tuple(levels))
