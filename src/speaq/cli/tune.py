"""speaq tune: search for a verb's best settings; every trial is a run folder.

zh: 搜索某个命令的最佳设置；每次试验都是一个运行目录。
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.cli.searchable import Verb
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.training.tuning import (
    BudgetSettings,
    Findings,
    GoalSettings,
    PruningSettings,
    SamplingSettings,
    look,
    tune,
)
from speaq.training.tuning.report import save
from speaq.training.tuning.vocabulary import listing

ABOUT = (
    "Search for the settings of another verb: speaq tune VERB ITS-WORDS --search "
    "loop.head_lr=log:1e-6..1e-3 options.ridge=0.1..10 head.kind=tied,linear --metric NAME. "
    "Values are low..high, log:low..high, low..high:step or a,b,c. The same command continues an "
    "interrupted search, or joins it from another process. Words after -- go to the verb "
    "untouched. speaq tune show FOLDER tells what a search has found so far.",
    "搜索另一命令的设置：speaq tune 命令 该命令的参数 --search loop.head_lr=log:1e-6..1e-3 "
    "options.ridge=0.1..10 head.kind=tied,linear --metric 名称。取值写作 下限..上限、"
    "log:下限..上限、下限..上限:步长 或 a,b,c。再次运行同一命令即可继续中断的搜索，"
    "或从另一进程加入。-- 之后的参数原样交给该命令。speaq tune show 目录 显示搜索的现有结果。",
)
SHOW = (
    "Tell what a search has found so far, also while it goes on, and draw its pictures anew.",
    "显示搜索的现有结果（进行中亦可），并重新绘图。",
)


@dataclass(frozen=True)
class Tune:
    """Options of `speaq tune`."""

    search: tuple[str, ...] = ()
    """What is searched, as name=values."""
    names: bool = False
    """List what may be searched, and do nothing else."""
    folder: Path | None = None
    """The search folder; unset: runs/tune-VERB."""
    goal: Annotated[GoalSettings, tyro.conf.arg(name="")] = field(default_factory=GoalSettings)
    """What is optimised."""
    sampling: Annotated[SamplingSettings, tyro.conf.arg(name="")] = field(
        default_factory=SamplingSettings
    )
    """How settings are chosen."""
    pruning: Annotated[PruningSettings, tyro.conf.arg(name="")] = field(
        default_factory=PruningSettings
    )
    """When a trial is not worth finishing."""
    budget: Annotated[BudgetSettings, tyro.conf.arg(name="")] = field(
        default_factory=BudgetSettings
    )
    """What may be spent."""


@dataclass(frozen=True)
class Show:
    """Options of `speaq tune show`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """A search folder."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    verb = args[0] if args and not args[0].startswith("-") else ""
    if verb == "show":
        _show(args[1:])
        return
    options, words = _options(args[1:] if verb else args)
    if not verb:
        raise SettingsError(
            "speaq tune takes the verb to search for first: speaq tune learn ...",
            "speaq tune 之后应先写要搜索的命令：speaq tune learn ...",
        )
    searched = Verb(verb, words)
    if options.names:
        print(listing(searched.listed()))
        return
    folder = options.folder or Path("runs") / f"tune-{verb}"
    command = searched.command(options.search)
    try:
        found = tune(
            command,
            options.goal,
            folder=folder,
            sampling=options.sampling,
            pruning=options.pruning,
            budget=options.budget,
        )
    except KeyboardInterrupt:
        _tell(look(folder))
        raise
    _tell(found)


def _options(args: Sequence[str]) -> tuple[Tune, list[str]]:
    """The search's options, and the words that are the verb's."""
    words = list(args)
    cut = words.index("--") if "--" in words else len(words)
    options, theirs = tyro.cli(
        Tune,
        args=words[:cut],
        prog="speaq tune",
        description=say(*ABOUT),
        return_unknown_args=True,
    )
    return options, [*theirs, *words[cut + 1 :]]


def _show(args: Sequence[str]) -> None:
    options = parse(Show, args, "tune show", SHOW)
    found = look(options.folder)
    save(found)
    _tell(found)


def _tell(found: Findings) -> None:
    print(found)
    if found.best:
        print(
            say(
                f"\nIt is also in {found.folder / 'best.sh'}; all trials are in "
                f"{found.folder / 'trials.csv'}, pictures in {found.folder / 'plots'}.",
                f"\n该命令也在 {found.folder / 'best.sh'}；全部试验见 "
                f"{found.folder / 'trials.csv'}，图表见 {found.folder / 'plots'}。",
            )
        )
