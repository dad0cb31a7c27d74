"""speaq translate train: a translator from parallel text, in minutes.

zh: 用平行文本在数分钟内训练翻译模型。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import filled, parse, take_config
from speaq.core.language import say

if TYPE_CHECKING:
    from speaq.apps.translate.training.run import Trained

from speaq.apps.translate.training.recipe import TrainSettings

ABOUT = (
    "Train a translator from parallel text: TSV, TMX, CSV, JSON, Parquet, or a text and its "
    "translation (train.de train.en). Files of several pairs of languages make one model with "
    "language tags. The same command on the same folder continues an interrupted run. "
    "--config FILE reads these settings from YAML; the command line wins.",
    "用平行文本训练翻译模型：TSV、TMX、CSV、JSON、Parquet，或原文与译文两个文件"
    "（train.de train.en）。多个语言对的文件会训练成一个带语言标记的模型。"
    "对同一目录再次运行同一命令即可继续中断的运行。--config 文件 从 YAML 读取设置；命令行优先。",
)


@dataclass(frozen=True)
class Train:
    """Options of `speaq translate train`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Parallel text to learn from."""
    validation: tuple[Path, ...] = ()
    """Parallel text to choose the weights by; unset: a twentieth of the files, at most 1,000."""
    source: str = ""
    """Code of the source language, such as de, where files and their names do not say it."""
    target: str = ""
    """Code of the target language, such as zh."""
    both_ways: bool = False
    """Learn the way back as well."""
    folder: Path = Path("runs/translate")
    """The run folder. The model goes to its subfolder model."""
    seed: int = 0
    """Of everything random."""
    recipe: Annotated[TrainSettings, tyro.conf.arg(name="")] = field(default_factory=TrainSettings)
    """Model, subwords, pace."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    args, values, file = take_config(args)
    options = parse(Train, args, "translate train", ABOUT, filled(Train, values, file))
    import torch

    from speaq.core.devices import threads

    torch.set_num_threads(threads())
    print(_told(_trained(options)))


def _trained(options: Train) -> "Trained":
    from speaq.apps.translate.training.parallel import apart, both_ways, divided, read_pairs
    from speaq.apps.translate.training.run import train_translator

    training, validation = (
        read_pairs(files, source=options.source, target=options.target, tell=tell) if files else []
        for files in (options.files, options.validation)
    )
    if not validation:
        training, validation = divided(training, options.seed)
    training = apart(training, validation)
    if options.both_ways:
        training, validation = both_ways(training), both_ways(validation)
    return train_translator(
        training, validation, options.recipe, folder=options.folder, seed=options.seed
    )


def _told(made: "Trained") -> str:
    return say(
        f"The translator is in {made.model}: weights of step {made.steps}, validation loss "
        f"{made.validation_loss:.3f} nats per token, {made.seconds:.0f} seconds.",
        f"翻译模型在 {made.model}：取第 {made.steps} 步的权重，"
        f"验证损失每词元 {made.validation_loss:.3f} nats，用时 {made.seconds:.0f} 秒。",
    )
