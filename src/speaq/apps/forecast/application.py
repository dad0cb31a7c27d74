"""The application: series in, what comes next out with its band; every forecast an episode."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from speaq.apps.application import Answer, recorded
from speaq.apps.forecast.foretelling import (
    Forecaster,
    ForecastSettings,
    fit,
    open_forecaster,
)
from speaq.apps.forecast.series import Series, notes, of_numbers, parse_series
from speaq.core.errors import DataError, SettingsError
from speaq.core.files import digest
from speaq.core.settings import require
from speaq.experience.episode import Turn

FIT = "fit"
"""The source of an application that fits a forecaster to each request's own series."""
MOST_CHARACTERS = 8 << 20
MOST_SERIES = 200
_HISTORY = 2000
"""Values of the past that an answer repeats."""


@dataclass(frozen=True)
class ForecastRequest:
    """Series: as CSV text, or as lists of numbers by name.

    Raises:
        SettingsError: a field out of its range.
    """

    csv: str = ""
    """A table with a header: unique_id,ds,y, item_id,timestamp,target, or a column a series."""
    series: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Numbers at even steps, the latest last; null where nothing was measured."""
    columns: tuple[str, ...] = ()
    """Of a wide table, which to foretell; none: all."""
    horizon: int = 0
    """Steps; 0: as many as the forecaster was fitted for (24 where it is fitted now)."""
    season: int = 1
    """Where a forecaster is fitted now: steps after which things repeat."""
    levels: tuple[float, ...] = (0.8, 0.95)
    """Of the bands."""

    def __post_init__(self) -> None:
        rules = {
            "horizon": (0 <= self.horizon <= 10_000, "0 to 10000"),
            "season": (self.season >= 1, "≥ 1"),
            "levels": (all(0 < each <= 0.95 for each in self.levels), "above 0, up to 0.95"),
        }
        require("forecast", self, rules)
        if bool(self.csv.strip()) == bool(self.series):
            raise SettingsError(
                "forecast takes either csv or series.", "forecast 需要 csv 或 series，二者取一。"
            )
        if len(self.csv) > MOST_CHARACTERS:
            raise SettingsError(
                f"csv has more than {MOST_CHARACTERS >> 20} million characters; fit a forecaster "
                "to the file with speaq forecast train, and ask it with the latest values.",
                f"csv 超过 {MOST_CHARACTERS >> 20} 百万字符；请用 speaq forecast train "
                "对文件拟合预测器，再用最新的值来预测。",
            )

    def read(self) -> list[Series]:
        """The series.

        Raises:
            DataError: not a table of numbers, or too many series.
        """
        if self.csv.strip():
            found = parse_series(self.csv, self.columns)
        else:
            found = [of_numbers(name, numbers) for name, numbers in self.series.items()]
        if len(found) > MOST_SERIES:
            raise DataError(
                f"{len(found)} series in one request are too many (at most {MOST_SERIES}).",
                f"一次请求含 {len(found)} 条序列，过多（至多 {MOST_SERIES}）。",
            )
        return found


class Forecast:
    """A forecaster as an application.

    Args:
        forecaster: what foretells; None: one is fitted to each request.
    """

    name = "forecast"
    request = ForecastRequest

    def __init__(self, forecaster: Forecaster | None) -> None:
        self.forecaster = forecaster
        self.model = FIT if forecaster is None else forecaster.name

    @classmethod
    def open(cls, source: str) -> "Forecast":
        """A folder of `speaq forecast train`, its run folder, or `fit`."""
        if source == FIT:
            return cls(None)
        folder = Path(source)
        inner = folder / "model"
        return cls(open_forecaster(inner if inner.is_dir() else folder))

    def respond(self, request: ForecastRequest, answer_id: str) -> Iterator[str | Answer]:
        """The answer, all at once: a table as text, the numbers in its details."""
        yield self.foretell(request.read(), request, answer_id)

    def foretell(
        self, series: Sequence[Series], request: ForecastRequest, answer_id: str
    ) -> Answer:
        """As `respond`, for series that are at hand."""
        forecaster = self.forecaster or fit(
            series, ForecastSettings(request.horizon or 24, request.season)
        )
        steps = self._steps(forecaster, request.horizon)
        found = [_foretold(forecaster, each, steps, request.levels) for each in series]
        text = table(found)
        reply = Turn("action", text)
        known = digest(*(each.values.tobytes() for each in series))
        episode = recorded(
            app=self.name,
            model=forecaster.name,
            prompt=_prompt(series, steps, known),
            reply=reply,
            answer_id=answer_id,
            tags={"horizon": str(steps)},
        )
        mended = [{"en": en, "zh": zh} for en, zh in notes(series)]
        return Answer(episode, {"forecasts": found, "notes": mended})

    def _steps(self, forecaster: Forecaster, horizon: int) -> int:
        most = forecaster.settings.horizon
        if horizon > most:
            raise SettingsError(
                f"horizon = {horizon}, but this forecaster was fitted for {most} steps.",
                f"horizon = {horizon}，但该预测器只拟合到 {most} 步。",
            )
        return horizon or most


def _foretold(
    forecaster: Forecaster, series: Series, steps: int, levels: Sequence[float]
) -> dict[str, Any]:
    mean = forecaster.ahead(series.values)[:steps]
    bands = []
    for level in levels:
        lower, upper = forecaster.band(series.values, level, series.name)
        bands.append(
            {
                "level": level,
                "lower": _rounded(lower[:steps]),
                "upper": _rounded(upper[:steps]),
            }
        )
    return {
        "name": series.name,
        "times": series.ahead(steps),
        "mean": _rounded(mean),
        "bands": bands,
        "history": _rounded(series.values[-_HISTORY:]),
        "filled": series.filled,
    }


def _rounded(values: "np.ndarray[Any, np.dtype[np.float64]]") -> list[float]:
    """Six digits: what a reader and a chart need."""
    return [float(f"{value:.6g}") for value in values]


def table(forecasts: Sequence[Mapping[str, Any]]) -> str:
    """Forecasts as a long CSV: unique_id,ds,forecast and the ends of each band."""
    levels = [band["level"] for band in forecasts[0]["bands"]]
    ends = [f"{side}-{level * 100:g}" for level in levels for side in ("lo", "hi")]
    lines = [",".join(["unique_id", "ds", "forecast", *ends])]
    for each in forecasts:
        for place, time in enumerate(each["times"]):
            numbers = [each["mean"][place]]
            for band in each["bands"]:
                numbers += [band["lower"][place], band["upper"][place]]
            name = _quoted(each["name"])
            lines.append(",".join([name, time, *(f"{number:g}" for number in numbers)]))
    return "\n".join(lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\n') else name


def _prompt(series: Sequence[Series], steps: int, known: str) -> str:
    """What was asked: each series' name and last values, and a digest of all."""
    lines = []
    for each in series[:20]:
        shown = " ".join(f"{value:g}" for value in each.values[-24:])
        lines.append(f"{each.name} ({len(each.values)} values): ... {shown}")
    return "\n".join([*lines, f"next {steps} steps ({known})"])
