"""The floor of forecasting: what was measured a season ago comes again."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.core.settings import require
from speaq.text.files.readers import read_rows

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SeriesSettings:
    """A task of forecasting."""

    season: int = 24
    """Steps after which things repeat: 24 for hours of days, 7 for days of weeks, 1 for none."""
    horizon: int = 96
    """Steps that are forecast."""
    test: float = 0.2
    """Share of the series, its end, that forecasts are measured on."""

    def __post_init__(self) -> None:
        rules = {
            "season": (self.season >= 1, "≥ 1"),
            "horizon": (self.horizon >= 1, "≥ 1"),
            "test": (0 < self.test < 1, "in (0, 1)"),
        }
        require("series", self, rules)


def seasonal_naive(past: Values, season: int, horizon: int) -> Values:
    """Forecast by the last season: past (..., N), the latest last -> (..., horizon).

    Raises:
        DataError: less than a season is known.
    """
    if past.shape[-1] < season:
        raise DataError(
            f"{past.shape[-1]} values are less than a season of {season}.",
            f"只有 {past.shape[-1]} 个值，不足一个周期 {season}。",
        )
    last = past[..., past.shape[-1] - season :]
    repeats = math.ceil(horizon / season)
    return np.asarray(np.tile(last, repeats)[..., :horizon])


def mase(past: Values, wanted: Values, found: Values, season: int) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006, eq. for seasonal data).

    The mean absolute error of forecasts (..., H), divided by that of the seasonal naive one, one
    step after another, over the past (N,). Below 1 is better than the floor.
    """
    # A series that repeats itself exactly leaves no error to compare with.
    scale = max(float(np.abs(past[season:] - past[:-season]).mean()), 1e-12)
    return float(np.abs(wanted - found).mean()) / scale


def series_measures(values: Values, settings: SeriesSettings) -> dict[str, Any]:
    """How well the season before foretells the end of a series (N,).

    Forecasts of `horizon` steps begin at every step of the test part. Errors are of values
    standardised by mean and deviation of the part before it, as in the tables of ETT.

    Raises:
        DataError: the series is too short.
    """
    border = int(len(values) * (1 - settings.test))
    windows = len(values) - border - settings.horizon + 1
    if windows < 1 or border <= settings.season:
        raise DataError(
            f"{len(values)} values are too few for a season of {settings.season} and a horizon "
            f"of {settings.horizon} with a test share of {settings.test:g}.",
            f"{len(values)} 个值不足以支持周期 {settings.season}、步长 {settings.horizon} "
            f"与测试比例 {settings.test:g}。",
        )
    known = values[:border]
    scaled = (values - known.mean()) / max(float(known.std()), 1e-12)
    starts = np.arange(border, border + windows)
    wanted = np.stack([scaled[start : start + settings.horizon] for start in starts])
    past = np.stack([scaled[start - settings.season : start] for start in starts])
    found = seasonal_naive(past, settings.season, settings.horizon)
    return {
        "mse": float(np.square(wanted - found).mean()),
        "mae": float(np.abs(wanted - found).mean()),
        "mase": mase(scaled[:border], wanted, found, settings.season),
        "windows": float(windows),
    }


def read_series(file: Path | str, column: str) -> Values:
    """The numbers of a column, in the order of the rows.

    Raises:
        DataError: no such file or column, or a value that is no number.
    """
    found = []
    for row, record in read_rows(file):
        try:
            found.append(float(record[column]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"expected a number (columns found: {', '.join(record)}).",
                f"应为数字（现有的列：{'、'.join(record)}）。",
                file=file,
                row=row,
                field=column,
            ) from error
    return np.array(found)
