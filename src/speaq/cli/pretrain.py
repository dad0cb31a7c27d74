"""speaq pretrain: train a language model on raw text, from nothing or from another's weights.

zh: 用原始文本训练语言模型，从零开始或从已有权重继续。
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import filled, parse, take_config
from speaq.core.language import say
from speaq.training.pretraining.settings import Recipe

ABOUT = (
    "Pretrain a model. The same command on the same folder continues an interrupted run; under "
    "torchrun --no-python it uses all processes. --config FILE reads these settings from YAML; "
    "the command line wins.",
    "预训练模型。对同一目录再次运行同一命令即可继续中断的运行；"
    "用 torchrun --no-python 启动时使用全部进程。--config 文件 从 YAML 读取设置；命令行优先。",
)


@dataclass(frozen=True)
class Pretrain:
    """Options of `speaq pretrain`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Plain text (.txt, .md), one document each; or .jsonl, .csv, .parquet. Each also .gz."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = field(default_factory=Recipe)
    """Model, objective, optimiser, pace."""
    folder: Path = Path("runs/pretrain")
    """The run folder. The model goes to its subfolder model."""
    column: str = ""
    """Of the text, in files that have columns; unset: text, content, 文本 and the like."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    args, values, file = take_config(args)
    options = parse(Pretrain, args, "pretrain", ABOUT, filled(Pretrain, values, file))
    import torch

    from speaq.training.distributed import own_threads, processes, rank
    from speaq.training.pretraining.pretrain import pretrain

    torch.set_num_threads(own_threads())
    begun = time.perf_counter()
    with processes():
        made = pretrain(options.files, options.recipe, folder=options.folder, column=options.column)
        if rank() == 0:
            print(_told(made.model, len(made.tokens.tokens), made.longer, made.validation_loss))
            seconds = f"{time.perf_counter() - begun:.0f}"
            print(say(f"{seconds} seconds", f"用时 {seconds} 秒"))


def _told(model: Path, tokens: int, longer: int, loss: float | None) -> str:
    lines = [
        say(
            f"Pretrained on {tokens:,} tokens; the model is in {model}.",
            f"已用 {tokens:,} 个词元预训练；模型在 {model}。",
        )
    ]
    if longer:
        lines.append(
            say(
                f"{longer} documents are longer than a row; they run on over several rows.",
                f"{longer} 篇文档长于一行，已延续到多行。",
            )
        )
    if loss is not None:
        lines.append(
            say(
                f"Validation loss of the weights kept: {loss:.4f} nats per token.",
                f"所保留权重的验证损失：每词元 {loss:.4f} nats。",
            )
        )
    return "\n".join(lines)
