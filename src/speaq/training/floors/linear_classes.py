"""Linear classifiers that are kept: naive Bayes, SVM and NB-SVM, calibrated, in one file.

Texts are n-grams, as in `grams`; relations are what `relating` says of them, and, where an encoder
is named, vectors beside it. One file holds the n-grams, the weights and the temperature of the
confidence; nothing in it can run.
"""

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import ModelError, SettingsError
from speaq.core.files import replacing_file
from speaq.training.floors.classes import COSTS, Readable
from speaq.training.floors.extra import classic
from speaq.training.floors.grams import counted, fitted, mostly_chinese, vectorisers
from speaq.training.floors.relating import PassageVectors, relation_features
from speaq.training.supervised.calibration import fit_temperature, log_softmax
from speaq.training.supervised.classifying import wanted_labels
from speaq.training.supervised.examples import Labelled, Related
from speaq.training.supervised.labels import labels_of, require_examples
from speaq.training.supervised.measures import class_measures, several_measures

Method = Literal["naive-bayes", "svm", "nb-svm"]
_POWER = 0.5
"""Of the log-count ratios by which an NB-SVM scales its features."""
_SMOOTHING = 0.1
_SHARE = 0.3
"""Length of the vectors beside the n-grams, whose length is 1."""
_THRESHOLDS = np.linspace(0.1, 0.9, 17)


@dataclass
class Linear:
    """A classifier: weights (F, C), biases (C,)."""

    method: Method
    labels: tuple[str, ...]
    several: bool
    relations: bool
    chinese: bool
    tools: list[Any]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    vectors: PassageVectors | None = None
    temperature: float = 1.0
    shift: float = 0.0
    """Beside the temperature; see `probabilities`."""
    threshold: float = 0.5
    """Where several labels may hold, the probability from which one is given."""

    def margins(self, examples: Sequence[Readable]) -> NDArray[np.float32]:
        """(N, C)."""
        matrix = _matrix(self.method, self.tools, examples, self.vectors, fresh=False)
        return np.asarray(matrix @ self.weights + self.biases, np.float32)

    def probabilities(self, examples: Sequence[Readable]) -> NDArray[np.float64]:
        """(N, C): they sum to 1, or each is a yes or no where several labels may hold.

        Each class's margin becomes a probability of its own, sigmoid(margin / temperature + shift)
        (Platt 1999), and these are divided by their sum: machines that were learnt one against the
        rest are less sure than a softmax of their margins says.
        """
        return _probable(self.margins(examples), self.temperature, self.shift, self.several)

    def answers(self, examples: Sequence[Readable]) -> list[tuple[str, ...]]:
        """The likeliest label of each example, or those above the threshold."""
        probable = self.probabilities(examples)
        if not self.several:
            return [(self.labels[place],) for place in probable.argmax(1)]
        return [
            tuple(n for n, value in zip(self.labels, row, strict=True) if value >= self.threshold)
            for row in probable
        ]

    def save(self, file: Path) -> None:
        """Write the classifier into one file, all or nothing."""
        facts = {
            "method": self.method,
            "labels": self.labels,
            "several": self.several,
            "relations": self.relations,
            "chinese": self.chinese,
            "temperature": self.temperature,
            "shift": self.shift,
            "threshold": self.threshold,
            "grams": [[str(n) for n in tool.get_feature_names_out()] for tool in self.tools],
            "vectors": None
            if self.vectors is None
            else {"source": self.vectors.source, "states": self.vectors.states},
        }
        packed = io.BytesIO()
        text = json.dumps(facts, ensure_ascii=False).encode()
        rarity = [tool.idf_ for tool in self.tools if _weighs(self.method, self.relations)]
        np.savez_compressed(
            packed,
            facts=np.frombuffer(zlib.compress(text, 6), np.uint8),
            rarity=np.concatenate(rarity).astype(np.float32) if rarity else np.zeros(0, np.float32),
            weights=self.weights,
            biases=self.biases,
        )
        with replacing_file(file) as temporary:
            temporary.write_bytes(packed.getvalue())


def open_linear(file: Path) -> Linear:
    """Open what `Linear.save` wrote.

    Raises:
        ModelError: not such a file.
    """
    try:
        with np.load(file, allow_pickle=False) as held:
            facts = json.loads(zlib.decompress(held["facts"].tobytes()))
            rarity = held["rarity"].astype(np.float64)
            weights, biases = held["weights"], held["biases"]
        method, relations = facts["method"], facts["relations"]
        tools, place = _tools(method, facts["chinese"], relations), 0
        for tool, grams in zip(tools, facts["grams"], strict=True):
            tool.vocabulary = {gram: n for n, gram in enumerate(grams)}
            if _weighs(method, relations):
                tool.idf_ = rarity[place : place + len(grams)]
                place += len(grams)
        named = facts["vectors"]
    except (OSError, ValueError, KeyError, TypeError, zlib.error, BadZipFile) as error:
        raise ModelError(
            f"{file} is not a linear classifier ({error}).", f"{file} 不是线性分类器（{error}）。"
        ) from error
    return Linear(
        method,
        tuple(facts["labels"]),
        bool(facts["several"]),
        relations,
        bool(facts["chinese"]),
        tools,
        weights,
        biases,
        PassageVectors(**named) if named else None,
        float(facts["temperature"]),
        float(facts["shift"]),
        float(facts["threshold"]),
    )


def learn_linear(
    training: Sequence[Readable],
    validation: Sequence[Readable],
    method: Method = "svm",
    *,
    several: bool = False,
    encoder: str = "",
    states: bool = False,
    seed: int = 0,
) -> Linear:
    """Learn a classifier: C, the temperature and the threshold by validation, then all anew from
    both parts.

    Args:
        training: texts or relations.
        validation: likewise; without, C = 1 and the confidence is not calibrated.
        method: what kind.
        several: whether any number of labels may hold.
        encoder: for relations, what makes vectors beside the words; empty: none.
        states: see `PassageVectors`.
        seed: of the solver's order.

    Raises:
        DataError: no examples, or one class only.
        SettingsError: an unknown method, vectors of texts, or the extra `classic` is missing.
    """
    _require(method, training, several, encoder)
    labels = labels_of([wanted_labels(each) for each in training], several=several)
    vectors = PassageVectors(encoder, states) if encoder else None
    frame = _Frame(method, labels, several, seed, vectors)
    if not validation:
        return frame.learnt(training, [1.0])[1.0]
    costs = COSTS if method != "naive-bayes" else (1.0,)
    tried = frame.learnt(training, costs)
    cost = max(tried, key=lambda each: _quality(tried[each], validation))
    best = _calibrated(tried[cost], validation)
    both = frame.learnt([*training, *validation], [cost])[cost]
    return replace(both, temperature=best.temperature, shift=best.shift, threshold=best.threshold)


def _require(method: str, training: Sequence[Readable], several: bool, encoder: str) -> None:
    require_examples(training, "training")
    if method not in get_args(Method):
        raise SettingsError(
            f"there is no linear method '{method}'; known are {', '.join(get_args(Method))}.",
            f"没有线性方法“{method}”；可用：{'、'.join(get_args(Method))}。",
        )
    if several and method == "naive-bayes":
        raise SettingsError(
            "naive Bayes gives one label each; take svm where several may hold.",
            "朴素贝叶斯只给出一个标签；多标签任务请用 svm。",
        )
    if encoder and not isinstance(training[0], Related):
        raise SettingsError(
            "vectors of passages are for relations; texts have none.",
            "片段向量只用于关系；文本分类没有片段。",
        )


@dataclass(frozen=True)
class _Frame:
    """What all attempts at one classifier share."""

    method: Method
    labels: tuple[str, ...]
    several: bool
    seed: int
    vectors: PassageVectors | None

    def learnt(self, training: Sequence[Readable], costs: Sequence[float]) -> dict[float, Linear]:
        """A classifier for each C."""
        relations = isinstance(training[0], Related)
        chinese = not relations and mostly_chinese([cast(Labelled, e).text for e in training])
        tools = _tools(self.method, chinese, relations)
        matrix = _matrix(self.method, tools, training, self.vectors, fresh=True)
        held = np.array([[n in wanted_labels(each) for n in self.labels] for each in training])
        found = {}
        for cost in costs:
            weights, biases = self._fit(matrix, held, cost)
            found[cost] = Linear(
                self.method,
                self.labels,
                self.several,
                relations,
                chinese,
                tools,
                weights.astype(np.float32),
                biases.astype(np.float32),
                self.vectors,
            )
        return found

    def _fit(self, matrix: Any, held: NDArray[np.bool_], cost: float) -> tuple[Any, Any]:
        if self.method == "naive-bayes":
            return _bayes(matrix, held)
        if len(self.labels) == 2 and not self.several:
            one, bias = _against_rest(matrix, held[:, 1], self.method, cost, self.seed)
            return np.stack([-one, one], 1) / 2, np.array([-bias, bias]) / 2
        made = [_against_rest(matrix, yes, self.method, cost, self.seed) for yes in held.T]
        return np.stack([each[0] for each in made], 1), np.array([each[1] for each in made])


def _weighs(method: str, relations: bool) -> bool:
    """Whether n-grams count the more the rarer they are."""
    return method != "naive-bayes" and not relations


def _tools(method: str, chinese: bool, relations: bool) -> list[Any]:
    if not relations:
        return vectorisers(chinese, counts=method == "naive-bayes")
    text = classic("sklearn.feature_extraction.text")
    return [text.CountVectorizer(analyzer=relation_features, binary=True)]


def _matrix(
    method: str,
    tools: list[Any],
    examples: Sequence[Readable],
    vectors: PassageVectors | None,
    *,
    fresh: bool,
) -> Any:
    """(N, F) sparse; `fresh` learns the n-grams."""
    relations = isinstance(examples[0], Related)
    read: Any = examples if relations else [_text(cast(Labelled, each)) for each in examples]
    matrix = fitted(tools, read) if fresh else counted(tools, read)
    if relations and method != "naive-bayes":
        matrix = classic("sklearn.preprocessing").normalize(matrix)
    if vectors is None:
        return matrix.tocsr()
    sparse = classic("scipy.sparse")
    beside = sparse.csr_matrix(_SHARE * vectors.made(cast(Sequence[Related], examples)))
    return sparse.hstack([matrix, beside], format="csr")


def _text(example: Labelled) -> str:
    return example.text if example.second is None else f"{example.text}\n{example.second}"


def _bayes(matrix: Any, held: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Multinomial naive Bayes (McCallum and Nigam 1998): log-probabilities as weights."""
    counts = np.asarray(matrix.T @ held.astype(np.float64)) + _SMOOTHING
    return np.log(counts / counts.sum(0)), np.log(held.mean(0))


def _against_rest(
    matrix: Any, yes: NDArray[np.bool_], method: str, cost: float, seed: int
) -> tuple[NDArray[np.float64], float]:
    """One class against all others: weights (F,) and a bias.

    An NB-SVM (Wang and Manning 2012) scales features by how much the class tells them apart. It
    differs from the paper in tf-idf instead of presence, in the root of the ratio, and in that
    weights are not drawn to their mean.
    """
    ratio = np.ones(matrix.shape[1])
    if yes.all() or not yes.any():
        return 0 * ratio, 1.0 if yes.all() else -1.0
    if method == "nb-svm":
        held = matrix != 0
        inside, outside = (np.asarray(held[which].sum(0)).ravel() + 1 for which in (yes, ~yes))
        logs = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
        ratio = np.abs(logs) ** _POWER
        matrix = matrix.multiply(ratio[None, :]).tocsr()
    machine = classic("sklearn.svm").LinearSVC(C=cost, random_state=seed)
    machine.fit(matrix, yes)
    return machine.coef_[0] * ratio, float(machine.intercept_[0])


def _probable(
    margins: NDArray[np.float32], temperature: float, shift: float, several: bool
) -> NDArray[np.float64]:
    logs = -np.logaddexp(0, -(np.asarray(margins, np.float64) / temperature + shift))
    return np.exp(logs) if several else np.exp(log_softmax(logs))


def _platt(margins: NDArray[np.float32], wanted: Sequence[int]) -> tuple[float, float]:
    """The temperature and the shift of least negative log-likelihood: margins (N, C)."""
    rows = np.arange(len(margins))

    def cost(tried: NDArray[np.float64]) -> float:
        found = _probable(margins, float(np.exp(tried[0])), float(tried[1]), several=False)
        return float(-np.log(found[rows, list(wanted)] + 1e-12).mean())

    start = np.array([np.log(fit_temperature(margins, wanted)), 0.0])
    bounds = [(np.log(0.02), np.log(50.0)), (-6.0, 6.0)]
    minimize = classic("scipy.optimize").minimize
    found = minimize(cost, start, method="Nelder-Mead", bounds=bounds).x
    return float(np.exp(found[0])), float(found[1])


def _quality(model: Linear, examples: Sequence[Readable]) -> float:
    found, wanted = model.answers(examples), [wanted_labels(each) for each in examples]
    if model.several:
        return several_measures(found, wanted)["micro_f1"]
    return class_measures([each[0] for each in found], [each[0] for each in wanted])["accuracy"]


def _calibrated(model: Linear, examples: Sequence[Readable]) -> Linear:
    margins = model.margins(examples)
    wanted = [wanted_labels(each) for each in examples]
    if not model.several:
        known = [n for n, each in enumerate(wanted) if each[0] in model.labels]
        right = [model.labels.index(wanted[n][0]) for n in known]
        temperature, shift = _platt(margins[known], right)
        return replace(model, temperature=temperature, shift=shift)
    flat = margins.ravel()
    pairs = np.stack([np.zeros_like(flat), flat], 1)
    held = [int(name in each) for each in wanted for name in model.labels]
    model = replace(model, temperature=fit_temperature(pairs, held))
    tried = [replace(model, threshold=float(each)) for each in _THRESHOLDS]
    return max(tried, key=lambda each: (_quality(each, examples), -abs(each.threshold - 0.5)))
