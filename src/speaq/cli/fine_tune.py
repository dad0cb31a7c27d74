"""speaq fine-tune: from examples with answers to a model that answers.

zh: 用带答案的样本微调出能作答的模型。
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import chosen, filled, parse, take_config
from speaq.core.errors import DataError, SettingsError
from speaq.core.language import say
from speaq.models.decoding import Decoding
from speaq.training.distributed import rank
from speaq.training.floors.compare import FloorRow, table
from speaq.training.loop import LoopSettings
from speaq.training.supervised.multi_task import TogetherSettings
from speaq.training.supervised.settings import FineTuneSettings, default_loop

if TYPE_CHECKING:
    from speaq.training.supervised.fine_tune import Outcome
    from speaq.training.supervised.preparing import Examples
    from speaq.training.supervised.writing import Written

ABOUT = (
    "Fine-tune a model for classification, pairs, relations, tagging, parsing, reading, or writing "
    "(replies, instructions, translations). Several tasks on one trunk: name=FILE name=FILE. The "
    "same command on the same folder continues an interrupted run; under torchrun --no-python it "
    "uses all processes. --config FILE reads these settings from YAML; the command line wins.",
    "微调模型：分类、句对、关系、标注、句法分析、阅读理解，或写作（回复、指令、翻译）。"
    "多任务共用一个主干：名称=文件 名称=文件。对同一目录再次运行同一命令即可继续中断的运行；"
    "用 torchrun --no-python 启动时使用全部进程。"
    "--config 文件 从 YAML 读取设置；命令行优先。",
)


@dataclass(frozen=True)
class FineTune:
    """Options of `speaq fine-tune`."""

    model: Annotated[str, tyro.conf.Positional]
    """pypi:PACKAGE, a model folder, a hub id, new:encoder, new:PRESET or a config.json."""
    data: Annotated[tuple[str, ...], tyro.conf.Positional]
    """A training file; a source and its translation; or name=FILE for each of several tasks."""
    validation: tuple[str, ...] = ()
    """As `data`; without, a tenth of the training examples validates."""
    test: tuple[str, ...] = ()
    """As `data`."""
    task: str = "auto"
    """auto (what the file looks like), classification, multi-label, pairs, relations, tagging,
    reading or writing."""
    out_of_scope: str = ""
    """The label of texts of no class: they are not learnt, and judged apart."""
    folder: Path = Path("runs/fine-tune")
    """The run folder. The model goes to its subfolder model."""
    seed: int = 0
    """Of everything random."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Under torchrun: ddp, each process holds the model; fsdp, each holds a part of it."""
    floor: bool = True
    """Train classical models as well, and say which wins (needs the extra classic)."""
    fine_tune: Annotated[FineTuneSettings, tyro.conf.arg(name="")] = field(
        default_factory=FineTuneSettings
    )
    """Which weights change, and when it is enough."""
    loop: LoopSettings = field(default_factory=LoopSettings)
    """How fast to train; epochs sets the steps."""
    together: TogetherSettings = field(default_factory=TogetherSettings)
    """How several tasks share a trunk."""
    decoding: Decoding = field(default_factory=lambda: Decoding(temperature=0, max_new_tokens=128))
    """How a writer's answers are drawn for BLEU, chrF and ROUGE."""


@dataclass(frozen=True)
class Which:
    """What the other defaults depend on."""

    task: str = "auto"
    """As in `FineTune`."""
    fine_tune: Annotated[FineTuneSettings, tyro.conf.arg(name="")] = field(
        default_factory=FineTuneSettings
    )
    """As in `FineTune`."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    import torch

    from speaq.training.distributed import own_threads, processes

    torch.set_num_threads(own_threads())
    options = _options(args)
    with processes(options.parallel):
        _run(options)


def _run(options: FineTune) -> None:
    named = _named(options.data)
    if not named:
        raise DataError("name a training file.", "请给出训练文件。")
    if "" not in named:
        _several(options, named)
        return
    parts = _examples(options, "")
    from speaq.training.supervised.examples import Dialogue

    if isinstance(parts.training[0], Dialogue):
        _report(options, _writer(options, parts))
    else:
        _report(options, _one(options, parts))


def _one(options: FineTune, parts: "Examples") -> "Outcome":
    from speaq.training.supervised.fine_tune import fine_tune

    return fine_tune(
        options.model,
        parts,
        settings=options.fine_tune,
        loop=options.loop,
        folder=options.folder,
        seed=options.seed,
        several=options.task == "multi-label",
        floor=options.floor,
    )


def _writer(options: FineTune, parts: "Examples") -> "Written":
    from speaq.training.supervised.writing import fine_tune_writer

    return fine_tune_writer(
        options.model,
        parts,
        settings=options.fine_tune,
        loop=options.loop,
        decoding=options.decoding,
        folder=options.folder,
        seed=options.seed,
        floor=options.floor,
    )


def _several(options: FineTune, named: Mapping[str, tuple[str, ...]]) -> None:
    from speaq.training.supervised.multi_task import fine_tune_together

    made = fine_tune_together(
        options.model,
        {name: _examples(options, name) for name in named},
        settings=options.fine_tune,
        together=options.together,
        loop=options.loop,
        folder=options.folder,
        seed=options.seed,
    )
    if rank():
        return
    for note in made.notes:
        tell(note, note)
    print(made.report())
    print(say(f"The model is in {made.folder}.", f"模型在 {made.folder}。"))


def _report(options: FineTune, made: "Outcome | Written") -> None:
    if rank():
        return
    for note in made.notes:
        tell(note, note)
    for part, measures in made.metrics.items():
        shown = ", ".join(
            f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in measures.items()
        )
        print(f"{part}: {shown}")
    floor: dict[str, Any] | None = made.model.facts.get("floor")
    if floor:
        print(table([FloorRow(**row) for row in floor["rows"]]))
        print(say(floor["verdict_en"], floor["verdict_zh"]))
    print(
        say(
            f"The model is in {made.folder}, curves in {options.folder / 'plots'}.",
            f"模型在 {made.folder}，曲线在 {options.folder / 'plots'}。",
        )
    )


def _examples(options: FineTune, name: str) -> "Examples":
    from speaq.training.supervised.files import examples_of

    chosen = [
        _named(words).get(name, ()) for words in (options.data, options.validation, options.test)
    ]
    return examples_of(chosen[0], chosen[1], chosen[2], options.task, options.out_of_scope)


def _named(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Files by task; those without a name belong to the only task, ``.

    Raises:
        SettingsError: some are named and some are not.
    """
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        name, sign, path = word.partition("=")
        if not sign or Path(word).exists():
            name, path = "", word
        found[name] = (*found.get(name, ()), path)
    if "" in found and len(found) > 1:
        raise SettingsError(
            "either all files have a task's name (name=FILE), or none.",
            "要么所有文件都带任务名（名称=文件），要么都不带。",
        )
    return found


def _options(args: Sequence[str]) -> FineTune:
    """The options; those of the loop default to what suits the strategy."""
    args, values, file = take_config(args)
    which = chosen(Which, args, "fine-tune", values, file)
    defaults = filled(FineTune, values, file)
    words = [*args, str(values.get("model", ""))]
    fresh = any(word.startswith("new:") or word.endswith("config.json") for word in words)
    suitable = default_loop(which.fine_tune.strategy, writes=which.task == "writing", fresh=fresh)
    loop = filled(LoopSettings, {**vars(suitable), **values.get("loop", {})}, file)
    return parse(FineTune, args, "fine-tune", ABOUT, replace(defaults, loop=loop))
