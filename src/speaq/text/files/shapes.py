"""Examples out of records, and records with what was changed in their examples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from speaq.core.errors import DataError
from speaq.text.files.columns import span_keys, usual_part
from speaq.text.files.examples import (
    Answer,
    Example,
    Labelled,
    Pair,
    Parallel,
    Place,
    Question,
    Span,
    Spans,
    Tagged,
    Text,
)
from speaq.text.files.layouts import Layout, Role, SpanStyle, get, put

Record = Mapping[str, Any]


def example_of(record: Record, layout: Layout, place: Place) -> Example:
    """The example that a record holds.

    Raises:
        DataError: a field is missing or of a kind that cannot be read.
    """
    part = get(record, layout.columns["part"]) if "part" in layout.columns else None
    if part:
        place = replace(place, part=usual_part(str(part)) or str(part))
    return _Maker(record, layout, place).made()


class _Maker:
    def __init__(self, record: Record, layout: Layout, place: Place) -> None:
        self.record, self.layout, self.place = record, layout, place

    def made(self) -> Example:
        """The example."""
        place = self.place
        match self.layout.kind:
            case "labelled":
                return Labelled(self.text("text"), self.labels(), place)
            case "tagged":
                return Tagged(self.words("tokens"), self.words("tags"), place, self.label())
            case "spans":
                text = self.text("text")
                return Spans(text, tuple(self.spans(text)), place, self.label())
            case "pair":
                return Pair(self.text("first"), self.text("second"), self.label(), place)
            case "parallel":
                return Parallel(self.text("source"), self.text("target"), place)
            case "question":
                return self.question()
            case _:
                return Text(self.text("text"), place)

    def value(self, role: Role) -> Any:
        """What stands in the column of a role; None where there is no such column."""
        return get(self.record, self.layout.columns[role]) if role in self.layout.columns else None

    def text(self, role: Role) -> str:
        """A text; lists of lines or of messages are joined."""
        value = self.value(role)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "\n".join(map(_said, value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise self.wrong(role, "text", "文本", value)

    def labels(self) -> tuple[str, ...]:
        """The classes."""
        value = self.value("label")
        found = value if isinstance(value, list) else [value]
        if any(isinstance(each, dict | list) for each in found):
            raise self.wrong("label", "a class or a list of classes", "类别或类别列表", value)
        return tuple(text for text in map(_class, found) if text)

    def label(self) -> str:
        """The class of the whole, empty where there is none."""
        return _class(self.value("label"))

    def words(self, role: Role) -> tuple[str, ...]:
        """A list of words or tags, or a string of them between blanks."""
        value = self.value(role)
        if isinstance(value, str):
            return tuple(value.split())
        if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
            return tuple(map(_class, value))
        raise self.wrong(role, "a list of words", "词的列表", value)

    def spans(self, text: str) -> list[Span]:
        """The labelled stretches, in the file's order."""
        value = self.value("spans")
        try:
            return read_spans(value, self.layout.spans)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise self.wrong(
                "spans",
                "stretches with a start, an end and a label",
                "带起止位置与标签的区间",
                value,
            ) from error

    def question(self) -> Question:
        """A question with its context and answers."""
        try:
            answers = tuple(self.answers())
        except (TypeError, ValueError, KeyError) as error:
            raise self.wrong(
                "answers", "answers with text and answer_start", "含 text 与 answer_start 的答案",
                self.value("answers"),
            ) from error  # fmt: skip
        said = self.value("impossible")
        # A file that marks nothing means: what has no answer is meant to have none only in 2.0.
        impossible = str(said).lower() in ("true", "1") if said is not None else False
        return Question(
            _class(self.value("id")),
            self.text("question"),
            self.text("context"),
            answers,
            impossible,
            self.place,
        )

    def answers(self) -> list[Answer]:
        """The answers, from a list of objects, an object of lists, or two columns."""
        value = self.value("answers")
        if isinstance(value, str):
            start = self.value("answer_start")
            found = self.text("context").find(value) if start in (None, "") else int(start)
            return [Answer(value, found)] if value else []
        if isinstance(value, Mapping):
            starts = value.get("answer_start", value.get("start"))
            return [Answer(str(t), int(s)) for t, s in zip(value["text"], starts, strict=True)]
        return [Answer(str(each["text"]), int(each["answer_start"])) for each in value or ()]

    def wrong(self, role: Role, en: str, zh: str, value: Any) -> DataError:
        """The error of a field that is something else."""
        kind = type(value).__name__
        return DataError(
            f"expected {en}, found {kind}.",
            f"应为{zh}，却是 {kind}。",
            file=self.place.file,
            row=self.place.row,
            field=self.layout.columns.get(role, role),
        )


def _class(value: Any) -> str:
    return "" if value is None else str(value)


def _said(item: Any) -> str:
    """A line, or the words of a message of a conversation."""
    if isinstance(item, Mapping):
        return str(item.get("content") or item.get("value") or item.get("text") or "")
    return str(item)


def read_spans(value: Any, style: SpanStyle) -> list[Span]:
    """The spans of a field. Ends of CLUENER's mentions are the last character, as it writes them.

    Raises:
        TypeError, ValueError, KeyError, AttributeError: it is written otherwise.
    """
    if not value:
        return []
    if style == "triples":
        return [Span(int(start), int(end), str(label)) for start, end, label in value]
    if style == "mentions":
        return [
            Span(int(start), int(last) + 1, str(label), str(mention))
            for label, mentions in value.items()
            for mention, places in mentions.items()
            for start, last in places
        ]
    found = []
    for item in value:
        keys = span_keys(item)
        if keys is None:
            raise KeyError("start")
        start, end, label = (item[key] for key in keys)
        said = _mention(item)
        found.append(Span(int(start), int(end), str(label), None if said is None else str(said)))
    return found


_MENTIONS = ("entity_value", "word", "mention", "text", "value")


def _mention(item: Record) -> Any:
    return next((item[key] for key in _MENTIONS if key in item), None)


def write_spans(spans: Sequence[Span], old: Any, text: str, style: SpanStyle) -> Any:
    """The field of spans as `read_spans` reads it; other fields of its objects are kept."""
    if style == "triples":
        return [[span.start, span.end, span.label] for span in spans]
    if style == "mentions":
        found: dict[str, dict[str, list[list[int]]]] = {}
        for span in spans:
            mentions = found.setdefault(span.label, {})
            place = [span.start, span.end - 1]
            mentions.setdefault(text[span.start : span.end], []).append(place)
        return found
    items = old if isinstance(old, list) else []
    return [_object(span, _like(span, items), text) for span in spans]


def _like(span: Span, items: Sequence[Record]) -> Record:
    """The old object of a span: one of its label, the nearest of these."""
    template: Record = {"start": 0, "end": 0, "label": ""}
    near = None
    for item in items:
        keys = span_keys(item) or ("start", "end", "label")
        distance = abs(int(item[keys[0]]) - span.start) + (str(item[keys[2]]) != span.label) * 1e9
        if near is None or distance < near:
            near, template = distance, item
    return template


def _object(span: Span, like: Record, text: str) -> dict[str, Any]:
    start, end, label = span_keys(like) or ("start", "end", "label")
    made = {**like, start: span.start, end: span.end, label: span.label}
    for key in _MENTIONS:
        if key in made:
            made[key] = text[span.start : span.end]
            break
    return made


def record_of(new: Example, old: Example, record: Record, layout: Layout) -> dict[str, Any]:
    """The record with what differs between its example and a changed one."""
    made = dict(record)
    for role, value in _changes(new, old).items():
        if role == "spans" and isinstance(new, Spans):
            column = layout.columns["spans"]
            value = write_spans(new.spans, get(record, column), new.text, layout.spans)
        elif role == "answers" and isinstance(new, Question):
            made = _with_answers(new, made, layout)
            continue
        elif role in ("tokens", "tags"):
            joined = isinstance(get(record, layout.columns[role]), str)
            value = " ".join(value) if joined else list(value)
        elif role == "label":
            value = _as_before(value, get(record, layout.columns["label"]))
        made = put(made, layout.columns[role], value)
    return made


_FIELDS: Mapping[str, Role] = {
    "text": "text", "labels": "label", "label": "label", "tokens": "tokens", "tags": "tags",
    "spans": "spans", "first": "first", "second": "second", "source": "source",
    "target": "target", "id": "id", "question": "question", "context": "context",
    "answers": "answers",
}  # fmt: skip


def _changes(new: Example, old: Example) -> dict[Role, Any]:
    """The values of the fields that differ."""
    found: dict[Role, Any] = {}
    for name in type(new).__slots__:
        if name in _FIELDS:
            value = _field(new, name)
            if value != _field(old, name):
                found[_FIELDS[name]] = value
    return found


def _field(example: Example, name: str) -> Any:
    return type(example).__dict__[name].__get__(example)


def _as_before(value: Any, before: Any) -> Any:
    """A class as the file writes it: a list, a number, a truth, where it was one."""
    if isinstance(value, tuple):
        if isinstance(before, list):
            return list(value)
        value = "".join(value[:1])
    if isinstance(before, bool):
        return value == "True"
    return type(before)(value) if isinstance(before, int | float) else value


def _with_answers(example: Question, record: dict[str, Any], layout: Layout) -> dict[str, Any]:
    column = layout.columns["answers"]
    before = get(record, column)
    if isinstance(before, str):
        (answer,) = example.answers or (Answer("", 0),)
        made = put(record, column, answer.text)
        return put(made, layout.columns["answer_start"], answer.start)
    starts, texts = [a.start for a in example.answers], [a.text for a in example.answers]
    if isinstance(before, Mapping):
        return put(record, column, {**before, "text": texts, "answer_start": starts})
    both = zip(texts, starts, strict=True)
    return put(record, column, [{"text": text, "answer_start": start} for text, start in both])
