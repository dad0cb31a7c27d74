"""Texts, pairs of texts and marked relations: which class, or which classes, they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.training.supervised.batches import Batch, Row
from speaq.training.supervised.calibration import (
    calibration_error,
    confidences,
    fit_temperature,
    log_softmax,
    threshold_at,
)
from speaq.training.supervised.examples import Labelled, Related
from speaq.training.supervised.heads import Reads, TextHead
from speaq.training.supervised.kinds import Scores, TooLong
from speaq.training.supervised.labels import balanced_weights, labels_of
from speaq.training.supervised.measures import class_measures, several_measures
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.trunk import Trunk

MARKS = ("$", "#")
"""What is put around the first and the second passage of a relation. Ordinary characters, so that
every tokenizer knows them and no vocabulary has to grow (Wu and He 2019)."""
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


class Class(NamedTuple):
    """An answer: the labels, how sure, and whether surer than the abstention threshold."""

    labels: tuple[str, ...]
    confidence: float
    """Of the likeliest label; of the least likely one given where several may hold."""
    in_scope: bool


@dataclass(frozen=True)
class Classifying:
    """See the module. `several`: any number of labels may hold; each is then a yes or no."""

    labels: tuple[str, ...]
    several: bool = False
    reads: Reads = "first"
    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
    """Of the classes in the loss; empty: all alike."""
    max_tokens: int = 0
    coverage: float = 0.95
    temperature: float = 1.0
    threshold: float = 0.0
    """Confidence below which the answer is "none of these"; where several labels may hold, the
    probability from which one is given."""

    @property
    def metric(self) -> str:
        """Exact accuracy, or micro-F1 where several labels may hold."""
        return "micro_f1" if self.several else "accuracy"

    def rows(
        self, trunk: Trunk, examples: Sequence[Labelled | Related]
    ) -> tuple[list[Row], TooLong]:
        """See `Kind`."""
        limit = min(self.max_tokens or trunk.limit, trunk.limit)
        if examples and isinstance(examples[0], Related):
            return self._marked(trunk, cast(Sequence[Related], examples), limit)
        texts = cast(Sequence[Labelled], examples)
        given: list[Any] = [[each.text for each in texts]]
        if texts and texts[0].second is not None:
            given.append([each.second or "" for each in texts])
        shared = {"add_special_tokens": True, "return_token_type_ids": True}
        whole = trunk.tokenizer(*given, **shared, verbose=False)
        long = [len(ids) > limit for ids in whole.input_ids]
        if any(long):
            whole = trunk.tokenizer(*given, **shared, truncation=True, max_length=limit)
        segments = whole.token_type_ids
        made = [
            Row(
                n,
                np.array(ids or [trunk.padding], np.int64),
                np.array(kinds or [0], np.int64),
                self._target(example.labels),
            )
            for n, (ids, kinds, example) in enumerate(
                zip(whole.input_ids, segments, texts, strict=True)
            )
        ]
        return made, TooLong(sum(long), limit, "cut")

    def _target(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """(C,): 1 at the labels that hold; all 0 for labels that are out of scope."""
        made = np.zeros(len(self.labels), np.float32)
        for label in labels:
            if label in self.labels:
                made[self.labels.index(label)] = 1.0
        return made

    def _marked(
        self, trunk: Trunk, examples: Sequence[Related], limit: int
    ) -> tuple[list[Row], TooLong]:
        made, long = [], 0
        for n, example in enumerate(examples):
            text, starts = marked(example)
            coded = trunk.tokenizer(text, return_offsets_mapping=True, verbose=False)
            ids = np.array(coded.input_ids, np.int64)
            places = token_places(coded.offset_mapping, starts)
            if len(ids) > limit:
                long += 1
                first = window_start(places, len(ids), limit)
                ids, places = ids[first : first + limit], np.clip(places - first, 0, limit - 1)
            target = self._target((example.label,))
            made.append(Row(n, ids, np.zeros(len(ids), np.int64), target, places))
        return made, TooLong(long, limit, "cut")

    def head(self, size: int, dropout: float) -> nn.Module:
        """See `Kind`."""
        return TextHead(self.reads, size, len(self.labels), dropout)

    def loss(self, head: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy, or the binary one of each label where several may hold."""
        logits = head(hidden, batch).float()
        target = torch.from_numpy(np.stack([row.target for row in batch.rows])).to(logits.device)
        weights = logits.new_tensor(self.weights) if self.weights else None
        if self.several:
            smooth = target * (1 - self.smoothing) + self.smoothing / 2
            return nn.functional.binary_cross_entropy_with_logits(
                logits, smooth, pos_weight=weights
            )
        return nn.functional.cross_entropy(
            logits, target.argmax(1), weight=weights, label_smoothing=self.smoothing
        )

    def terms(self, batch: Batch) -> float:
        """See `Kind`."""
        if self.several or not self.weights:
            return len(batch.rows)
        return float(sum(self.weights[int(row.target.argmax())] for row in batch.rows))

    def scores(self, head: nn.Module, hidden: Tensor, batch: Batch) -> list[Scores]:
        """See `Kind`: (C,) logits each."""
        return list(head(hidden, batch).float().cpu().numpy())

    def answers(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> list[Class]:
        """See `Kind`."""
        logits = np.stack(scores).astype(np.float64) / self.temperature
        if self.several:
            return [self._labels_above(row) for row in 1 / (1 + np.exp(-logits))]
        probable = np.exp(log_softmax(logits))
        best = probable.argmax(1)
        return [
            Class((self.labels[place],), float(row[place]), bool(row[place] >= self.threshold))
            for place, row in zip(best, probable, strict=True)
        ]

    def _labels_above(self, probable: NDArray[np.float64]) -> Class:
        threshold = self.threshold or 0.5
        given = [n for n, value in enumerate(probable) if value >= threshold]
        least = min((float(probable[n]) for n in given), default=float(1 - probable.max()))
        return Class(tuple(self.labels[n] for n in given), least, True)

    def measures(self, answers: Sequence[Class], examples: Sequence[Any]) -> dict[str, Any]:
        """See `Kind`; `ece` is the expected calibration error."""
        wanted = [wanted_labels(example) for example in examples]
        if self.several:
            return several_measures([each.labels for each in answers], wanted)
        found = [each.labels[0] for each in answers]
        right = np.array([a == b[0] for a, b in zip(found, wanted, strict=True)])
        sure = np.array([each.confidence for each in answers])
        return {
            **class_measures(found, [each[0] for each in wanted]),
            "ece": calibration_error(sure, right),
        }

    def calibrated(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> "Classifying":
        """See `Kind`. Examples of unknown labels are out of scope and are left out."""
        if self.several:
            return replace(self, threshold=self._best_threshold(scores, rows, examples))
        known = [n for n, row in enumerate(rows) if row.target.any()]
        logits = np.stack([scores[n] for n in known])
        temperature = fit_temperature(logits, [int(rows[n].target.argmax()) for n in known])
        sure = confidences(logits, temperature)
        return replace(self, temperature=temperature, threshold=threshold_at(sure, self.coverage))

    def _best_threshold(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> float:
        tried = {
            float(each): self._micro(replace(self, threshold=float(each)), scores, rows, examples)
            for each in _THRESHOLDS
        }
        # Among equals the one nearest to a half.
        return max(tried, key=lambda each: (tried[each], -abs(each - 0.5)))

    @staticmethod
    def _micro(
        kind: "Classifying", scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> float:
        return float(kind.measures(kind.answers(scores, rows, examples), examples)["micro_f1"])

    def facts(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"kind": "classification", **vars(self)}


def wanted_labels(example: Labelled | Related) -> tuple[str, ...]:
    """The labels of an example."""
    return (example.label,) if isinstance(example, Related) else example.labels


def classifying(
    training: Sequence[Labelled | Related],
    settings: FineTuneSettings,
    reads: Reads,
    several: bool,
) -> Classifying:
    """The task that training examples make.

    Raises:
        DataError: no label, or one class only.
    """
    wanted = [wanted_labels(example) for example in training]
    labels = labels_of(wanted, several=several)
    weights: tuple[float, ...] = ()
    if settings.class_weights == "balanced":
        counts = np.array([sum(name in each for each in wanted) for name in labels], np.int64)
        made = (len(wanted) - counts) / np.maximum(counts, 1) if several else None
        chosen = balanced_weights(counts) if made is None else made
        weights = tuple(float(each) for each in chosen)
    return Classifying(
        labels,
        several,
        reads,
        settings.label_smoothing,
        weights,
        settings.max_tokens,
        settings.coverage,
    )


def marked(example: Related) -> tuple[str, tuple[int, int]]:
    """The text with marks around both passages, and where their first marks stand."""
    cuts = [
        (example.head[0], 0, 0, MARKS[0]),
        (example.head[1], 1, 0, MARKS[0]),
        (example.tail[0], 0, 1, MARKS[1]),
        (example.tail[1], 1, 1, MARKS[1]),
    ]
    starts = [0, 0]
    text, done = "", 0
    # At one place a passage ends before the next begins.
    for place, begins_or_ends, which, mark in sorted(cuts, key=lambda cut: (cut[0], -cut[1])):
        text += example.text[done:place]
        done = place
        if begins_or_ends == 0:
            text += " "
            starts[which] = len(text)
            text += f"{mark} "
        else:
            text += f" {mark} "
    return text + example.text[done:], (starts[0], starts[1])


def token_places(offsets: Sequence[tuple[int, int]], starts: Sequence[int]) -> NDArray[np.int64]:
    """The token that holds each of some characters: offsets (T, 2) -> (P,)."""
    found = []
    for start in starts:
        inside = [n for n, (a, b) in enumerate(offsets) if a <= start < b]
        after = [n for n, (a, b) in enumerate(offsets) if b > start and b > a]
        found.append((inside or after or [len(offsets) - 1])[0])
    return np.array(found, np.int64)


def window_start(places: NDArray[np.int64], tokens: int, limit: int) -> int:
    """The first token of a window of `limit` with `places` as near to its middle as can be."""
    middle = int(places.mean())
    return max(0, min(middle - limit // 2, tokens - limit))
