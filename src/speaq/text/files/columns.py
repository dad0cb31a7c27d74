"""What the columns of a file are for: by their names, in English or Chinese, else by their values.

Names decide first. A table without a header, or with names that say nothing, is judged by what
stands in it: classes repeat and are short, texts differ and are long, a translation is in another
language.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError
from speaq.text.doctor.languages import CODES, of_many
from speaq.text.files.examples import Kind
from speaq.text.files.layouts import Role, SpanStyle, get

_TEXT = (
    "text", "sentence", "content", "review", "comment", "utterance", "tweet", "full_text", "body",
    "document", "message", "input", "query", "prompt", "conversations", "messages", "conversation",
    "文本", "内容", "评论", "句子", "正文", "语句", "question", "context", "paragraphs", "title",
    "问题", "标题",
)  # fmt: skip
_LABEL = (
    "label", "labels", "category", "class", "intent", "sentiment", "polarity", "target", "tag",
    "rating", "stars", "score", "relation", "gold_label", "stereo_antistereo", "标签", "类别",
    "分类", "意图", "情感", "评分", "极性", "topic", "y",
)  # fmt: skip
_TOKENS = ("tokens", "words", "词", "词语", "字")
_TAGS = ("tags", "ner_tags", "labels", "slots", "bio", "pos_tags", "标注", "标签")
_SPANS = ("entities", "spans", "label", "labels", "实体", "annotations")
_ID = ("id", "idx", "index", "guid", "uid", "example_id", "sentid", "编号", "序号")
_PART = ("split", "part", "subset", "partition", "set", "数据集", "划分")
_QUESTION = ("question", "query", "问题", "提问")
_CONTEXT = ("context", "passage", "paragraph", "document", "上下文", "段落", "文章")
_ANSWERS = ("answers", "answer", "answer_text", "答案", "回答")
_START = ("answer_start", "start", "答案位置")
_IMPOSSIBLE = ("is_impossible", "impossible", "不可回答")
_PAIRS = (
    ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("text1", "text2"),
    ("text_a", "text_b"), ("texta", "textb"), ("premise", "hypothesis"),
    ("question1", "question2"), ("sent_more", "sent_less"), ("chosen", "rejected"),
    ("first", "second"), ("prompt", "response"), ("question", "answer"), ("query", "reply"),
    ("instruction", "output"), ("query", "document"), ("context", "question"),
    ("句子1", "句子2"), ("文本1", "文本2"), ("问题", "回答"), ("问题", "答案"),
    ("提示", "回复"), ("前提", "假设"),
)  # fmt: skip
_PARALLEL = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("source_text", "target_text"),
    ("original", "translation"), ("原文", "译文"), ("源文", "译文"), ("英文", "中文"),
    ("中文", "英文"), ("english", "chinese"), ("chinese", "english"),
)  # fmt: skip
PARTS = {
    "train": "train", "training": "train", "训练": "train", "训练集": "train", "dev": "dev",
    "valid": "dev", "validation": "dev", "val": "dev", "验证": "dev", "验证集": "dev",
    "test": "test", "testing": "test", "测试": "test", "测试集": "test", "trial": "trial",
}  # fmt: skip
"""What splits are called."""

_NAMES = {
    *_TEXT, *_LABEL, *_TOKENS, *_TAGS, *_SPANS, *_ID, *_PART, *_QUESTION, *_CONTEXT, *_ANSWERS,
    *_START, *_IMPOSSIBLE, *(name for pair in (*_PAIRS, *_PARALLEL) for name in pair),
} - {"字", "词", "y", "set", "tag"}  # fmt: skip
_SHOWN = 10
_PIECES = re.compile(r"[\s._-]+")
_TAG = re.compile(r"O|[BIESLUMWU][-_]\S+")


@dataclass(frozen=True)
class Columns:
    """What a file's rows are, and which column is for what."""

    kind: Kind
    roles: Mapping[Role, str]
    spans: SpanStyle = ""


def is_known_name(cell: str) -> bool:
    """Whether a cell is the usual name of a column."""
    return cell.strip().lstrip("\ufeff").lower() in _NAMES


def usual_part(name: str) -> str:
    """train, dev or test, where a split is called something like that; else empty."""
    pieces = _PIECES.split(name.strip().lower())
    return next((PARTS[piece] for piece in pieces if piece in PARTS), "")


def is_tag(text: str) -> bool:
    """Whether this is a tag of a tagged token: O, B-PER, I_loc."""
    return _TAG.fullmatch(text) is not None


def assign(
    names: Sequence[str], sample: Sequence[Mapping[str, Any]], given: Mapping[Role, str], path: Path
) -> Columns:
    """What the columns are for.

    Args:
        names: of the columns, `a.b` for fields of objects.
        sample: some records.
        given: columns whose roles the user names; they win.
        path: for the error.

    Raises:
        DataError: no column holds text, or a named one is not there.
    """
    for role, name in given.items():
        if name not in names:
            raise DataError(
                f"there is no column '{name}' for {role}; found are {_some(names, ', ')}.",
                f"没有可作 {role} 的列“{name}”；现有的列：{_some(names, '、')}。",
                file=path,
                field=name,
            )
    finder = _Finder(names, sample, given)
    found = (
        finder.questions()
        or finder.tagged()
        or finder.spans()
        or finder.parallel()
        or finder.pair()
        or finder.labelled()
        or finder.by_values()
    )
    if found is None:
        raise DataError(
            f"no column holds text; found are {_some(names, ', ')}. Name one with "
            "--columns text=NAME.",
            f"没有文本列；现有的列：{_some(names, '、')}。请用 --columns text=列名 指明。",
            file=path,
        )
    roles = {**finder.common(found.roles), **found.roles, **given}
    return Columns(found.kind, roles, found.spans)


def _some(names: Sequence[str], comma: str) -> str:
    """The first names, and a sign that there are more."""
    return comma.join([*names[:_SHOWN], *(["..."] if len(names) > _SHOWN else [])])


class _Finder:
    """Looks for the columns of each kind of example in turn."""

    def __init__(
        self,
        names: Sequence[str],
        sample: Sequence[Mapping[str, Any]],
        given: Mapping[Role, str],
    ) -> None:
        self.names = list(names)
        self.lower = {name.lower(): name for name in reversed(self.names)}
        for name in reversed(self.names):
            self.lower.setdefault(name.lower().rpartition(".")[2], name)
        self.given = given
        self.values = {name: [get(record, name) for record in sample] for name in names}

    def questions(self) -> Columns | None:
        """A context, a question, and answers in the context."""
        context, question = self.named("context", _CONTEXT), self.named("question", _QUESTION)
        answers = self.named("answers", _ANSWERS)
        if not (context and question and answers) or len({context, question, answers}) < 3:
            return None
        roles: dict[Role, str] = {"context": context, "question": question, "answers": answers}
        start = self.named("answer_start", _START)
        if start and start != answers and not start.startswith(f"{answers}."):
            roles["answer_start"] = start
        impossible = self.named("impossible", _IMPOSSIBLE)
        return Columns("question", {**roles, **({"impossible": impossible} if impossible else {})})

    def tagged(self) -> Columns | None:
        """Two lists, or two strings of as many words, the second of tags."""
        tokens, tags = self.named("tokens", _TOKENS), self.named("tags", _TAGS)
        if not tokens:
            tokens = self.named("text", ("text", "sentence", "文本", "句子"))
        if not (tokens and tags) or tokens == tags:
            return None
        listed = self.mostly(tags, list) and (self.mostly(tokens, list))
        spaced = self.mostly(tags, str) and all(
            all(map(is_tag, str(value).split())) for value in self.values[tags] if value
        )
        return Columns("tagged", {"tokens": tokens, "tags": tags}) if listed or spaced else None

    def spans(self) -> Columns | None:
        """A text and a list of its labelled stretches, or CLUENER's object of them."""
        text = self.named("text", _TEXT)
        for name in (self.given.get("spans", ""), *_SPANS):
            column = self.lower.get(name.lower(), "")
            style = self.span_style(column) if column and column != text else ""
            if text and style:
                return Columns("spans", {"text": text, "spans": column}, style)
        return None

    def span_style(self, name: str) -> SpanStyle:
        """How spans are written in a column; empty if there are none."""
        filled = [value for value in self.values.get(name, []) if value]
        if filled and all(isinstance(value, dict) for value in filled):
            inner = [each for value in filled for each in value.values()]
            return "mentions" if inner and all(isinstance(each, dict) for each in inner) else ""
        items = [each for value in filled if isinstance(value, list) for each in value]
        if items and all(isinstance(each, list | tuple) and len(each) == 3 for each in items):
            return "triples"
        if items and all(isinstance(each, dict) and span_keys(each) for each in items):
            return "objects"
        return ""

    def parallel(self) -> Columns | None:
        """Two columns named as a source and its translation, or as two languages."""
        codes = [name for name in self.names if name.lower().rpartition(".")[2] in CODES]
        if len(codes) == 2 and all(self.mostly(name, str) for name in codes):
            return Columns("parallel", {"source": codes[0], "target": codes[1]})
        found = self.couple("source", "target", _PARALLEL)
        if found is None or self.is_categorical(found[1]):
            return None
        return Columns("parallel", {"source": found[0], "target": found[1]})

    def pair(self) -> Columns | None:
        """Two columns named as two texts that belong together."""
        found = self.couple("first", "second", _PAIRS)
        if found is None:
            return None
        return Columns("pair", {"first": found[0], "second": found[1]})

    def couple(
        self, first: Role, second: Role, usual: Sequence[tuple[str, str]]
    ) -> tuple[str, str] | None:
        """The two columns of one of the usual couples of names, both of them text."""
        given = (self.given.get(first, ""), self.given.get(second, ""))
        for one, two in (given, *usual):
            columns = self.lower.get(one.lower(), ""), self.lower.get(two.lower(), "")
            if all(columns) and all(self.mostly(name, str) for name in columns):
                return columns
        return None

    def labelled(self) -> Columns | None:
        """A column named as text, and one named as its class where there is one."""
        text = self.named("text", _TEXT)
        if not text or not (self.mostly(text, str) or self.mostly(text, list)):
            return None
        label = self.named("label", tuple(name for name in _LABEL if name != text.lower()))
        if label and label != text:
            return Columns("labelled", {"text": text, "label": label})
        return Columns("text", {"text": text})

    def common(self, taken: Mapping[Role, str]) -> dict[Role, str]:
        """Columns that any kind may have: an id, the split, the class of the whole."""
        found: dict[Role, str] = {}
        wanted: tuple[tuple[Role, Sequence[str]], ...] = (
            ("id", _ID),
            ("label", _LABEL if "pair" in taken or "text" not in taken else ("intent",)),
        )
        for role, usual in wanted:
            name = self.named(role, usual)
            if name and name not in taken.values() and self.scalar(name):
                found[role] = name
        for usual_name in _PART:
            name = self.lower.get(usual_name, "")
            if name and all(usual_part(str(value)) for value in self.values[name]):
                found["part"] = name
        if "source" in taken or "question" in taken:
            found.pop("label", None)
        return found

    def by_values(self) -> Columns | None:
        """The kind by what stands in the columns."""
        apart = self.common({}).values()
        names = [name for name in self.names if name not in apart]
        texts = [name for name in names if self.is_text(name)]
        classes = [name for name in names if self.is_categorical(name)]
        if not texts:
            return None
        if len(texts) > 1:
            one, two = texts[:2]
            tongues = of_many(self.strings(one)), of_many(self.strings(two))
            if all(tongues) and tongues[0] != tongues[1]:
                return Columns("parallel", {"source": one, "target": two})
            roles: dict[Role, str] = {"first": one, "second": two}
            named = [name for name in names if name.lower() in _NAMES]
            if not named:
                return Columns("pair", {**roles, **({"label": classes[-1]} if classes else {})})
        longest = max(texts, key=self.mean_length)
        if classes:
            return Columns("labelled", {"text": longest, "label": classes[-1]})
        return Columns("text", {"text": longest})

    def named(self, role: Role, usual: Sequence[str]) -> str:
        """The column that the user gave a role, else the first of the usual names."""
        if role in self.given:
            return self.given[role]
        return next((self.lower[name] for name in usual if name in self.lower), "")

    def strings(self, name: str) -> list[str]:
        """The texts in a column."""
        return [value for value in self.values[name] if isinstance(value, str) and value]

    def mean_length(self, name: str) -> float:
        """Characters per text."""
        found = self.strings(name)
        return sum(map(len, found)) / max(1, len(found))

    def mostly(self, name: str, kind: type) -> bool:
        """Whether most values that are there are of a type."""
        filled = [value for value in self.values[name] if value is not None]
        return bool(filled) and sum(isinstance(v, kind) for v in filled) > 0.5 * len(filled)

    def scalar(self, name: str) -> bool:
        """Whether no value is a list or an object."""
        return not any(isinstance(value, list | dict) for value in self.values[name])

    def is_text(self, name: str) -> bool:
        """Whether the values differ and hold words."""
        found = self.strings(name)
        worded = sum(any(letter.isalpha() for letter in value) for value in found)
        # Numbers of hashes, dates and names of files are no text.
        spoken = sum(" " in value.strip() or not value.isascii() for value in found)
        return (
            len(found) > 0.5 * len(self.values[name])
            and worded > 0.8 * len(found)
            and spoken > 0.5 * len(found)
            and not self.is_categorical(name)
        )

    def is_categorical(self, name: str) -> bool:
        """Whether the values are short and repeat."""
        found = [str(value) for value in self.values[name] if value is not None]
        if len(found) < 2 or not self.scalar(name):
            return False
        counts = Counter(found)
        digits = all(value.lstrip("-").isdigit() and len(value) <= 3 for value in counts)
        few = len(counts) <= (0.5 if not digits else 0.8) * len(found)
        return few and max(map(len, counts)) <= 40


def span_keys(item: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The names of start, end and label in an object that describes a span."""
    starts = ("start", "start_offset", "start_position", "begin", "start_idx")
    ends = ("end", "end_offset", "end_position", "stop", "end_idx")
    kinds = ("label", "type", "entity_type", "entity", "tag", "entity_group")
    found = [next((key for key in keys if key in item), "") for keys in (starts, ends, kinds)]
    return (found[0], found[1], found[2]) if all(found) else None
