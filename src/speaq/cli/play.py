"""speaq play: learn by playing in a text environment, exploring on the way.

zh: 在文本环境中边交互、边探索、边学习。
"""

import copy
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import tyro

from speaq.cli.inputs import open_model, read_log
from speaq.cli.options import filled, pairs, parse, take_config
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.environments.environment import BringsLog, BringsModel
from speaq.models.head import HeadSettings
from speaq.qlearning.online import OnlineSettings, learn_online
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

if TYPE_CHECKING:
    from speaq.experience.episode import Episode
    from speaq.models.language_model import LanguageModel

ABOUT = (
    "Learn by playing. The same command on the same folder continues an interrupted run. "
    "--config FILE reads these settings from YAML; the command line wins.",
    "边交互边学习。对同一目录再次运行同一命令即可继续中断的运行。"
    "--config 文件 从 YAML 读取设置；命令行优先。",
)


@dataclass(frozen=True)
class Play:
    """Options of `speaq play`."""

    environment: Annotated[str, tyro.conf.Positional]
    """randomwalks, maze, wordle, ...; another package's; or module:class."""
    model: str = ""
    """pypi:PACKAGE, a model folder, a hub id or new:PRESET; unset: the environment's own
    untrained one."""
    algorithm: str = "dqn"
    """dqn, ilql, soft-q, mc, ... (values)."""
    options: tuple[str, ...] = ()
    """The algorithm's own settings, as name=value; a mapping in YAML."""
    rules: tuple[str, ...] = ()
    """The environment's own settings, as name=value; a mapping in YAML."""
    episodes: int = 32
    """Episodes of a round, played side by side."""
    log: str = ""
    """Episodes that were there before: a data file, an experience store or its URL; or `own`, the
    environment's own log."""
    folder: Path | None = None
    """The run folder; unset: runs/ENVIRONMENT. The model goes to its subfolder model."""
    seed: int = 0
    """Of everything random."""
    online: OnlineSettings = field(default_factory=OnlineSettings)
    """When and how to play."""
    learn: Annotated[LearnSettings, tyro.conf.arg(name="")] = field(
        default_factory=lambda: LearnSettings(trunk="full", folds=0)
    )
    """What is trained."""
    loop: LoopSettings = field(default_factory=LoopSettings)
    """How long and how fast to train."""
    head: HeadSettings = field(default_factory=lambda: HeadSettings(kind="linear"))
    """The value head."""
    replay: ReplaySettings = field(default_factory=ReplaySettings)
    """How what was played is replayed."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = _options(args)
    environment = _environment(options.environment, pairs(options.rules, "rules"))
    model = _model(environment, options)
    name = options.environment.rpartition(":")[2].lower()
    run = learn_online(
        model,
        [copy.copy(environment) for _ in range(options.episodes)],
        options.algorithm,
        log=_log(environment, options),
        settings=options.online,
        learn=options.learn,
        options=pairs(options.options, "options"),
        loop=options.loop,
        head=options.head,
        replay=options.replay,
        folder=options.folder or Path("runs") / name,
        seed=options.seed,
    )
    place = run.folder / "model"
    run.model.save(place)
    earned = [row["return"] for row in run.metrics if "return" in row]
    print(
        say(
            f"{len(earned)} rounds of {options.episodes} episodes: mean return {earned[0]:.4g} at "
            f"first, {earned[-1]:.4g} in the last. The model is in {place}, curves in "
            f"{run.folder / 'plots'}.",
            f"共 {len(earned)} 轮，每轮 {options.episodes} 个片段：平均回报最初为 {earned[0]:.4g}，"
            f"最后为 {earned[-1]:.4g}。模型在 {place}，曲线在 {run.folder / 'plots'}。",
        )
    )


def _options(args: Sequence[str]) -> Play:
    args, values, file = take_config(args)
    for name in ("options", "rules"):
        if isinstance(values.get(name), Mapping):
            given = cast(Mapping[str, Any], values[name])
            values[name] = [f"{key}={value}" for key, value in given.items()]
    chosen = parse(Play, args, "play", ABOUT, filled(Play, values, file))
    if chosen.episodes < 1:
        raise SettingsError(
            f"episodes = {chosen.episodes} must be at least 1.",
            f"episodes = {chosen.episodes} 至少为 1。",
        )
    return chosen


def _environment(name: str, rules: Mapping[str, Any]) -> Any:
    """The environment behind a name, with its settings.

    Raises:
        SettingsError: no such environment, or a setting that it does not have or that is missing.
    """
    from speaq.core.registry import load

    made = load("environments", name)
    try:
        inspect.signature(made).bind(**rules)
    except TypeError as error:
        raise SettingsError(
            f"environment {name} cannot be set up: {error}; it takes {inspect.signature(made)}.",
            f"无法建立环境 {name}：{error}；其参数为 {inspect.signature(made)}。",
        ) from error
    return made(**rules)


def _model(environment: Any, options: Play) -> "LanguageModel":
    if options.model:
        return open_model(options.model)
    if not isinstance(environment, BringsModel):
        raise SettingsError(
            f"environment {options.environment} brings no model of its own; name one by --model.",
            f"环境 {options.environment} 没有自带模型；请用 --model 指定。",
        )
    import torch

    from speaq.core.devices import device, threads

    torch.set_num_threads(threads())
    return environment.model(options.seed).to(device())


def _log(environment: Any, options: Play) -> "list[Episode]":
    if options.log == "own":
        if not isinstance(environment, BringsLog):
            raise SettingsError(
                f"environment {options.environment} brings no log of its own; name a file.",
                f"环境 {options.environment} 没有自带日志；请指定文件。",
            )
        return environment.log()
    return read_log(options.log, options.learn.reward) if options.log else []
