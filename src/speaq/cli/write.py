"""speaq write: a text of a kind with keywords that are sure to stand in it; digests, repair.

zh: 写作：按体裁成文，保证出现关键词；另有摘要、报告与修复。

`speaq write MODEL --topic ...` writes; a first word that names an action does that instead.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from speaq.apps.write.request import Kind, Language, WriteRequest
from speaq.cli.actions import Action, act
from speaq.cli.inputs import open_model, tell
from speaq.cli.options import parse
from speaq.core.errors import DataError
from speaq.core.language import language, say
from speaq.text.augmentation.noise import NoiseSettings
from speaq.training.loop import LoopSettings
from speaq.training.supervised.settings import FineTuneSettings

if TYPE_CHECKING:
    from speaq.apps.application import Answer

ABOUT = (
    "Write a text. Keywords are sure to stand in it, or one sentence says why they cannot. Other "
    "actions: speaq write digest | report | polish | repair-train (each with --help).",
    "写一段文本。保证出现关键词，否则用一句话说明原因。其他操作："
    "speaq write digest | report | polish | repair-train（各有 --help）。",
)


@dataclass(frozen=True)
class Write:
    """Options of `speaq write`."""

    model: Annotated[str, tyro.conf.Positional]
    """pypi:PACKAGE, a model folder, a hub id or new:PRESET; MODEL,repair=FOLDER repairs too."""
    topic: str
    """What the text is about."""
    keywords: tuple[str, ...] = ()
    """Words that are sure to stand in it."""
    kind: Kind = "article"
    """article, story, review, poem."""
    style: str = ""
    """In words, such as: plain, humorous, 古风."""
    language: Language = "auto"
    """en, zh, or auto: that of the topic."""
    length: int = 120
    """Most words, or Chinese characters."""
    sentences: int = 0
    """Most sentences; 0: any number."""
    stars: int = 0
    """Of a review, 1 to 5; 0: the writer's choice."""
    form: str = ""
    """五绝, 七绝, 五律, 七律 (wujue, qijue, wulv, qilv), json:SCHEMA or regex:PATTERN."""
    temperature: float = 0.8
    """0 writes the likeliest."""
    beta: float = 0.0
    """Strength of guidance by the model's value head."""
    seed: int = -1
    """The same one writes the same text; -1: another each time."""
    polish: bool = True
    """Cut what loops, means nothing, is said twice or unfinished, and mend mistakes."""
    store: str = ""
    """Keep the answer here, for feedback and learning: a file, made if missing, or a URL."""


@dataclass(frozen=True)
class Digest:
    """Options of `speaq write digest`."""

    model: Annotated[str, tyro.conf.Positional]
    """As in `speaq write`."""
    file: Annotated[Path, tyro.conf.Positional]
    """A text, or a data file with many."""
    column: str = "text"
    """Of the texts, in a data file."""
    summary: str = "summary"
    """Column of their summaries, to measure against; may be missing."""
    sentences: int = 3
    """Of each digest."""
    length: int = 120
    """Most words, or Chinese characters."""
    most: int = 50
    """Texts of a data file that are used."""
    temperature: float = 0.0
    """0 writes the likeliest."""
    seed: int = 0
    """Of the drawing."""
    store: str = ""
    """As in `speaq write`."""


@dataclass(frozen=True)
class Report:
    """Options of `speaq write report`."""

    file: Annotated[Path, tyro.conf.Positional]
    """Written texts: a line each, or a data file."""
    column: str = ""
    """Of the texts, in a data file."""
    model: str = ""
    """Measures perplexity; unset: it is not measured."""
    training: tuple[Path, ...] = ()
    """What the writer was trained on, for the longest copied span."""


@dataclass(frozen=True)
class Polish:
    """Options of `speaq write polish`."""

    file: Annotated[Path, tyro.conf.Positional]
    """A text."""
    out: Path | None = None
    """Where the polished text goes; unset: to the terminal."""
    language: Language = "auto"
    """en, zh, or auto: that of the text."""
    repair: str = ""
    """A folder of `speaq write repair-train`; unset: rules alone."""


@dataclass(frozen=True)
class RepairTrain:
    """Options of `speaq write repair-train`."""

    model: Annotated[str, tyro.conf.Positional]
    """What is fine-tuned: an encoder–decoder such as new:bart-tiny, or any model that writes."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Clean texts, as for `speaq data noise`."""
    column: str = ""
    """Of the texts, in files with columns."""
    folder: Path = Path("runs/repair")
    """The run folder. The model goes to its subfolder model."""
    false_alarms: float = 0.005
    """Share of clean sentences that may be changed."""
    seed: int = 0
    """Of everything random."""
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    """Which mistakes are made, and how many."""
    fine_tune: FineTuneSettings = field(default_factory=lambda: FineTuneSettings(epochs=3))
    """Which weights change."""
    loop: LoopSettings = field(
        default_factory=lambda: LoopSettings(
            steps=1000, batch_size=8, lr=5e-4, warmup=100, schedule="cosine"
        )
    )
    """How fast to train."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    if args and args[0] in _ACTIONS:
        act("write", _ACTIONS, args)
        return
    options = parse(Write, args, "write", ABOUT)
    given = {name: value for name, value in vars(options).items() if name not in ("model", "store")}
    _answer(options.model, WriteRequest(**given), options.store)


def _answer(model: str, request: WriteRequest, store: str) -> "Answer":
    """Write to the terminal as the text becomes certain; keep it before it is said to be kept."""
    from speaq.apps.application import Answer, new_id
    from speaq.apps.write.application import Writing

    found = None
    for said in Writing.open(model).respond(request, new_id("write")):
        if isinstance(said, Answer):
            found = said
        elif said:
            print(said, end="", flush=True)
    assert found is not None
    print()
    _keep([found], store)
    _tell(found)
    return found


def _keep(answers: "list[Answer]", store: str) -> None:
    if not store:
        return
    from speaq.experience.store import ExperienceStore

    with ExperienceStore(store) as kept:
        for each in answers:
            kept.append(each.episode)
            tell(f"kept as {each.id} in {store}", f"已存入 {store}，编号 {each.id}")


def _tell(answer: "Answer") -> None:
    """What was cut and mended, and what else there is to say, on standard error."""
    details = answer.details
    chinese = language() == "zh"
    for cut in details.get("cuts", ()):
        why = cut["why_zh" if chinese else "why"]
        tell(f"cut ({why}): {cut['text']}", f"已删（{why}）：{cut['text']}")
    for each in details.get("repairs", ()):
        tell(
            f"mended: {each['before']} → {each['after']}",
            f"已改：{each['before']} → {each['after']}",
        )
    if "verse" in details:
        verse = details["verse"]
        ends = " ".join(verse["rhyme_characters"])
        tell(
            f"{verse['form']}: form {'kept' if verse['kept'] else 'not kept'}, ends {ends}, "
            f"{'one rhyme' if verse['rhymes'] else 'no rhyme'}",
            f"{verse['form']}：格式{'合格' if verse['kept'] else '不合格'}，韵脚 {ends}，"
            f"{'押韵' if verse['rhymes'] else '不押韵'}",
        )
    if details.get("complete") is False:
        tell(
            "the text was cut off before its form was whole; raise --length.",
            "文本在格式完整之前已达长度上限；请增大 --length。",
        )
    for place in sorted(details.get("credit", ()), key=lambda one: one["advantage"])[:3]:
        said, better = repr(place["text"]), repr(place["instead"][0]["text"])
        worth = f"{place['advantage']:+.3f}"
        tell(f"{said} {worth} (better: {better})", f"{said} {worth}（更好：{better}）")


def _digest(args: list[str]) -> None:
    options = parse(Digest, args, "write digest", _ABOUT["digest"])
    from speaq.apps.application import answered
    from speaq.apps.write.application import Writing
    from speaq.apps.write.summarising import LEAD, MODEL, RANK, compared

    texts, summaries = _articles(options)
    writer = Writing.open(options.model)
    answers = []
    for source in texts:
        request = WriteRequest(
            kind="digest",
            source=source,
            sentences=options.sentences,
            length=options.length,
            temperature=options.temperature,
            seed=options.seed,
        )
        answers.append(answered(writer, request))
    _keep(answers, options.store)
    ways = {way: [each.details["digests"][way] for each in answers] for way in (LEAD, RANK, MODEL)}
    if len(texts) == 1:
        for way, found in ways.items():
            print(f"[{way}]\n{found[0]}\n")
    measured = compared(ways, summaries)
    for way, scores in measured.scores.items():
        print(f"{way:<10}" + "".join(f"  {name} {value:.3f}" for name, value in scores.items()))
    print(say(*measured.verdict))


def _articles(options: Digest) -> tuple[list[str], list[str]]:
    """The texts to shorten, and their summaries if every one has one."""
    from speaq.text.corpus import PLAIN
    from speaq.text.files.readers import read_rows, suffix_of
    from speaq.training.pretraining.corpus import documents

    if suffix_of(options.file) in PLAIN:
        return ["".join(piece) for piece in documents(options.file)], []
    texts: list[str] = []
    summaries: list[str] = []
    for row, record in read_rows(options.file):
        if len(texts) == options.most:
            break
        if not isinstance(record.get(options.column), str) or not record[options.column].strip():
            raise DataError(
                f"expected a text (columns found: {', '.join(record)}); name the column with "
                "--column.",
                f"应为文本（现有的列：{'、'.join(record)}）；请用 --column 指明列名。",
                file=options.file,
                row=row,
                field=options.column,
            )
        texts.append(record[options.column])
        summaries += [record[options.summary]] if record.get(options.summary) else []
    return texts, summaries if len(summaries) == len(texts) else []


def _report(args: list[str]) -> None:
    options = parse(Report, args, "write report", _ABOUT["report"])
    from speaq.apps.write.report import report
    from speaq.text.corpus import Corpus
    from speaq.training.pretraining.corpus import documents

    texts = list(Corpus([options.file], options.column))
    model = open_model(options.model) if options.model else None
    training = ("".join(each) for file in options.training for each in documents(file))
    found = report(texts, model=model, training=training if options.training else None)
    for name, value in found.items():
        print(f"{name:<18} {_shown(value)}")
    if found.get("copied"):
        tell(
            f"a span of {found['copied_characters']} characters stands in the training text.",
            f"有 {found['copied_characters']} 个字符的片段与训练文本相同。",
        )


def _shown(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _polish(args: list[str]) -> None:
    options = parse(Polish, args, "write polish", _ABOUT["polish"])
    from speaq.apps.write.finishing import polished
    from speaq.core.files import write_text
    from speaq.text.segmentation import is_chinese
    from speaq.training.pretraining.corpus import documents

    text = "".join("".join(piece) for piece in documents(options.file))
    if not text.strip():
        raise DataError("there is no text in it.", "其中没有文本。", file=options.file)
    repairer = None
    if options.repair:
        from speaq.apps.write.repair_model import Repairer

        repairer = Repairer.open(options.repair)
    spoken = options.language
    if spoken == "auto":
        spoken = "zh" if is_chinese(text) else "en"
    made, told = polished(text, spoken, repairer)
    if options.out is None:
        print(made)
    else:
        write_text(options.out, f"{made}\n")
    for cut in told["cuts"]:
        print(
            say(f"cut ({cut['why']}): {cut['text']}", f"已删（{cut['why_zh']}）：{cut['text']}"),
            file=sys.stderr,
        )
    for each in told["repairs"]:
        tell(
            f"mended: {each['before']} → {each['after']}",
            f"已改：{each['before']} → {each['after']}",
        )


def _repair_train(args: list[str]) -> None:
    options = parse(RepairTrain, args, "write repair-train", _ABOUT["repair-train"])
    import torch

    from speaq.apps.write.repair_model import train_repairer
    from speaq.core.devices import threads
    from speaq.text.corpus import Corpus

    torch.set_num_threads(threads())
    made = train_repairer(
        options.model,
        Corpus(options.files, options.column),
        options.folder,
        noise=options.noise,
        settings=options.fine_tune,
        loop=options.loop,
        false_alarms=options.false_alarms,
        seed=options.seed,
    )
    for name, value in made.measures.items():
        print(f"{name:<14} {value:.4f}")
    print(say(f"The repair model is in {made.folder}.", f"修复模型在 {made.folder}。"))


_ABOUT = {
    "digest": (
        "Write a digest of one text or many, beside the first sentences and TextRank; with "
        "summaries to compare to, ROUGE says whether the model is worth it.",
        "为一篇或多篇文本写摘要，与原文前几句、TextRank 并列；"
        "有参考摘要时用 ROUGE 说明模型是否值得。",
    ),
    "report": (
        "Measure written texts: variety, repetition, perplexity, spans copied from training text.",
        "评测写成的文本：多样性、重复、困惑度，以及与训练文本相同的片段。",
    ),
    "polish": (
        "Cut what loops, means nothing, is said twice or unfinished, and mend mistakes.",
        "删去文本中循环、无意义、重复或未写完的句子，并修正错误。",
    ),
    "repair-train": (
        "Train a model that repairs sentences, on clean texts with mistakes put in.",
        "用加入错误的干净文本训练修复模型。",
    ),
}
_ACTIONS: dict[str, Action] = {
    "digest": (_digest, _ABOUT["digest"]),
    "report": (_report, _ABOUT["report"]),
    "polish": (_polish, _ABOUT["polish"]),
    "repair-train": (_repair_train, _ABOUT["repair-train"]),
}
