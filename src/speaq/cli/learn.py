"""speaq learn: learn from a log what to say; a run folder with a model in it.

zh: 从日志中学习该说什么，得到运行目录及其中的模型。
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, cast

import tyro

from speaq.cli.inputs import open_model, read_log
from speaq.cli.options import chosen, filled, pairs, parse, take_config
from speaq.core.language import say
from speaq.models.head import HeadSettings
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings, loop_defaults
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

ABOUT = (
    "Learn from a log. The same command on the same folder continues an interrupted run. "
    "--config FILE reads these settings from YAML; the command line wins.",
    "从日志学习。对同一目录再次运行同一命令即可继续中断的运行。"
    "--config 文件 从 YAML 读取设置；命令行优先。",
)


@dataclass(frozen=True)
class Which:
    """What the other defaults depend on."""

    algorithm: str = "dae"
    """dae, mc, ilql (values); bc, filtered-bc (imitation); or another package's."""
    learn: Annotated[LearnSettings, tyro.conf.arg(name="")] = field(default_factory=LearnSettings)
    """What is trained, and on what."""


@dataclass(frozen=True)
class Learn:
    """Options of `speaq learn`."""

    model: Annotated[str, tyro.conf.Positional]
    """pypi:PACKAGE, a model folder, a hub id or new:PRESET."""
    log: Annotated[str, tyro.conf.Positional]
    """A data file, an experience store or its URL."""
    algorithm: str = "dae"
    """dae, mc, ilql (values); bc, filtered-bc (imitation); or another package's."""
    options: tuple[str, ...] = ()
    """The algorithm's own settings, as name=value; a mapping in YAML."""
    folder: Path | None = None
    """The run folder; unset: runs/ALGORITHM. The model goes to its subfolder model."""
    seed: int = 0
    """Of everything random."""
    learn: Annotated[LearnSettings, tyro.conf.arg(name="")] = field(default_factory=LearnSettings)
    """What is trained, and on what."""
    loop: LoopSettings = field(default_factory=LoopSettings)
    """How long and how fast to train."""
    head: HeadSettings = field(default_factory=HeadSettings)
    """The value head; with folds, members are counted by the folds."""
    replay: ReplaySettings = field(default_factory=ReplaySettings)
    """How the log is replayed."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = _options(args)
    model = open_model(options.model)
    log = read_log(options.log, options.learn.reward)
    run = learn(
        model,
        log,
        options.algorithm,
        settings=options.learn,
        options=pairs(options.options, "options"),
        loop=options.loop,
        head=options.head,
        replay=options.replay,
        folder=options.folder or Path("runs") / options.algorithm,
        seed=options.seed,
    )
    place = run.folder / "model"
    run.model.save(place)
    print(
        say(
            f"Learnt from {len(log)} episodes with {run.algorithm}; the model is in {place}, "
            f"curves in {run.folder / 'plots'}.",
            f"已用 {run.algorithm} 从 {len(log)} 个片段学习；模型在 {place}，"
            f"曲线在 {run.folder / 'plots'}。",
        )
    )


def _options(args: Sequence[str]) -> Learn:
    """The options; those of the loop default to what suits the algorithm and what it trains."""
    args, values, file = take_config(args)
    if isinstance(values.get("options"), Mapping):
        given = cast(Mapping[str, Any], values["options"])
        values["options"] = [f"{name}={value}" for name, value in given.items()]
    which = chosen(Which, args, "learn", values, file)
    suitable = loop_defaults(which.algorithm, which.learn)
    defaults = filled(Learn, values, file)
    loop = filled(LoopSettings, {**vars(suitable), **values.get("loop", {})}, file)
    return parse(Learn, args, "learn", ABOUT, replace(defaults, loop=loop))
