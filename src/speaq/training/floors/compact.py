"""A linear classifier of a megabyte or two: the n-grams that tell most, weights of one byte each.

Softmax regression, on labels or on what a larger model says of the training texts (Hinton et al.
2015). The file holds the n-grams, their inverse document frequencies and the weights, compressed;
nothing in it can run.
"""

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import ModelError
from speaq.core.files import replacing_file
from speaq.training.floors.extra import classic
from speaq.training.floors.grams import counted, fitted, mostly_chinese, vectorisers
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.labels import labels_of, require_examples

_LEVELS = 127


@dataclass
class Compact:
    """The classifier: weights (F, C) int8, one scale (C,) for each class, biases (C,)."""

    labels: tuple[str, ...]
    tools: list[Any]
    kept: NDArray[np.int64]
    """(F,) columns of the vectorisers that are used."""
    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    biases: NDArray[np.float32]
    chinese: bool

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(N, C)."""
        matrix = counted(self.tools, texts)[:, self.kept]
        return np.asarray(
            matrix @ self.weights.astype(np.float32) * self.scales + self.biases, np.float32
        )

    def answers(self, examples: Sequence[Labelled]) -> list[tuple[str, ...]]:
        """The likeliest label of each example."""
        found = self.logits([each.text for each in examples]).argmax(1)
        return [(self.labels[place],) for place in found]

    def save(self, file: Path) -> None:
        """Write the model into one file, all or nothing."""
        place, grams, weighed = 0, [], []
        for tool in self.tools:
            names, rarity = tool.get_feature_names_out(), tool.idf_
            own = self.kept[(self.kept >= place) & (self.kept < place + len(names))] - place
            grams.append([str(names[n]) for n in own])
            weighed.append(rarity[own])
            place += len(names)
        facts = json.dumps(
            {"labels": self.labels, "grams": grams, "chinese": self.chinese}, ensure_ascii=False
        )
        packed = io.BytesIO()
        np.savez_compressed(
            packed,
            facts=np.frombuffer(zlib.compress(facts.encode(), 9), np.uint8),
            rarity=np.concatenate(weighed).astype(np.float16),
            weights=self.weights,
            scales=self.scales,
            biases=self.biases,
        )
        with replacing_file(file) as temporary:
            temporary.write_bytes(packed.getvalue())


def open_compact(file: Path) -> Compact:
    """Open what `Compact.save` wrote.

    Raises:
        ModelError: not such a file.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            facts = json.loads(zlib.decompress(held["facts"].tobytes()))
            rarity = held["rarity"].astype(np.float64)
            weights, scales, biases = held["weights"], held["scales"], held["biases"]
        tools, place = vectorisers(facts["chinese"]), 0
        for tool, grams in zip(tools, facts["grams"], strict=True):
            tool.vocabulary = {gram: n for n, gram in enumerate(grams)}
            tool.idf_ = rarity[place : place + len(grams)]
            place += len(grams)
    except (OSError, ValueError, KeyError, zlib.error) as error:
        raise ModelError(
            f"{file} is not a compact classifier ({error}).", f"{file} 不是紧凑分类器（{error}）。"
        ) from error
    kept = np.arange(place)
    return Compact(
        tuple(facts["labels"]), tools, kept, weights, scales, biases, bool(facts["chinese"])
    )


def compact(
    training: Sequence[Labelled],
    *,
    megabytes: float = 2.0,
    teacher: NDArray[np.float32] | None = None,
    labels: Sequence[str] = (),
    penalty: float = 3e-6,
) -> Compact:
    """Learn a classifier that fits into so many megabytes.

    Args:
        training: one label each.
        megabytes: of the file.
        teacher: (N, C) probabilities of a larger model for the training texts; their mean with
            the label is learnt.
        labels: the order of the teacher's classes.
        penalty: of the squared weights.

    Raises:
        DataError: no examples, or one class only.
        SettingsError: the extra `classic` is missing.
    """
    require_examples(training, "training")
    names = tuple(labels) or labels_of([each.labels for each in training], several=False)
    texts = [each.text for each in training]
    chinese = mostly_chinese(texts)
    tools = vectorisers(chinese)
    matrix = fitted(tools, texts)
    wanted = np.zeros((len(texts), len(names)), np.float32)
    for n, each in enumerate(training):
        wanted[n, names.index(each.labels[0])] = 1.0
    chi, _ = classic("sklearn.feature_selection").chi2(matrix, wanted.argmax(1))
    # An n-gram costs a byte for each class, and about six for itself and its rarity.
    room = int(megabytes * 1e6 / (len(names) + 6))
    kept = np.sort(np.argsort(-np.nan_to_num(chi), kind="stable")[:room])
    target = wanted if teacher is None else ((wanted + teacher) / 2).astype(np.float32)
    weights, biases = _regression(matrix[:, kept], target, penalty)
    scales = np.maximum(np.abs(weights).max(0), 1e-8) / _LEVELS
    packed = np.round(weights / scales).astype(np.int8)
    return Compact(names, tools, kept, packed, scales.astype(np.float32), biases, chinese)


def _regression(
    matrix: Any, target: NDArray[np.float32], penalty: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Softmax regression on soft targets by L-BFGS: (N, F), (N, C) -> (F, C), (C,)."""
    count, features = matrix.shape
    classes = target.shape[1]
    transposed = matrix.T.tocsr()

    def cost(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat[:-classes].reshape(features, classes)
        logs = log_softmax(matrix @ weights + flat[-classes:])
        loss = -(target * logs).sum() / count + penalty * np.square(weights).sum()
        gap = (np.exp(logs) - target) / count
        slope = transposed @ gap + 2 * penalty * weights
        return float(loss), np.concatenate([slope.ravel(), gap.sum(0)])

    start = np.zeros((features + 1) * classes)
    found = (
        classic("scipy.optimize")
        .minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": 150, "maxcor": 8})
        .x
    )
    weights = found[:-classes].reshape(features, classes)
    return weights.astype(np.float32), found[-classes:].astype(np.float32)
