"""The application: a text in, what is understood of it out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from speaq.apps.application import Answer, recorded
from speaq.apps.knowledge_graph import KnowledgeGraph, load_graph
from speaq.apps.understand.classifiers import labels_of
from speaq.apps.understand.opening import RULES, Skills, open_skills
from speaq.apps.understand.relaters import ties
from speaq.apps.understand.results import Entity, Labels, Tie, Understanding, Word, as_json
from speaq.core.errors import DataError, SettingsError
from speaq.core.settings import require
from speaq.experience.episode import Turn
from speaq.text.segmentation import is_chinese

if TYPE_CHECKING:
    from speaq.training.contextual import Encoder

GRAPH = "graph.jsonl"
"""In the folder of the skills: see `knowledge_graph`."""
LONGEST = 1_000_000
"""Characters of a text; a longer one is taken for a paste that went wrong."""


@dataclass(frozen=True)
class UnderstandRequest:
    """What is to be understood.

    Raises:
        SettingsError: a field out of its range.
        DataError: no text, or far too much of it.
    """

    text: str
    tasks: tuple[str, ...] = ()
    """Some of the application's tasks; empty: all."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Classes by their descriptions, tried without any training as the task `described`."""
    shape: Literal["spans", "tokens"] = "spans"
    """Of the details; see `results`."""
    explore: float = 0.0
    """Temperature at which a class is drawn rather than the likeliest given, so that what people
    make of it can teach; 0: never."""

    def __post_init__(self) -> None:
        require(
            "understand",
            self,
            {
                "shape": (self.shape in ("spans", "tokens"), "spans | tokens"),
                "explore": (0 <= self.explore <= 10, "0 to 10"),
            },
        )
        if not self.text.strip():
            raise DataError("the text is empty.", "文本为空。", field="text")
        if len(self.text) > LONGEST:
            raise DataError(
                f"the text has {len(self.text):,} characters, and one text may have {LONGEST:,}; "
                "split it.",
                f"文本有 {len(self.text):,} 个字符，单个文本最多 {LONGEST:,} 个；请拆分。",
                field="text",
            )


class Understand:
    """Understanding by some skills.

    Args:
        skills: what can be said of a text.
        model: the name they are recorded under.
        graph: what is browsed beside them.
    """

    name = "understand"
    request = UnderstandRequest

    def __init__(
        self, skills: Skills, model: str = RULES, graph: KnowledgeGraph | None = None
    ) -> None:
        self.skills = skills
        self.model = model
        self.graph = graph

    @classmethod
    def open(cls, source: str = RULES) -> "Understand":
        """The application on a source; see `opening`. A graph in its folder comes along.

        Raises:
            ModelError: there is no such thing.
            DataError: a manifest or rules that cannot be read.
        """
        file = Path(source) / GRAPH
        graph = load_graph(file) if file.is_file() else None
        return cls(open_skills(source), Path(source).name or source, graph)

    @cached_property
    def _encoder(self) -> "Encoder":
        from speaq.apps.understand.describing import ENCODER
        from speaq.training.contextual import open_encoder

        return open_encoder(ENCODER)

    def respond(self, request: UnderstandRequest, answer_id: str) -> Iterator[str | Answer]:
        """See `Application`: one answer. Its text is the class, or what was found line by line.

        The episode's tags hold `label` and `propensity` where one class was given: how likely it
        was to be given, so that clicks can teach (see `qlearning.partial_feedback`). Where several
        classifiers answered, `label.TASK` and `propensity.TASK` for each.

        Raises:
            SettingsError: no such task, or descriptions of fewer than two labels.
        """
        skills = self._chosen(request)
        found = understand(skills, request.text, explore=request.explore, draw_id=answer_id)
        episode = recorded(
            app=self.name,
            model=self.model,
            prompt=request.text,
            reply=Turn("action", told(found)),
            answer_id=answer_id,
            tags=_tags(found),
        )
        yield Answer(episode, as_json(found, request.shape))

    def _chosen(self, request: UnderstandRequest) -> Skills:
        skills = self.skills
        if request.tasks:
            skills = some(skills, request.tasks)
        if not request.labels:
            return skills
        from speaq.apps.understand.describing import described

        ready = described(self._encoder, request.labels)
        own = skills if request.tasks else Skills()
        return own | Skills({"described": ready})


def some(skills: Skills, tasks: Sequence[str]) -> Skills:
    """Some of the skills. Relations need the entities of a finder, which come along.

    Raises:
        SettingsError: no such task.
    """
    for task in tasks:
        if task not in skills.tasks:
            raise SettingsError(
                f"there is no task '{task}'; there are {', '.join(skills.tasks)}.",
                f"没有任务“{task}”；现有：{'、'.join(skills.tasks)}。",
            )
    wanted = set(tasks)
    related = wanted & set(skills.relaters)
    return Skills(
        {name: each for name, each in skills.classifiers.items() if name in wanted},
        {name: each for name, each in skills.finders.items() if name in wanted or related},
        {name: each for name, each in skills.relaters.items() if name in wanted},
        {name: each for name, each in skills.parsers.items() if name in wanted},
    )


def understand(
    skills: Skills, text: str, *, explore: float = 0.0, draw_id: str = ""
) -> Understanding:
    """Everything that skills say of a text.

    Of entities of several finders that overlap, those of the finder named first stay.

    Args:
        skills: what can be said.
        text: of what.
        explore: see `UnderstandRequest`.
        draw_id: decides the draw, together with the task.
    """
    labels: dict[str, Labels] = {}
    for task, classifier in skills.classifiers.items():
        probable = classifier.probabilities([text])[0]
        labels[task] = labels_of(
            classifier, probable, draw=explore, at=_uniform(f"{draw_id}/{task}")
        )
    entities: list[Entity] = []
    for finder in skills.finders.values():
        for each in finder.entities([text])[0]:
            if all(each.end <= other.start or other.end <= each.start for other in entities):
                entities.append(each)
    entities.sort(key=lambda each: each.start)
    stated: list[Tie] = []
    for relater in skills.relaters.values():
        stated += ties(relater, text, entities)
    words: tuple[Word, ...] = ()
    for parser in skills.parsers.values():
        words = parser.words([text])[0]
    return Understanding(text, labels, tuple(entities), tuple(stated), words)


def _uniform(name: str) -> float:
    """A number in [0, 1) that belongs to a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=7).digest(), "big") / 2**56


def told(found: Understanding) -> str:
    """The findings as the text of an answer, in the language of what was asked."""
    chinese = is_chinese(found.text)
    if len(found.labels) == 1 and not (found.entities or found.words):
        return _said(next(iter(found.labels.values())), chinese)
    mark, comma = ("：", "，") if chinese else (": ", ", ")
    lines = [f"{task}{mark}{_said(each, chinese)}" for task, each in found.labels.items()]
    lines += [f"{each.label}{mark}{each.text}" for each in found.entities]
    for tie in found.ties:
        head, tail = found.entities[tie.head].text, found.entities[tie.tail].text
        lines.append(f"{head} —{tie.label}→ {tail}")
    if found.words:
        lines.append(comma.join(f"{each.text}/{each.pos}" for each in found.words))
    return "\n".join(lines) or ("没有发现。" if chinese else "Nothing was found.")


def _said(labels: Labels, chinese: bool) -> str:
    names = ("、" if chinese else ", ").join(each.label for each in labels.given)
    if not names:
        return "无" if chinese else "none"
    if not labels.abstained:
        return names
    return f"不确定（{names}？）" if chinese else f"not sure ({names}?)"


def _tags(found: Understanding) -> dict[str, str]:
    tags: dict[str, str] = {}
    one = len(found.labels) == 1
    for task, each in found.labels.items():
        end = "" if one else f".{task}"
        tags[f"label{end}"] = each.given[0].label if len(each.given) == 1 else _listed(each.given)
        tags[f"propensity{end}"] = repr(each.propensity)
    if one:
        tags["task"] = next(iter(found.labels))
    if found.entities:
        tags["entities"] = json.dumps(
            [[each.start, each.end, each.label] for each in found.entities], ensure_ascii=False
        )
    return tags


def _listed(given: Any) -> str:
    return json.dumps([each.label for each in given], ensure_ascii=False)
