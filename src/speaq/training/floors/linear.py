"""One linear map from what was to what comes: NLinear (Zeng et al. 2023), fitted in closed form.

    forecast = (past - last) · W + last        W: look-back × horizon, one for all series

The weights are those of ridge regression rather than of gradient descent: the same function class
(DLinear's trend and season are linear maps of the same past, so it is the same class again; Toner
and Darlow 2024), the optimum itself, in seconds and without a seed. Look-back and ridge are chosen
on the end of what is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError

Values = NDArray[np.float64]
LOOK_BACKS = (24, 48, 96, 168, 336, 512)
RIDGES = (1e-5, 1e-3, 1e-2, 1e-1, 1.0)
"""Relative to the mean square of what the weights read."""
_AT_ONCE = 4096


@dataclass(frozen=True)
class LinearMap:
    """The fitted map."""

    weights: Values
    """(L, H)."""
    ridge: float

    @property
    def look_back(self) -> int:
        """How many values are read."""
        return int(self.weights.shape[0])

    @property
    def horizon(self) -> int:
        """How many are foretold."""
        return int(self.weights.shape[1])

    def ahead(self, past: Values) -> Values:
        """Forecasts (..., H) from pasts (..., at least L), the latest last."""
        past = past[..., past.shape[-1] - self.look_back :]
        last = past[..., -1:]
        made: Values = (past - last) @ self.weights + last
        return made


def windows(values: Values, length: int, begin: int, end: int) -> Values:
    """All stretches (end - begin - length + 1, length) of a series within [begin, end)."""
    return np.lib.stride_tricks.sliding_window_view(values[begin:end], length)


def fitted(
    series: Sequence[Values], horizon: int, look_back: int, ridges: Sequence[float] = RIDGES
) -> list[LinearMap]:
    """The map for each ridge, from all windows of some series (standardised).

    Raises:
        DataError: no series is as long as look-back and horizon.
    """
    length = look_back + horizon
    gram = np.zeros((look_back, look_back))
    cross = np.zeros((look_back, horizon))
    count = 0
    for values in series:
        if len(values) < length:
            continue
        found = windows(values, length, 0, len(values))
        for start in range(0, len(found), _AT_ONCE):
            part = found[start : start + _AT_ONCE]
            last = part[:, look_back - 1 : look_back]
            past, wanted = part[:, :look_back] - last, part[:, look_back:] - last
            gram += past.T @ past
            cross += past.T @ wanted
            count += len(part)
    if not count:
        raise DataError(
            f"no series has the {length} values that a look-back of {look_back} and a horizon of "
            f"{horizon} need.",
            f"没有序列达到回看 {look_back} 加步长 {horizon} 所需的 {length} 个值。",
        )
    # A series that never changes leaves nothing to read; any weights do.
    size = max(float(np.trace(gram)) / look_back, 1e-12)
    eye = np.eye(look_back)
    return [
        LinearMap(np.asarray(np.linalg.solve(gram + each * size * eye, cross), np.float64), each)
        for each in ridges
    ]


def chosen(
    known: Sequence[Values],
    later: Sequence[Values],
    horizon: int,
    look_backs: Sequence[int] = LOOK_BACKS,
    ridges: Sequence[float] = RIDGES,
) -> LinearMap:
    """The map with the least squared error on what came later.

    Args:
        known: series to fit on, standardised.
        later: for each, what followed, in the same scale.
        horizon: steps that are foretold.
        look_backs: to try, as far as the series are long enough.
        ridges: to try.

    Raises:
        DataError: the series are too short for the horizon.
    """
    longest = max(map(len, known))
    fitting = [each for each in look_backs if each + horizon <= longest // 2]
    best: tuple[float, LinearMap] | None = None
    for look_back in fitting or [max(1, min(longest - horizon, horizon))]:
        for found in fitted(known, horizon, look_back, ridges):
            error = squared_error(found, known, later)
            if best is None or error < best[0]:
                best = error, found
    assert best is not None
    return best[1]


def squared_error(found: LinearMap, known: Sequence[Values], later: Sequence[Values]) -> float:
    """Mean squared error of forecasts that begin in what came later."""
    errors, count = 0.0, 0
    for before, after in zip(known, later, strict=True):
        for past, wanted in origins(before, after, found.look_back, found.horizon):
            errors += float(np.square(found.ahead(past) - wanted).sum())
            count += wanted.size
    return errors / count if count else float("inf")


def origins(
    before: Values, after: Values, look_back: int, horizon: int
) -> list[tuple[Values, Values]]:
    """Pasts (n, L) and what followed (n, H) for every start in `after`, some thousands at once."""
    joined = np.concatenate([before[max(0, len(before) - look_back) :], after])
    if len(joined) < look_back + horizon:
        return []
    found = windows(joined, look_back + horizon, 0, len(joined))
    parts = [found[start : start + _AT_ONCE] for start in range(0, len(found), _AT_ONCE)]
    return [(part[:, :look_back], part[:, look_back:]) for part in parts]
