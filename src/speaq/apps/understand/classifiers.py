"""What says of which classes a text is: fine-tuned, linear, compact, or by rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from speaq.apps.understand.results import Label, Labels
from speaq.training.floors.compact import Compact
from speaq.training.floors.linear_classes import Linear
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.learner import scores
from speaq.training.supervised.result import Tuned


class Classifier(Protocol):
    """A classifier of texts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""

    @property
    def several(self) -> bool:
        """Whether any number of classes may hold."""

    @property
    def threshold(self) -> float:
        """The probability below which a class is not said without doubt; where several may hold,
        that from which one is given."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, C)."""


@dataclass(frozen=True)
class NeuralClassifier:
    """A fine-tuned head for whole texts."""

    tuned: Tuned
    task: str = ""
    least: float = -1.0
    """A threshold instead of the one that validation set; negative: none."""

    @property
    def kind(self) -> Classifying:
        """The task's kind."""
        return cast(Classifying, self.tuned.skills[self.task].kind)

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Classifier`."""
        return self.kind.labels

    @property
    def several(self) -> bool:
        """See `Classifier`."""
        return self.kind.several

    @property
    def threshold(self) -> float:
        """See `Classifier`."""
        if self.least >= 0:
            return self.least
        return self.kind.threshold or (0.5 if self.several else 0.0)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Classifier`."""
        return neural_probabilities(self.tuned, self.task, [Labelled(text, ()) for text in texts])


def neural_probabilities(tuned: Tuned, task: str, examples: Sequence[Any]) -> NDArray[np.float64]:
    """Calibrated probabilities (N, C) of a fine-tuned head for texts or relations."""
    skill = tuned.skills[task]
    kind = cast(Classifying, skill.kind)
    rows, _ = kind.rows(tuned.trunk, examples)
    found = np.stack(scores(tuned.trunk, kind, skill.head, rows)).astype(np.float64)
    if kind.several:
        return np.asarray(1 / (1 + np.exp(-found)))
    return np.exp(log_softmax(found / kind.temperature))


@dataclass(frozen=True)
class LinearClassifier:
    """Naive Bayes, SVM or NB-SVM."""

    model: Linear
    threshold: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Classifier`."""
        return self.model.labels

    @property
    def several(self) -> bool:
        """See `Classifier`."""
        return self.model.several

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Classifier`."""
        return self.model.probabilities([Labelled(text, ()) for text in texts])


@dataclass(frozen=True)
class CompactClassifier:
    """The classifier of a megabyte or two."""

    model: Compact
    threshold: float = 0.0
    several: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Classifier`."""
        return self.model.labels

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Classifier`."""
        return np.exp(log_softmax(self.model.logits(texts).astype(np.float64)))


def labels_of(
    classifier: Classifier, probable: NDArray[np.float64], *, draw: float = 0.0, at: float = 0.0
) -> Labels:
    """The answer that probabilities (C,) make.

    Args:
        classifier: whose they are.
        probable: of each class.
        draw: temperature of exploring: a class is drawn ∝ p^(1 / draw); 0 gives the likeliest.
            Where several may hold, nothing is drawn.
        at: a number in [0, 1) that decides the draw.
    """
    order = np.argsort(-probable, kind="stable")
    ranked = tuple(Label(classifier.labels[n], float(probable[n])) for n in order)
    if classifier.several:
        given = tuple(each for each in ranked if each.score >= classifier.threshold)
        return Labels(given, ranked)
    place, propensity = int(order[0]), 1.0
    if draw > 0:
        logs = np.log(np.maximum(probable, 1e-12)) / draw
        shares = np.exp(logs - logs.max())
        shares /= shares.sum()
        place = min(int(np.searchsorted(np.cumsum(shares), at, side="right")), len(shares) - 1)
        propensity = float(shares[place])
    said = Label(classifier.labels[place], float(probable[place]))
    return Labels((said,), ranked, bool(probable.max() < classifier.threshold), propensity)
