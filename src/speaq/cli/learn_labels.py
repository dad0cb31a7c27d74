"""speaq learn-labels: learn from clicks which label a text should be given.

zh: 从点击中学习应给文本什么标签。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import read_log
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.evaluation.estimate import GateSettings
from speaq.qlearning.choices import ChoiceSettings

ABOUT = (
    "Learn from a log in which only the label that was given was judged. The folder it makes is "
    "one of speaq fine-tune, and speaq understand opens it.",
    "从日志学习，其中只有所给标签得到评价。所得目录与 speaq fine-tune 的相同，"
    "可由 speaq understand 打开。",
)


@dataclass(frozen=True)
class LearnLabels:
    """Options of `speaq learn-labels`."""

    trunk: Annotated[str, tyro.conf.Positional]
    """pypi:PACKAGE, a folder, a hub id or new:PRESET, as for fine-tune."""
    log: Annotated[str, tyro.conf.Positional]
    """A data file, an experience store or its URL. Tags: label, propensity."""
    folder: Path = Path("runs/labels")
    """Where the model folder goes."""
    labels: tuple[str, ...] = ()
    """More labels, which the log never gave."""
    fresh: str = ""
    """A log with propensities that is not learnt from: it judges what was learnt."""
    betas: tuple[float, ...] = (1.0, 2.0, 4.0)
    """What the judge is asked about: labels are given with chances in proportion to exp(beta z)."""
    reward: str = "feedback"
    """Name of a reward, or module:function."""
    seed: int = 0
    """Of what is held out."""
    choices: Annotated[ChoiceSettings, tyro.conf.arg(name="")] = field(
        default_factory=ChoiceSettings
    )
    """How values are fitted."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(LearnLabels, args, "learn-labels", ABOUT)
    import torch

    from speaq.core.devices import threads
    from speaq.evaluation.choices import gate_labels
    from speaq.qlearning.labelling import learn_labels

    torch.set_num_threads(threads())
    log = read_log(options.log, options.reward)
    fresh = read_log(options.fresh, options.reward) if options.fresh else []
    made = learn_labels(
        options.trunk,
        log,
        labels=options.labels,
        settings=options.choices,
        reward=options.reward,
        folder=options.folder,
        seed=options.seed,
    )
    print(
        say(
            f"Learnt {len(made.labels)} labels from {len(log)} judged answers; the model is in "
            f"{made.folder}.",
            f"已从 {len(log)} 个有评价的回答学习 {len(made.labels)} 个标签；模型在 {made.folder}。",
        )
    )
    if fresh:
        settings = GateSettings(reward=options.reward)
        print(gate_labels(made.model, fresh, options.betas, settings=settings, seed=options.seed))
