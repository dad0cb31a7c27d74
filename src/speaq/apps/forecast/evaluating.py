"""Measuring a forecaster on the end of series."""

from collections.abc import Sequence

import numpy as np

from speaq.apps.forecast.foretelling import Forecaster
from speaq.apps.forecast.measures import coverage, crps, smape
from speaq.apps.forecast.series import Series
from speaq.core.errors import DataError
from speaq.training.floors.linear import origins
from speaq.training.floors.series import mase, seasonal_naive


def evaluate(
    forecaster: Forecaster, series: Sequence[Series], test: float, level: float
) -> dict[str, dict[str, float]]:
    """Measures by series, and their means as `all` where there are several.

    A forecast begins at every step of the end. MASE is relative to the season before, one step
    after another, over what comes before the end; `seasonal_mase` is that floor's own at the
    same horizon.

    Raises:
        DataError: a series is too short, or `test` is no share.
    """
    if not 0 < test < 1:
        raise DataError("test must lie in (0, 1).", "test 必须在 (0, 1) 内。", field="test")
    found = {each.name: _measures(forecaster, each, test, level) for each in series}
    if len(found) > 1:
        names = next(iter(found.values()))
        found["all"] = {
            name: float(np.mean([each[name] for each in found.values()])) for name in names
        }
    return found


def _measures(
    forecaster: Forecaster, series: Series, test: float, level: float
) -> dict[str, float]:
    horizon, season = forecaster.settings.horizon, forecaster.settings.season
    border = int(len(series.values) * (1 - test))
    before, after = series.values[:border], series.values[border:]
    parts = origins(before, after, forecaster.reads, horizon)
    if not parts or len(before) <= season:
        raise DataError(
            f"'{series.name}' has {len(series.values)} values, too few to forecast {horizon} "
            f"steps within its last {test:.0%}.",
            f"“{series.name}”只有 {len(series.values)} 个值，"
            f"不足以在其最后 {test:.0%} 内预测 {horizon} 步。",
        )
    past = np.concatenate([each for each, _ in parts])
    then = np.concatenate([each for _, each in parts])
    ahead = forecaster.ahead(past)
    lower, upper = forecaster.band(past, level, series.name)
    levels, quantiles = forecaster.bands_of(series.name).quantiles(ahead, past)
    floor = seasonal_naive(past, season, horizon)
    return {
        "mase": mase(before, then, ahead, season),
        "seasonal_mase": mase(before, then, floor, season),
        "smape": smape(then, ahead),
        "mse": float(np.square(then - ahead).mean()),
        "mae": float(np.abs(then - ahead).mean()),
        "crps": crps(then, quantiles, levels),
        f"coverage{level * 100:g}": coverage(then, lower, upper),
        "windows": float(len(then)),
    }
