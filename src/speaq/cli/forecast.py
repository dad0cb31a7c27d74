"""speaq forecast: what comes next in series of numbers, with bands; fit, measure and teach.

zh: 预测数值序列的后续及其区间；可拟合、评测，并从反馈中学习。
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from speaq.apps.forecast.foretelling import ForecastSettings
from speaq.cli.actions import act
from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.language import say

if TYPE_CHECKING:
    from speaq.apps.application import Answer

RUN = (
    "Forecast the series of a table (unique_id,ds,y; item_id,timestamp,target; or a column a "
    "series): by a fitted forecaster, or by one that is fitted now.",
    "预测表中各序列（unique_id,ds,y；item_id,timestamp,target；或每列一条序列）："
    "使用已拟合的预测器，或当场拟合。",
)
TRAIN = (
    "Fit a forecaster to series: a linear map with its bands, or the season before where that is "
    "better.",
    "对序列拟合预测器：线性映射及其区间；若上一周期更准，则用上一周期。",
)
EVALUATE = (
    "MASE, sMAPE, MSE, CRPS and coverage of a forecaster on the end of series.",
    "在序列末段评测预测器：MASE、sMAPE、MSE、CRPS 与区间覆盖率。",
)
TOKENS = (
    "Train a small language model that foretells numbers as words. speaq learn, evaluate and fold "
    "take it as any other model.",
    "训练把数值当作词来预测的小语言模型。speaq learn、evaluate、fold 均可直接使用。",
)
LOG = (
    "Let such a model forecast where the outcome is known, and keep forecasts with what each "
    "step missed by: a log for speaq learn.",
    "让该模型在已知结果处预测，记录每一步的误差：供 speaq learn 学习的日志。",
)


@dataclass(frozen=True)
class Run:
    """Options of `speaq forecast run`."""

    data: Annotated[Path, tyro.conf.Positional]
    """A .csv, .tsv, .jsonl, .json or .parquet, also .gz."""
    model: str = "fit"
    """A folder of `speaq forecast train`; fit: fitted to the data now."""
    columns: tuple[str, ...] = ()
    """Of a wide table; none: all."""
    horizon: int = 0
    """Steps; 0: the forecaster's own (24 where it is fitted now)."""
    season: int = 1
    """Where it is fitted now: steps after which things repeat."""
    levels: tuple[float, ...] = (0.8, 0.95)
    """Of the bands."""
    format: Literal["csv", "json"] = "csv"
    """What is printed."""
    chart: Path | None = None
    """Draw history, forecast and bands into this PNG."""
    store: str = ""
    """Keep the forecast in this experience store, for feedback."""


@dataclass(frozen=True)
class Train:
    """Options of `speaq forecast train`."""

    data: Annotated[Path, tyro.conf.Positional]
    """As for `run`."""
    folder: Path = Path("runs/forecast")
    """Where the forecaster goes."""
    columns: tuple[str, ...] = ()
    """Of a wide table; none: all."""
    forecast: Annotated[ForecastSettings, tyro.conf.arg(name="")] = field(
        default_factory=ForecastSettings
    )
    """How it is fitted."""


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq forecast evaluate`."""

    data: Annotated[Path, tyro.conf.Positional]
    """As for `run`."""
    model: Path = Path("runs/forecast")
    """A folder of `speaq forecast train`, best fitted to other data than the end of these."""
    columns: tuple[str, ...] = ()
    """Of a wide table; none: all."""
    test: float = 0.2
    """Share of each series, its end, in which forecasts begin."""
    level: float = 0.8
    """Of the band whose coverage is counted."""


def main(args: list[str]) -> None:
    """Run the verb with its command line; a word that is no action is a table."""
    actions = {
        "run": (_run, RUN),
        "train": (_train, TRAIN),
        "evaluate": (_evaluate, EVALUATE),
        "tokens": (_tokens, TOKENS),
        "log": (_log, LOG),
    }
    plain = bool(args) and args[0] not in (*actions, "-h", "--help")
    act("forecast", actions, ["run", *args] if plain else args)


def _run(args: list[str]) -> None:
    options = parse(Run, args, "forecast run", RUN)
    from speaq.apps.application import new_id
    from speaq.apps.forecast.application import Forecast, ForecastRequest
    from speaq.apps.forecast.series import read_series

    application = Forecast.open(options.model)
    series = read_series(options.data, options.columns)
    request = ForecastRequest(
        series={each.name: tuple(each.values.tolist()) for each in series},
        horizon=options.horizon,
        season=options.season,
        levels=options.levels,
    )
    answer = application.foretell(series, request, new_id(application.name))
    for note in answer.details["notes"]:
        tell(note["en"], note["zh"])
    if options.store:
        _keep(answer, options.store)
    if options.chart is not None:
        from speaq.apps.forecast.chart import save_chart

        save_chart(answer.details["forecasts"], options.chart)
    print(
        json.dumps(answer.details, ensure_ascii=False) if options.format == "json" else answer.text
    )


def _keep(answer: "Answer", store: str) -> None:
    from speaq.experience.store import ExperienceStore

    with ExperienceStore(store) as kept:
        kept.append(answer.episode)
    tell(f"{store} holds it as {answer.id}.", f"已存入 {store}，编号 {answer.id}。")


def _train(args: list[str]) -> None:
    options = parse(Train, args, "forecast train", TRAIN)
    from speaq.apps.forecast.foretelling import fit
    from speaq.apps.forecast.series import notes, read_series

    series = read_series(options.data, options.columns)
    for note in notes(series):
        tell(*note)
    made = fit(series, options.forecast)
    made.save(options.folder)
    errors = made.facts["held_out_mse"]
    print(
        say(
            f"{options.folder} holds {made.name}; mean squared errors on what was held out: "
            f"linear {errors['linear']:.4g}, season before {errors['seasonal']:.4g}.",
            f"{options.folder} 中为 {made.name}；留出部分的均方误差："
            f"线性 {errors['linear']:.4g}，上一周期 {errors['seasonal']:.4g}。",
        )
    )


def _evaluate(args: list[str]) -> None:
    options = parse(Evaluate, args, "forecast evaluate", EVALUATE)
    from speaq.apps.forecast.evaluating import evaluate
    from speaq.apps.forecast.foretelling import open_forecaster
    from speaq.apps.forecast.series import read_series

    series = read_series(options.data, options.columns)
    forecaster = open_forecaster(options.model)
    for name, measures in evaluate(forecaster, series, options.test, options.level).items():
        shown = ", ".join(f"{kind} {value:.4g}" for kind, value in measures.items())
        print(f"{name}: {shown}")


def _tokens(args: list[str]) -> None:
    from speaq.cli.forecast_tokens import train

    train(args)


def _log(args: list[str]) -> None:
    from speaq.cli.forecast_tokens import log

    log(args)
