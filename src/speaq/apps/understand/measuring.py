"""How right a skill is on a file, how sure, and what it would cost to say less."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from speaq.apps.understand.classifiers import Classifier
from speaq.apps.understand.finders import Finder
from speaq.apps.understand.opening import Skills
from speaq.apps.understand.parsers import NeuralParser
from speaq.apps.understand.relaters import Relater
from speaq.core.errors import DataError, SettingsError
from speaq.text.tagging import stretches
from speaq.text.units import units
from speaq.training.supervised.calibration import calibration_error, threshold_at
from speaq.training.supervised.classifying import wanted_labels
from speaq.training.supervised.examples import Example, Labelled, Parsed, Related, Tagged
from speaq.training.supervised.measures import (
    class_measures,
    directed_f1,
    f1,
    per_class,
    several_measures,
)

COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)


@dataclass(frozen=True)
class Point:
    """What is right of the answers that are surer than a threshold."""

    coverage: float
    """Share of the texts that are answered."""
    threshold: float
    accuracy: float


@dataclass(frozen=True)
class Measured:
    """Measures, the abstain curve where one class is given, and every class."""

    measures: dict[str, Any]
    curve: tuple[Point, ...] = ()
    classes: dict[str, dict[str, float]] | None = None


def abstain_curve(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    coverages: Sequence[float] = COVERAGES,
) -> tuple[Point, ...]:
    """What answering only the surest shares of texts makes of accuracy."""
    found = []
    for wanted in coverages:
        threshold = threshold_at(confidence, wanted)
        kept = confidence >= threshold
        found.append(Point(float(kept.mean()), threshold, float(right[kept].mean())))
    return tuple(found)


def measured(skills: Skills, task: str, examples: Sequence[Example]) -> Measured:
    """A task's measures on examples.

    Raises:
        SettingsError: no such task.
        DataError: examples of another kind.
    """
    kinds: tuple[tuple[Any, type, Any], ...] = (
        (skills.classifiers, Labelled, _classes),
        (skills.finders, Tagged, _entities),
        (skills.relaters, Related, _relations),
        (skills.parsers, Parsed, _parses),
    )
    for held, kind, measure in kinds:
        if task in held:
            if not examples or not isinstance(examples[0], kind):
                raise DataError(
                    f"the file does not hold what '{task}' answers.",
                    f"该文件不是任务“{task}”的数据。",
                )
            return cast(Measured, measure(held[task], examples))
    raise SettingsError(
        f"there is no task '{task}'; there are {', '.join(skills.tasks)}.",
        f"没有任务“{task}”；现有：{'、'.join(skills.tasks)}。",
    )


def _classes(classifier: Classifier, examples: Sequence[Labelled]) -> Measured:
    probable = classifier.probabilities([each.text for each in examples])
    if classifier.several:
        found = [
            [n for n, p in zip(classifier.labels, row, strict=True) if p >= classifier.threshold]
            for row in probable
        ]
        return Measured(dict(several_measures(found, [each.labels for each in examples])))
    return _single(classifier.labels, probable, [wanted_labels(each)[0] for each in examples])


def _single(
    labels: Sequence[str], probable: NDArray[np.float64], wanted: Sequence[str]
) -> Measured:
    found = [labels[n] for n in probable.argmax(1)]
    right = np.array([a == b for a, b in zip(found, wanted, strict=True)])
    sure = probable.max(1)
    measures = {**class_measures(found, wanted), "ece": calibration_error(sure, right)}
    return Measured(measures, abstain_curve(sure, right), per_class(found, wanted))


def _relations(relater: Relater, examples: Sequence[Related]) -> Measured:
    wanted = [each.label for each in examples]
    made = _single(relater.labels, relater.probabilities(examples), wanted)
    if any("(e" in label for label in relater.labels):
        found = relater.probabilities(examples).argmax(1)
        made.measures["directed_f1"] = directed_f1([relater.labels[n] for n in found], wanted)
    return made


def _entities(finder: Finder, examples: Sequence[Tagged]) -> Measured:
    """By characters of the words written out, so that any way of cutting words compares."""
    texts, wanted = [], []
    for each in examples:
        text, places = written_out(each.words)
        texts.append(text)
        wanted.append({(places[s.start][0], places[s.end - 1][1], s.label)
                       for s in stretches(each.tags)})  # fmt: skip
    begun = time.perf_counter()
    answers = finder.entities(texts)
    seconds = time.perf_counter() - begun
    right = given = asked = 0
    for found, other in zip(answers, wanted, strict=True):
        named = {(e.start, e.end, e.label) for e in found}
        right, given, asked = right + len(named & other), given + len(named), asked + len(other)
    return Measured(
        {
            "f1": f1(right, given, asked),
            "precision": right / given if given else 0.0,
            "recall": right / asked if asked else 0.0,
            "words_per_second": sum(len(units(text)) for text in texts) / max(seconds, 1e-9),
        }
    )


def written_out(words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Words as a text, with a blank between two that are written apart, and their places."""
    text, places = "", []
    for word in words:
        if text and text[-1].isascii() and word[:1].isascii():
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def _parses(parser: NeuralParser, examples: Sequence[Parsed]) -> Measured:
    return Measured(parser.tuned.measures(examples, parser.task))
