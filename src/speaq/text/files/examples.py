"""The kinds of example that a data file holds, whatever its format.

Every example knows its place: the file, the row, and the part (train, dev, test) it belongs to.
Offsets count characters, not bytes, and an end is the place behind the last character.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "labelled", "tagged", "spans", "pair", "parallel", "question"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an example stands."""

    file: str
    row: int
    """As an editor shows it: the line; for JSON lists, Parquet and SQuAD the record, from 1."""
    part: str = ""
    """train, dev, test or what the file or its split column calls it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.row}"


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a text: `text[start:end]`."""

    start: int
    end: int
    label: str
    said: str | None = None
    """What the file says stands there, where it says so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that stands in a context: `context[start : start + len(text)]`."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text without a label, such as a line of a corpus."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its classes: one, none (not labelled), or several where the file lists them."""

    text: str
    labels: tuple[str, ...]
    place: Place

    @property
    def label(self) -> str:
        """The first class; an empty string where there is none."""
        return self.labels[0] if self.labels else ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """Tokens with one tag each, as in CoNLL files, and a class of the whole where there is one."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    place: Place
    label: str = ""


@dataclass(frozen=True, slots=True)
class Spans:
    """A text with labelled stretches, and a class of the whole where there is one."""

    text: str
    spans: tuple[Span, ...]
    place: Place
    label: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and how they relate: a class or a score as written, empty where not said."""

    first: str
    second: str
    label: str
    place: Place


@dataclass(frozen=True, slots=True)
class Parallel:
    """A sentence and its translation."""

    source: str
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a context. `impossible`: the context holds no answer, and the file says so."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    impossible: bool
    place: Place


Example = Text | Labelled | Tagged | Spans | Pair | Parallel | Question


def texts(example: Example) -> dict[str, str]:
    """The texts of an example by field, without labels; tokens are joined by a space."""
    match example:
        case Text(text=text) | Labelled(text=text) | Spans(text=text):
            return {"text": text}
        case Tagged(tokens=tokens):
            return {"tokens": " ".join(tokens)}
        case Pair(first=first, second=second):
            return {"first": first, "second": second}
        case Parallel(source=source, target=target):
            return {"source": source, "target": target}
        case Question(question=question, context=context):
            return {"question": question, "context": context}


def labels(example: Example) -> tuple[str, ...]:
    """The classes of the whole example; none for kinds that have no class."""
    match example:
        case Labelled(labels=found):
            return found
        case Tagged(label=label) | Spans(label=label) | Pair(label=label):
            return (label,) if label else ()
        case _:
            return ()
