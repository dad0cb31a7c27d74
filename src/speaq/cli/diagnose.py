"""speaq diagnose: look at what a value head learnt, and whether the log bears it out.

zh: 检查价值头学到了什么，以及日志是否支持。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import open_model, read_log
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.evaluation.diagnosis import DiagnosisSettings, diagnose
from speaq.evaluation.diagnosis_report import save, summary
from speaq.evaluation.estimate import GateSettings
from speaq.models.decoding import Decoding

ABOUT = (
    "Q against returns by place and value, over-estimation, the target network's lag, how much of "
    "each beta's choices the log knows, reward against KL and entropy, and the credit of every "
    "token in some episodes. Written into the model folder as JSON, a picture and a page.",
    "按位置与数值比较 Q 与回报、高估、目标网络的滞后、各 beta 的选择有多少见于日志、"
    "奖励与 KL 及熵，以及若干片段中每个词元的功过。以 JSON、图片与网页写入模型目录。",
)


@dataclass(frozen=True)
class Diagnose:
    """Options of `speaq diagnose`."""

    model: Annotated[str, tyro.conf.Positional]
    """A model folder with a value head, such as RUN/model."""
    log: Annotated[str, tyro.conf.Positional]
    """A data file, an experience store or its URL: the log it learnt from, or a fresh one."""
    betas: tuple[float, ...] = (1, 2, 4, 8, 16)
    """Strengths of guidance to look at; credit is shown at the largest."""
    seed: int = 0
    """Of the draw of tokens and of the bootstrap."""
    look: Annotated[DiagnosisSettings, tyro.conf.arg(name="")] = field(
        default_factory=DiagnosisSettings
    )
    """What to look at."""
    gate: Annotated[GateSettings, tyro.conf.arg(name="")] = field(default_factory=GateSettings)
    """How reward is predicted."""
    decoding: Annotated[Decoding, tyro.conf.arg(name="")] = field(default_factory=Decoding)
    """How replies will be drawn."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Diagnose, args, "diagnose", ABOUT)
    folder = Path(options.model)
    model = open_model(options.model)
    model.require_head()
    found = diagnose(
        model,
        read_log(options.log, options.gate.reward),
        options.betas,
        settings=options.look,
        decoding=options.decoding,
        gate=options.gate,
        run=folder.parent,
        seed=options.seed,
    )
    save(found, folder)
    print(summary(found))
    print(
        say(
            f"{folder / 'diagnosis.json'}, {folder / 'plots' / 'diagnosis.png'} and "
            f"{folder / 'plots' / 'credit.html'} hold it all.",
            f"详见 {folder / 'diagnosis.json'}、{folder / 'plots' / 'diagnosis.png'} 与 "
            f"{folder / 'plots' / 'credit.html'}。",
        )
    )
