"""What the data doctor can find, how bad it is, and which command mends it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from speaq.core.settings import require
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Example, Place

Severity = Literal["error", "warning", "note"]
Verb = Literal["clean", "dedupe", "split", ""]


@dataclass(frozen=True)
class Kind:
    """A kind of finding."""

    severity: Severity
    """error: what is learnt or measured will be wrong; warning: likely so; note: worth a look."""
    en: str
    zh: str
    verb: Verb
    """Of `speaq data`; empty where only more or better examples help."""
    certain: bool = True
    """Whether `clean` mends it unasked; what needs a judgement is mended only by name."""


KINDS: dict[str, Kind] = {
    "unreadable": Kind("error", "row cannot be read", "无法读取的行", "clean"),
    "empty": Kind("error", "empty text", "空文本", "clean"),
    "lost-characters": Kind("error", "lost characters", "丢失的字符", "clean"),
    "misread": Kind("error", "read in a wrong encoding", "以错误编码读取", "clean"),
    "invisible": Kind("note", "invisible characters", "不可见字符", "clean"),
    "markup": Kind("note", "HTML in the text", "文本中有 HTML", "clean", certain=False),
    "over-long": Kind("note", "very long text", "文本过长", "clean", certain=False),
    "wrong-language": Kind("warning", "another language", "语言不符", "clean", certain=False),
    "duplicate": Kind("warning", "duplicate", "重复", "dedupe"),
    "near-duplicate": Kind("note", "near-duplicate", "近似重复", "dedupe"),
    "leak": Kind("error", "duplicate across splits", "跨划分重复", "dedupe"),
    "near-leak": Kind("warning", "near-duplicate across splits", "跨划分近似重复", "dedupe"),
    "conflict": Kind("error", "same text, other label", "同文不同标签", "clean", certain=False),
    "missing-label": Kind("error", "no label", "缺少标签", "clean"),
    "label-spelling": Kind("error", "label spelt in several ways", "标签写法不一", "clean"),
    "rare-class": Kind("warning", "class with one example", "只有一例的类别", "clean", False),
    "unseen-class": Kind("error", "class not in training", "训练集中没有的类别", "split"),
    "one-class": Kind("error", "only one class", "只有一个类别", ""),
    "leaked-label": Kind("error", "label in the text", "标签泄漏到文本中", "clean"),
    "misaligned-span": Kind("error", "misaligned span", "区间错位", "clean"),
    "inclusive-end": Kind("error", "span ends one too early", "区间终点少一", "clean"),
    "overlapping-span": Kind("note", "overlapping spans", "区间重叠", "clean", certain=False),
    "misaligned-tags": Kind("error", "tokens and tags differ in number", "词与标签数不等", "clean"),
    "mixed-schemes": Kind("error", "mixed tagging schemes", "标注体系混用", "clean"),
    "invalid-transition": Kind("error", "impossible tag sequence", "不可能的标签序列", "clean"),
    "answer-offset": Kind("error", "answer not where it is said", "答案位置不符", "clean"),
    "no-answer": Kind("error", "question without an answer", "问题没有答案", "clean"),
    "needless-answer": Kind("error", "answer to what has none", "不可回答却有答案", "clean"),
    "repeated-id": Kind("warning", "id used twice", "编号重复", "clean"),
    "untranslated": Kind("warning", "not translated", "未翻译", "clean"),
    "length-ratio": Kind("note", "lengths do not fit", "长度不相称", "clean", certain=False),
    "uneven-files": Kind("error", "files of unequal length", "文件行数不等", ""),
}


@dataclass(frozen=True)
class DoctorSettings:
    """What the doctor takes for a fault.

    Raises:
        SettingsError: a value out of range.
    """

    near: float = 0.8
    """Least similarity of near-duplicates, 0 to 1; 1 does not look for them."""
    longest: int = 512
    """Words and Chinese characters beyond which a text is very long."""
    language: str = ""
    """The language of the texts, such as zh; unset: that of most of them."""

    def __post_init__(self) -> None:
        require(
            "doctor",
            self,
            {
                "near": (0.3 <= self.near <= 1, "0.3–1"),
                "longest": (self.longest >= 1, "≥ 1"),
            },
        )


@dataclass(frozen=True)
class Finding:
    """One fault: where, what, and what would mend it."""

    kind: str
    place: Place
    en: str
    zh: str
    others: tuple[Place, ...] = ()
    """Other places that have to do with it, such as the first of two duplicates."""
    example: Example | None = None
    """What was found fault with; None where nothing could be read."""
    mended: Example | None = None
    """What `clean` puts in its place; None: it is left out."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return KINDS[self.kind].severity


def found(
    kind: str,
    example: Example,
    en: str,
    zh: str,
    *,
    mended: Example | None = None,
    others: tuple[Place, ...] = (),
    place: Place | None = None,
) -> Finding:
    """A finding about an example; `place` where a part of it is meant, such as a token."""
    return Finding(kind, place or example.place, en, zh, others, example, mended)


def command(finding: Finding, files: Sequence[DataFile], near: float) -> str:
    """The command that mends a finding; empty where no command does.

    Args:
        finding: one.
        files: all that were looked at.
        near: the similarity of near-duplicates.
    """
    kind = KINDS[finding.kind]
    here = _paths(finding.place.file, files)
    if kind.verb == "clean":
        return f"speaq data clean {here} --fix {finding.kind}"
    if kind.verb == "split":
        return f"speaq data split {_all(files)} --out splits"
    if kind.verb == "dedupe":
        nearly = f" --near {near:g}" if finding.kind.startswith("near") else ""
        other = finding.others[0].file if finding.others else finding.place.file
        if other == finding.place.file:
            return f"speaq data dedupe {here}{nearly}"
        # Rows go from what comes first, the training split: a test set stays what it was.
        return f"speaq data dedupe {_paths(other, files)} --against {here}{nearly}"
    return ""


def _paths(file: str, files: Sequence[DataFile]) -> str:
    """The file as it has to be named in a command: with its translation, where it has one."""
    for data in files:
        if file == str(data.paths[0]):
            return " ".join(map(_quoted, map(str, data.paths)))
    return _quoted(file)


def _all(files: Iterable[DataFile]) -> str:
    return " ".join(_quoted(str(path)) for data in files for path in data.paths)


def _quoted(path: str) -> str:
    return f"'{path}'" if " " in path else path


def shortened(text: str, longest: int = 40) -> str:
    """A text on one line for a message."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
