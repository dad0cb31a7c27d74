"""speaq floor: what a classical model makes of a task, before any neural one.

zh: 先看经典模型在任务上的表现，再考虑神经模型。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import filled, parse, take_config
from speaq.core.language import say
from speaq.training.floors.series import SeriesSettings

ABOUT = (
    "Train and measure the classical models of a task: naive Bayes and linear SVM for texts, "
    "pairs and relations, CRF for tags, BM25 for reading, lead-3 for writing, and with --column "
    "the season before for a series of numbers. --config FILE reads these settings from YAML.",
    "训练并评测任务的经典模型：文本、句对、关系用朴素贝叶斯与线性支持向量机，标注用 CRF，"
    "阅读用 BM25，写作用前三句；加 --column 时以上一周期预测数值序列。"
    "--config 文件 从 YAML 读取设置。",
)


@dataclass(frozen=True)
class Floor:
    """Options of `speaq floor`."""

    data: Annotated[tuple[str, ...], tyro.conf.Positional]
    """A training file, or a source and its translation."""
    test: tuple[str, ...] = ()
    """As `data`; without, a tenth of the training examples, chosen by the seed."""
    task: str = "auto"
    """auto (what the file looks like), classification, multi-label, pairs, relations, tagging,
    reading or writing."""
    column: str = ""
    """Of numbers: forecast this column of the file instead."""
    compact: Path | None = None
    """Write the small classifier (2 MB at most) into this file, and measure it too."""
    seed: int = 0
    """Of everything random."""
    series: SeriesSettings = field(default_factory=SeriesSettings)
    """How a series is forecast."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    args, values, file = take_config(args)
    options = parse(Floor, args, "floor", ABOUT, filled(Floor, values, file))
    if options.column:
        _series(options)
        return
    from speaq.training.floors.compare import floors_of, table
    from speaq.training.supervised.files import examples_of
    from speaq.training.supervised.labels import require_known
    from speaq.training.supervised.preparing import labels_in, with_validation

    notes: list[str] = []
    given = examples_of(options.data, (), options.test, options.task, "")
    parts = with_validation(given, options.seed, notes)
    known = sorted({label for each in parts.training for label in labels_in(each)})
    for name, part in (("validation", parts.validation), ("test", parts.test)):
        require_known(known, [labels_in(each) for each in part], name)
    for note in notes if not options.test else ():
        tell(note, note)
    rows = floors_of(parts, several=options.task == "multi-label", seed=options.seed)
    if options.compact is not None:
        from speaq.training.floors.compare import compact_floor

        rows.append(compact_floor(parts, options.compact))
    print(table(rows))


def _series(options: Floor) -> None:
    from speaq.training.floors.series import read_series, series_measures

    values = read_series(options.data[0], options.column)
    measures = series_measures(values, options.series)
    shown = ", ".join(f"{name} {value:.4g}" for name, value in measures.items())
    print(say(f"seasonal naive: {shown}", f"季节性朴素法：{shown}"))
