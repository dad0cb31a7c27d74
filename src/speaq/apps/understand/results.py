"""What is found in a text. Offsets count characters, and an end is behind the last character."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from speaq.core.errors import SettingsError

Shape = Literal["spans", "tokens"]
"""spans: `{"text", "start", "end", "label", "score"}` for each entity, as spaCy's users write it;
tokens: `tok`, `ner`, `pos`, `dep` in tokens, as HanLP has it, with where each token stands."""


@dataclass(frozen=True, slots=True)
class Label:
    """A class and how likely it is."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Labels:
    """The answer of one classifier."""

    given: tuple[Label, ...]
    """What is said: one class, or all that hold where several may."""
    ranked: tuple[Label, ...]
    """Every class, the likeliest first."""
    abstained: bool = False
    """Whether the likeliest is too unlikely to be said without doubt."""
    propensity: float = 1.0
    """How likely it was to be given this answer: less than 1 where answers are explored."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A named passage: `text == whole[start:end]`."""

    text: str
    start: int
    end: int
    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Tie:
    """How one entity stands to another, by their numbers."""

    head: int
    tail: int
    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """A word in its sentence."""

    text: str
    start: int
    end: int
    pos: str = ""
    """The universal part of speech."""
    head: int = -1
    """The number of the word it hangs on, counted through the whole text; -1: none."""
    relation: str = ""
    """What it is to its head; `root` for the word that hangs on none."""
    score: float = 1.0
    """Probability of this head."""


@dataclass(frozen=True)
class Understanding:
    """Everything that was found in one text."""

    text: str
    labels: Mapping[str, Labels] = field(default_factory=dict)
    """By task."""
    entities: tuple[Entity, ...] = ()
    """In the order of the text; they do not overlap."""
    ties: tuple[Tie, ...] = ()
    words: tuple[Word, ...] = ()


def as_json(found: Understanding, shape: Shape = "spans") -> dict[str, Any]:
    """The findings as JSON values.

    Raises:
        SettingsError: an unknown shape.
    """
    if shape not in get_args(Shape):
        raise SettingsError(
            f"there is no shape '{shape}'; known are {', '.join(get_args(Shape))}.",
            f"没有输出形式“{shape}”；可用：{'、'.join(get_args(Shape))}。",
        )
    labels = {task: _labels(each) for task, each in found.labels.items()}
    return {"text": found.text, "labels": labels, **_SHAPES[shape](found)}


def from_json(record: Mapping[str, Any]) -> Understanding:
    """What `as_json` wrote in the shape of spans."""
    labels = {
        task: Labels(
            tuple(Label(**each) for each in said["given"]),
            tuple(Label(**each) for each in said["ranked"]),
            said["abstained"],
        )
        for task, said in record["labels"].items()
    }
    entities = tuple(Entity(**each) for each in record["entities"])
    number = {(each.start, each.end): n for n, each in enumerate(entities)}
    ties = tuple(
        Tie(
            number[each["head"]["start"], each["head"]["end"]],
            number[each["tail"]["start"], each["tail"]["end"]],
            each["label"],
            each["score"],
        )
        for each in record["relations"]
    )
    words = tuple(Word(**each) for each in record["words"])
    return Understanding(record["text"], labels, entities, ties, words)


def _labels(labels: Labels) -> dict[str, Any]:
    return {
        "given": [_label(each) for each in labels.given],
        "ranked": [_label(each) for each in labels.ranked],
        "abstained": labels.abstained,
    }


def _label(label: Label) -> dict[str, Any]:
    return {"label": label.label, "score": round(label.score, 6)}


def _spans(found: Understanding) -> dict[str, Any]:
    entities = [
        {
            "text": each.text,
            "start": each.start,
            "end": each.end,
            "label": each.label,
            "score": round(each.score, 6),
        }
        for each in found.entities
    ]
    ties = [
        {
            "head": entities[each.head],
            "tail": entities[each.tail],
            "label": each.label,
            "score": round(each.score, 6),
        }
        for each in found.ties
    ]
    words = [
        {
            "text": each.text,
            "start": each.start,
            "end": each.end,
            "pos": each.pos,
            "head": each.head,
            "relation": each.relation,
            "score": round(each.score, 6),
        }
        for each in found.words
    ]
    return {"entities": entities, "relations": ties, "words": words}


def _tokens(found: Understanding) -> dict[str, Any]:
    places = token_places(found)
    starts = {start: n for n, (start, _) in enumerate(places)}
    ends = {end: n + 1 for n, (_, end) in enumerate(places)}
    made: dict[str, Any] = {
        "tok": [found.text[start:end] for start, end in places],
        "offsets": [list(place) for place in places],
        "ner": [[e.text, e.label, starts[e.start], ends[e.end]] for e in found.entities],
        "ner_scores": [round(each.score, 6) for each in found.entities],
        "rel": [[tie.head, tie.label, tie.tail, round(tie.score, 6)] for tie in found.ties],
    }
    if found.words:
        made["pos"] = [each.pos for each in found.words]
        # As in CoNLL-U heads are counted from 1, and 0 is the root.
        made["dep"] = [[each.head + 1, each.relation] for each in found.words]
    return made


def token_places(found: Understanding) -> list[tuple[int, int]]:
    """Tokens that no entity begins or ends inside of: parsed words, or words of a dictionary."""
    if found.words:
        places: Sequence[tuple[int, int]] = [(each.start, each.end) for each in found.words]
    else:
        from speaq.apps.understand.units import words_and_marks

        places = words_and_marks(found.text)
    cuts = sorted({cut for each in found.entities for cut in (each.start, each.end)})
    made: list[tuple[int, int]] = []
    for start, end in places:
        inner = [cut for cut in cuts if start < cut < end]
        made += zip([start, *inner], [*inner, end], strict=True)
    return made


_SHAPES = {"spans": _spans, "tokens": _tokens}
