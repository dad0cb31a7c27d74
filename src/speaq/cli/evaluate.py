"""speaq evaluate: ask the gate what each strength of guidance would earn, before release.

zh: 发布之前由闸门预测每种引导强度的收益。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import open_model, read_log
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.evaluation.estimate import GateSettings
from speaq.models.decoding import Decoding

ABOUT = (
    "Predict from a log what the model would earn under each beta, with intervals. The report is "
    "kept in the model folder, where `promote` and `fold` read it.",
    "根据日志预测模型在各个 beta 下的收益及其区间。报告存入模型目录，供 promote 与 fold 使用。",
)


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq evaluate`."""

    model: Annotated[str, tyro.conf.Positional]
    """A model folder with a value head, such as RUN/model."""
    log: Annotated[str, tyro.conf.Positional]
    """A data file, an experience store or its URL: the log it learnt from, or a fresh one."""
    betas: tuple[float, ...] = (1, 2, 4, 8, 16, 32, 64)
    """Strengths of guidance to ask about."""
    seed: int = 0
    """Of the bootstrap."""
    gate: Annotated[GateSettings, tyro.conf.arg(name="")] = field(default_factory=GateSettings)
    """What counts as enough evidence."""
    decoding: Annotated[Decoding, tyro.conf.arg(name="")] = field(default_factory=Decoding)
    """How replies will be drawn."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Evaluate, args, "evaluate", ABOUT)
    from speaq.evaluation.gate import gate

    folder = Path(options.model)
    cache = folder.parent / "features"
    model = open_model(options.model)
    model.require_head()
    report = gate(
        model,
        read_log(options.log, options.gate.reward),
        options.betas,
        decoding=options.decoding,
        settings=options.gate,
        folder=cache if cache.is_dir() else None,
        seed=options.seed,
    )
    model.save(folder)
    report.save(folder)
    print(report)
    if report.best_beta:
        line = say(
            f"The gate would promote beta = {report.best_beta:g}; next: speaq fold {folder} FOLDER",
            f"闸门同意发布 beta = {report.best_beta:g}；下一步：speaq fold {folder} 目录",
        )
    else:
        line = say(
            "The gate would promote none of these; a larger log or a smaller beta may help.",
            "闸门不同意发布其中任何一个；可收集更多日志或尝试更小的 beta。",
        )
    print(line)
