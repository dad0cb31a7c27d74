"""How the entities of a text stand to each other: every pair of a sentence is judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from speaq.apps.understand.classifiers import neural_probabilities
from speaq.apps.understand.results import Entity, Tie
from speaq.apps.understand.units import sentences_of
from speaq.training.floors.linear_classes import Linear
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Related
from speaq.training.supervised.result import Tuned

NONE = frozenset(
    {"none", "other", "na", "no_relation", "norelation", "无", "无关系", "没有关系", ""}
)
"""Labels that say that there is no relation, in lower case."""
FORWARDS, BACKWARDS = "(e1,e2)", "(e2,e1)"
"""Ends of labels that say which of the two, in the order of the text, is the first."""
_MOST = 40
"""Entities of a sentence whose pairs are judged; their number grows with the square."""


class Relater(Protocol):
    """A judge of relations."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The relations, in the order of the probabilities, one for "none" among them."""

    @property
    def threshold(self) -> float:
        """The probability below which a relation is not stated."""

    def probabilities(self, pairs: Sequence[Related]) -> NDArray[np.float64]:
        """(N, C)."""


@dataclass(frozen=True)
class NeuralRelater:
    """A fine-tuned head at marks before the two passages."""

    tuned: Tuned
    task: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Relater`."""
        return self.tuned.skills[self.task].kind.labels

    @property
    def threshold(self) -> float:
        """See `Relater`."""
        return cast(Classifying, self.tuned.skills[self.task].kind).threshold

    def probabilities(self, pairs: Sequence[Related]) -> NDArray[np.float64]:
        """See `Relater`."""
        return neural_probabilities(self.tuned, self.task, pairs)


@dataclass(frozen=True)
class LinearRelater:
    """A linear machine over words and vectors."""

    model: Linear
    threshold: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Relater`."""
        return self.model.labels

    def probabilities(self, pairs: Sequence[Related]) -> NDArray[np.float64]:
        """See `Relater`."""
        return self.model.probabilities(pairs)


def ties(relater: Relater, text: str, entities: Sequence[Entity]) -> tuple[Tie, ...]:
    """The relations between the entities of each sentence.

    Where labels say themselves which entity is the first, a pair is judged once, in the order of
    the text; else both ways round, and of a label that both ways get the likelier stays.
    """
    told = any(label.endswith((FORWARDS, BACKWARDS)) for label in relater.labels)
    pairs: list[tuple[int, int]] = []
    examples: list[Related] = []
    for start, end in sentences_of(text):
        here = [n for n, e in enumerate(entities) if start <= e.start and e.end <= end][:_MOST]
        for i in here:
            for j in here:
                if i != j and (i < j or not told):
                    pairs.append((i, j))
                    examples.append(_pair(text[start:end], start, entities[i], entities[j]))
    if not examples:
        return ()
    stated: dict[tuple[int, int, str], Tie] = {}
    for pair, row in zip(pairs, relater.probabilities(examples), strict=True):
        made = _tie(relater, pair, row)
        if made is None:
            continue
        back = stated.get((made.tail, made.head, made.label))
        if back is not None and back.score >= made.score:
            continue
        if back is not None:
            del stated[made.tail, made.head, made.label]
        stated[made.head, made.tail, made.label] = made
    return tuple(sorted(stated.values(), key=lambda tie: (tie.head, tie.tail, tie.label)))


def _pair(sentence: str, start: int, head: Entity, tail: Entity) -> Related:
    return Related(
        sentence,
        (head.start - start, head.end - start),
        (tail.start - start, tail.end - start),
        "",
    )


def _tie(relater: Relater, pair: tuple[int, int], probable: NDArray[np.float64]) -> Tie | None:
    place = int(probable.argmax())
    label, score = relater.labels[place], float(probable[place])
    if label.lower() in NONE or score < relater.threshold:
        return None
    head, tail = pair
    if label.endswith(BACKWARDS):
        head, tail = tail, head
    return Tie(head, tail, label.removesuffix(FORWARDS).removesuffix(BACKWARDS), score)
