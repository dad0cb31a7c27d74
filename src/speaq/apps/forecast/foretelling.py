"""The forecaster: fitted to series, kept in a folder, asked for what comes next.

folder/
├── forecast.json          settings, what it was fitted to, floors beside it
└── forecast.safetensors   weights of the linear map, widths of the bands
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speaq.apps.forecast.bands import Bands, calibrated, spread
from speaq.apps.forecast.series import Series
from speaq.core.errors import DataError, ModelError
from speaq.core.files import digest, replacing_folder
from speaq.core.settings import require
from speaq.training.floors.linear import LOOK_BACKS, LinearMap, chosen, fitted, origins
from speaq.training.floors.series import seasonal_naive

Values = NDArray[np.float64]
FACTS, WEIGHTS = "forecast.json", "forecast.safetensors"
ALL = ""
_LEAST = 4
"""Forecasts whose errors are known, below which a band would be a guess."""


@dataclass(frozen=True)
class ForecastSettings:
    """How a forecaster is fitted."""

    horizon: int = 24
    """Steps that are foretold."""
    season: int = 1
    """Steps after which things repeat, for the floor and for MASE: 24 for hours of days, 7 for
    days of weeks, 12 for months, 1 for none."""
    held_out: float = 0.25
    """Share of each series, its end, on which look-back and ridge are chosen and bands are
    measured. The map is fitted to all of it afterwards."""
    refit: bool = True
    """False: the map stays fitted to what comes before the held out share."""

    def __post_init__(self) -> None:
        rules = {
            "horizon": (1 <= self.horizon <= 10_000, "1 to 10000"),
            "season": (self.season >= 1, "≥ 1"),
            "held_out": (0 < self.held_out <= 0.5, "in (0, 0.5]"),
        }
        require("forecast", self, rules)


@dataclass(frozen=True)
class Forecaster:
    """What foretells."""

    settings: ForecastSettings
    linear: LinearMap | None
    """None where the season before was better on what was held out."""
    bands: Mapping[str, Bands]
    """By the name of a series it was fitted to; of any other, that of all under `ALL`."""
    facts: Mapping[str, Any]

    @property
    def needs(self) -> int:
        """The fewest values a series must have."""
        return self.settings.season if self.linear is None else self.linear.look_back

    @property
    def name(self) -> str:
        """Kind and data, for records."""
        kind = "seasonal" if self.linear is None else "linear"
        return f"{kind}@{self.facts['data'][:8]}"

    def ahead(self, past: Values) -> Values:
        """The next values (..., horizon) after pasts (..., N).

        Raises:
            DataError: the past is too short.
        """
        if past.shape[-1] < self.needs:
            raise DataError(
                f"{past.shape[-1]} values are too few; this forecaster reads {self.needs}.",
                f"{past.shape[-1]} 个值过少；该预测器需要读取 {self.needs} 个。",
            )
        if self.linear is None:
            return seasonal_naive(past, self.settings.season, self.settings.horizon)
        return self.linear.ahead(past)

    def band(self, past: Values, level: float, name: str = ALL) -> tuple[Values, Values]:
        """Lower and upper ends (..., horizon) that the values of a series should lie between."""
        read = past[..., past.shape[-1] - self.reads :]
        return self.bands_of(name).around(self.ahead(past), read, level)

    def bands_of(self, name: str) -> Bands:
        """The bands of a series; those of all where it is unknown."""
        return self.bands.get(name, self.bands[ALL])

    @property
    def reads(self) -> int:
        """Values by whose deviation bands are wide or narrow."""
        return max(self.needs, self.settings.season, 2)

    def save(self, folder: Path) -> None:
        """Write the folder, all or nothing; an older forecaster at that place is replaced.

        Raises:
            ModelError: the folder holds something that is not a forecaster.
            StorageError: the disk refused.
        """
        if folder.is_dir() and not (folder / FACTS).is_file() and any(folder.iterdir()):
            raise ModelError(
                f"{folder} exists and is not a forecaster's folder; choose another name, so that "
                "nothing of yours is overwritten.",
                f"{folder} 已存在且不是预测器的目录；请换一个名称，以免覆盖您的文件。",
            )
        record = {
            "settings": asdict(self.settings),
            "levels": self.bands[ALL].levels,
            "ridge": None if self.linear is None else self.linear.ridge,
            "facts": dict(self.facts),
        }
        tensors = {f"widths.{name}": each.widths for name, each in self.bands.items()}
        if self.linear is not None:
            tensors["weights"] = np.ascontiguousarray(self.linear.weights)
        with replacing_folder(folder) as temporary:
            text = json.dumps(record, ensure_ascii=False, indent=2)
            (temporary / FACTS).write_text(text + "\n", encoding="utf-8")
            save_file(tensors, temporary / WEIGHTS)


def open_forecaster(folder: Path) -> Forecaster:
    """The forecaster in a folder.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    if not (folder / FACTS).is_file():
        raise ModelError(
            f"{folder} is no forecaster: it has no {FACTS}; fit one with speaq forecast train.",
            f"{folder} 不是预测器：缺少 {FACTS}；请用 speaq forecast train 拟合。",
        )
    try:
        record = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
        weights = tensors.get("weights")
        return Forecaster(
            ForecastSettings(**record["settings"]),
            None if weights is None else LinearMap(weights, record["ridge"]),
            {
                name.removeprefix("widths."): Bands(each, tuple(record["levels"]))
                for name, each in tensors.items()
                if name.startswith("widths.")
            },
            record["facts"],
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"{folder} is damaged ({error}).", f"{folder} 已损坏（{error}）。"
        ) from error


def fit(series: Sequence[Series], settings: ForecastSettings) -> Forecaster:
    """A forecaster for series like these; one map for all of them.

    Raises:
        DataError: a series is too short.
    """
    for each in series:
        _require_long(each, settings)
    parts = [_parted(each.values, settings) for each in series]
    known, later = [part[0] for part in parts], [part[1] for part in parts]
    looks = sorted({settings.season, 2 * settings.season, *LOOK_BACKS})
    linear = chosen(known, later, settings.horizon, looks)
    errors = {
        kind: [
            _errors(Forecaster(settings, each, {}, {}), *part)
            for part in zip(known, later, strict=True)
        ]
        for kind, each in (("linear", linear), ("seasonal", None))
    }
    measured = {
        kind: float(np.square(np.concatenate([each for each, _ in found])).mean())
        for kind, found in errors.items()
    }
    better = "seasonal" if measured["seasonal"] < measured["linear"] else "linear"
    if better == "seasonal":
        kept = None
    elif settings.refit:
        whole = [np.concatenate(part) for part in parts]
        [kept] = fitted(whole, settings.horizon, linear.look_back, [linear.ridge])
    else:
        kept = linear
    facts = {
        "data": digest(*(each.values.tobytes() for each in series)),
        "series": len(series),
        "values": sum(len(each.values) for each in series),
        "held_out_mse": measured,
    }
    apart = [found for found, _ in errors[better]]
    spreads = [found for _, found in errors[better]]
    bands = {ALL: calibrated(np.concatenate(apart), np.concatenate(spreads))}
    for number, each in enumerate(series):
        bands[each.name] = calibrated(apart[number], spreads[number])
    return Forecaster(settings, kept, bands, facts)


def _errors(forecaster: Forecaster, before: Values, after: Values) -> tuple[Values, Values]:
    """Errors (n, H) of forecasts that begin in what was held out, and their spreads (n, 1)."""
    found = origins(before, after, forecaster.reads, forecaster.settings.horizon)
    errors = [wanted - forecaster.ahead(past) for past, wanted in found]
    return np.concatenate(errors), np.concatenate([spread(past) for past, _ in found])


def _require_long(series: Series, settings: ForecastSettings) -> None:
    steps, share = settings.horizon, settings.held_out
    later = (steps + _LEAST) / share
    before = (steps + settings.season + 1) / (1 - share)
    need = math.ceil(max(later, before)) + 1
    if len(series.values) < need:
        raise DataError(
            f"'{series.name}' has {len(series.values)} values; to foretell {settings.horizon} "
            f"steps at a season of {settings.season} at least {need} are needed. Give a longer "
            "series or a shorter horizon.",
            f"“{series.name}”只有 {len(series.values)} 个值；以周期 {settings.season} 预测 "
            f"{settings.horizon} 步至少需要 {need} 个。请提供更长的序列或缩短步长。",
        )


def _parted(values: Values, settings: ForecastSettings) -> tuple[Values, Values]:
    """What comes before the held out share, and that share, in units of the former."""
    border = len(values) - int(len(values) * settings.held_out)
    before = values[:border]
    scaled = (values - before.mean()) / (before.std() or 1.0)
    return scaled[:border], scaled[border:]
