"""speaq forecast tokens, log: a language model of numbers, and its logged forecasts.

zh: 数值的语言模型，及其预测日志。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.apps.forecast.series import read_series
from speaq.apps.forecast.teaching import logged
from speaq.apps.forecast.tokens import TokenSettings, default_loop, settings_of, train_tokens
from speaq.cli.forecast import LOG, TOKENS
from speaq.cli.inputs import open_model
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.experience.store import ExperienceStore
from speaq.training.loop import LoopSettings


@dataclass(frozen=True)
class Tokens:
    """Options of `speaq forecast tokens`."""

    data: Annotated[Path, tyro.conf.Positional]
    """As for `run`."""
    folder: Path = Path("runs/forecast-tokens")
    """The run folder; the model goes to model in it."""
    columns: tuple[str, ...] = ()
    """Of a wide table; none: all."""
    horizon: int = 24
    """Steps that are foretold."""
    seed: int = 0
    """Of everything random."""
    tokens: TokenSettings = field(default_factory=TokenSettings)
    """Words and model."""
    loop: LoopSettings = field(default_factory=default_loop)
    """How long and how fast to train."""


@dataclass(frozen=True)
class Log:
    """Options of `speaq forecast log`."""

    model: Annotated[str, tyro.conf.Positional]
    """A model of `speaq forecast tokens`."""
    data: Annotated[Path, tyro.conf.Positional]
    """As for `run`, best later than what the model was trained on."""
    store: str = "forecasts.sqlite"
    """Where the episodes go: a file, made if missing, or a database URL."""
    columns: tuple[str, ...] = ()
    """Of a wide table; none: all."""
    samples: int = 4
    """Forecasts from each beginning."""
    stride: int = 24
    """Steps from one beginning to the next."""
    beta: float = 0.0
    """Strength of guidance by the model's value head."""
    seed: int = 0
    """Of the draws."""


def train(args: list[str]) -> None:
    """Run the action `tokens` with its command line."""
    import torch

    from speaq.core.devices import threads

    options = parse(Tokens, args, "forecast tokens", TOKENS)
    torch.set_num_threads(threads())
    series = [each.values for each in read_series(options.data, options.columns)]
    made = train_tokens(
        series, options.horizon, options.folder, options.tokens, options.loop, options.seed
    )
    print(
        say(
            f"{made.name} is in {options.folder / 'model'}, curves in {options.folder / 'plots'}.",
            f"{made.name} 在 {options.folder / 'model'}，曲线在 {options.folder / 'plots'}。",
        )
    )


def log(args: list[str]) -> None:
    """Run the action `log` with its command line."""
    options = parse(Log, args, "forecast log", LOG)
    series = [each.values for each in read_series(options.data, options.columns)]
    model = open_model(options.model)
    settings_of(model)  # refuses another kind of model before a store is made
    with ExperienceStore(options.store) as store:
        episodes = logged(
            model, series, options.samples, options.stride, seed=options.seed, beta=options.beta
        )
        new = sum(store.append(each) for each in episodes)
        count = store.count()
    print(
        say(
            f"{new} new forecasts; {options.store} holds {count} episodes.",
            f"新增 {new} 次预测；{options.store} 现有 {count} 个片段。",
        )
    )
