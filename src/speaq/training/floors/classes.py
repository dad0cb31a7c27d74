"""Floors of classification: naive Bayes and a linear support-vector machine over n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from speaq.training.floors.extra import classic
from speaq.training.floors.grams import counted, fitted, mostly_chinese, vectorisers
from speaq.training.supervised.classifying import marked, wanted_labels
from speaq.training.supervised.examples import Labelled, Related
from speaq.training.supervised.labels import labels_of, require_examples

COSTS = (0.1, 0.3, 1.0, 3.0)
"""The C of the machine that are tried where there are validation examples."""

Readable = Labelled | Related


@dataclass
class NaiveBayes:
    """Multinomial naive Bayes over counts (McCallum and Nigam 1998), with add-α smoothing.

    One label an example; of several the first counts.
    """

    tools: list[Any]
    model: Any

    def answers(self, examples: Sequence[Readable]) -> list[tuple[str, ...]]:
        """The likeliest label of each example."""
        found = self.model.predict(counted(self.tools, flat(examples)))
        return [(str(label),) for label in found]


@dataclass
class LinearMachine:
    """One linear machine per class over tf-idf n-grams (Joachims 1998; squared hinge)."""

    tools: list[Any]
    model: Any
    labels: tuple[str, ...]
    several: bool
    cost: float

    def margins(self, examples: Sequence[Readable]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """(N, C), or (N,) of the second class where there are two."""
        return np.asarray(self.model.decision_function(counted(self.tools, flat(examples))))

    def answers(self, examples: Sequence[Readable]) -> list[tuple[str, ...]]:
        """The label of the largest margin, or all of positive margin where several may hold."""
        margins = self.margins(examples)
        if self.several:
            margins = margins.reshape(len(examples), -1)
            return [
                tuple(name for name, value in zip(self.labels, row, strict=True) if value > 0)
                for row in margins
            ]
        if margins.ndim == 1:
            return [(self.labels[int(value > 0)],) for value in margins]
        return [(self.labels[place],) for place in margins.argmax(1)]


def naive_bayes(training: Sequence[Readable], *, smoothing: float = 0.1) -> NaiveBayes:
    """Learn naive Bayes.

    Raises:
        DataError: no examples, or one class only.
        SettingsError: the extra `classic` is missing.
    """
    require_examples(training, "training")
    wanted = [wanted_labels(example) for example in training]
    labels_of(wanted, several=False)
    texts = flat(training)
    tools = vectorisers(mostly_chinese(texts), counts=True)
    model = classic("sklearn.naive_bayes").MultinomialNB(alpha=smoothing)
    model.fit(fitted(tools, texts), [each[0] if each else "" for each in wanted])
    return NaiveBayes(tools, model)


def linear_machine(
    training: Sequence[Readable],
    validation: Sequence[Readable] = (),
    *,
    several: bool = False,
    cost: float = 1.0,
    seed: int = 0,
) -> LinearMachine:
    """Learn a linear machine.

    Args:
        training: the examples.
        validation: choose C among `COSTS`; none takes `cost`.
        several: whether any number of labels may hold.
        cost: C.
        seed: of the solver's order.

    Raises:
        DataError: no examples, or one class only.
        SettingsError: the extra `classic` is missing.
    """
    require_examples(training, "training")
    wanted = [wanted_labels(example) for example in training]
    labels = labels_of(wanted, several=several)
    texts = flat(training)
    tools = vectorisers(mostly_chinese(texts))
    matrix = fitted(tools, texts)
    target: Any = [each[0] if each else "" for each in wanted]
    if several:
        target = np.array([[name in each for name in labels] for each in wanted], int)
    best: tuple[float, LinearMachine] | None = None
    for tried in COSTS if validation else (cost,):
        made = LinearMachine(tools, _machine(tried, several, seed), labels, several, tried)
        made.model.fit(matrix, target)
        score = _share_right(made, validation) if validation else 0.0
        if best is None or score > best[0]:
            best = score, made
    assert best is not None
    return best[1]


def _machine(cost: float, several: bool, seed: int) -> Any:
    machine = classic("sklearn.svm").LinearSVC(C=cost, random_state=seed)
    return classic("sklearn.multiclass").OneVsRestClassifier(machine) if several else machine


def _share_right(model: LinearMachine, examples: Sequence[Readable]) -> float:
    found = model.answers(examples)
    wanted = [tuple(sorted(wanted_labels(example))) for example in examples]
    return float(np.mean([tuple(sorted(a)) == b for a, b in zip(found, wanted, strict=True)]))


def flat(examples: Sequence[Readable]) -> list[str]:
    """Each example as one text; what is special about pairs and relations as words of its own.

    Words that only one text of a pair has, and the words between and inside of the two passages
    of a relation, tell more than the text as a whole.
    """
    return [_related(each) if isinstance(each, Related) else _paired(each) for each in examples]


def _paired(example: Labelled) -> str:
    if example.second is None:
        return example.text
    first, second = set(example.text.lower().split()), set(example.second.lower().split())
    return " ".join(
        [
            example.text,
            example.second,
            *(f"onlyfirst_{word}" for word in sorted(first - second)),
            *(f"onlysecond_{word}" for word in sorted(second - first)),
            *(f"both_{word}" for word in sorted(first & second)),
        ]
    )


def _related(example: Related) -> str:
    head, tail = example.head, example.tail
    first, second = sorted((head, tail))
    between = example.text[first[1] : second[0]].lower().split()
    order = "headfirst" if head < tail else "tailfirst"
    pairs = zip(["start", *between], [*between, "end"], strict=True)
    return " ".join(
        [
            marked(example)[0],
            order,
            f"head_{example.text[slice(*head)].lower().split()[-1]}",
            f"tail_{example.text[slice(*tail)].lower().split()[-1]}",
            *(f"{order}_{word}" for word in between),
            *(f"{order}_{a}_{b}" for a, b in pairs),
            f"gap_{min(len(between), 10)}",
        ]
    )
