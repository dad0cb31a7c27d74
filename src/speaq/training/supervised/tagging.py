"""Words in order, each with a tag: entities, slots, anything that is a span of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from speaq.core.errors import DataError
from speaq.text.tagging import faults
from speaq.training.supervised.batches import Batch, Row, padded_targets
from speaq.training.supervised.crf import CRF
from speaq.training.supervised.examples import Tagged
from speaq.training.supervised.heads import WordHead
from speaq.training.supervised.kinds import Scores, TooLong
from speaq.training.supervised.labels import OUTSIDE
from speaq.training.supervised.measures import span_measures
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.trunk import Trunk

_IGNORED = -100


class TagHead(nn.Module):
    """Scores of tags, and which tag may follow which."""

    def __init__(self, size: int, tags: Sequence[str], dropout: float, learnt: bool) -> None:
        super().__init__()
        self.words = WordHead(size, len(tags), dropout)
        self.chain = CRF(tags, learnt=learnt)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Logits (B, P, C)."""
        scores: Tensor = self.words(hidden, batch)
        return scores


@dataclass(frozen=True)
class Tagging:
    """See the module. `crf`: transitions are learnt as well."""

    labels: tuple[str, ...]
    crf: bool = False
    smoothing: float = 0.0
    weights: tuple[float, ...] = ()
    max_tokens: int = 0

    @property
    def metric(self) -> str:
        """Span F1."""
        return "f1"

    def rows(self, trunk: Trunk, examples: Sequence[Tagged]) -> tuple[list[Row], TooLong]:
        """See `Kind`: a word's place is its first token; words beyond the limit have none."""
        limit = min(self.max_tokens or trunk.limit, trunk.limit)
        made, long = [], 0
        for n, example in enumerate(examples):
            coded = trunk.tokenizer(
                list(example.words),
                is_split_into_words=True,
                add_special_tokens=True,
                verbose=False,
            )
            ids, whose = coded.input_ids, coded.word_ids()
            if len(ids) > limit:
                long += 1
                coded = trunk.tokenizer(
                    list(example.words),
                    is_split_into_words=True,
                    truncation=True,
                    max_length=limit,
                )
                ids, whose = coded.input_ids, coded.word_ids()
            first: dict[int, int] = {}
            for place, word in enumerate(whose):
                if word is not None:
                    first.setdefault(word, place)
            # A word that gives no token, such as a lone control character, borrows a neighbour's.
            reached = max(first, default=-1)
            places = [first.get(word, first[_near(word, first)]) for word in range(reached + 1)]
            made.append(
                Row(
                    n,
                    np.array(ids or [trunk.padding], np.int64),
                    np.zeros(max(1, len(ids)), np.int64),
                    self._target(example.tags[: len(places)]),
                    np.array(places or [0], np.int64),
                )
            )
        return made, TooLong(long, limit, "cut")

    def _target(self, tags: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
        known = {name: n for n, name in enumerate(self.labels)}
        outside = known[OUTSIDE]
        return np.array([known.get(tag, outside) for tag in tags or [OUTSIDE]], np.int64)

    def head(self, size: int, dropout: float) -> nn.Module:
        """See `Kind`."""
        return TagHead(size, self.labels, dropout, self.crf)

    def loss(self, head: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of each word's tag, or minus the log-likelihood of the chain by word."""
        logits = head(hidden, batch).float()
        if self.crf:
            tags, chain = padded_targets(batch, 0), cast(TagHead, head).chain
            likely = chain.log_likelihood(logits, tags, batch.place_mask)
            return -likely.sum() / batch.place_mask.sum()
        weights = logits.new_tensor(self.weights) if self.weights else None
        return nn.functional.cross_entropy(
            logits.flatten(0, 1),
            padded_targets(batch, _IGNORED).flatten(),
            weight=weights,
            ignore_index=_IGNORED,
            label_smoothing=self.smoothing,
        )

    def terms(self, batch: Batch) -> float:
        """See `Kind`."""
        if self.crf or not self.weights:
            return float(batch.place_mask.sum())
        return float(sum(self.weights[int(tag)] for row in batch.rows for tag in row.target))

    def scores(self, head: nn.Module, hidden: Tensor, batch: Batch) -> list[Scores]:
        """See `Kind`: (P,) the likeliest tags that IOB2 allows in this order."""
        logits = head(hidden, batch)
        best = cast(TagHead, head).chain.best(logits, batch.place_mask)
        return [np.array(tags, np.float32) for tags in best]

    def answers(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Tagged]
    ) -> list[tuple[str, ...]]:
        """See `Kind`: a tag for every word; words that were cut off are outside of all spans."""
        made = []
        for tags, example in zip(scores, examples, strict=True):
            names = [self.labels[int(tag)] for tag in tags][: len(example.words)]
            made.append((*names, *(OUTSIDE,) * (len(example.words) - len(names))))
        return made

    def measures(
        self, answers: Sequence[tuple[str, ...]], examples: Sequence[Tagged]
    ) -> dict[str, Any]:
        """See `Kind`."""
        return dict(span_measures(answers, [example.tags for example in examples]))

    def calibrated(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Tagged]
    ) -> "Tagging":
        """See `Kind`: there is nothing to fit."""
        return self

    def facts(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"kind": "tagging", **vars(self)}


def _near(word: int, first: dict[int, int]) -> int:
    return min(first, key=lambda other: abs(other - word))


def tagging(training: Sequence[Tagged], settings: FineTuneSettings) -> Tagging:
    """The task that training examples make.

    Raises:
        DataError: tags that are not IOB2, or no span at all.
    """
    tags: set[str] = {OUTSIDE}
    for example in training:
        wrong = faults(example.tags, "IOB2")
        if wrong:
            place = wrong[0]
            raise DataError(
                f"tag {place + 1}, '{example.tags[place]}', is not IOB2: spans begin with B-x and "
                "go on with I-x. speaq data clean converts other schemes.",
                f"第 {place + 1} 个标签“{example.tags[place]}”不是 IOB2：片段以 B-x 开头、"
                "以 I-x 继续。speaq data clean 可转换其他体系。",
                row=example.row or None,
                field="tags",
            )
        tags |= set(example.tags)
    if tags == {OUTSIDE}:
        raise DataError(
            "no word of the training data is in a span; there is nothing to find.",
            "训练数据中没有任何片段，无可学习。",
            field="tags",
        )
    # A span of two words may occur in validation where training had only one-word ones.
    kinds = {tag.partition("-")[2] for tag in tags} - {""}
    labels = (OUTSIDE, *(f"{mark}-{kind}" for kind in sorted(kinds) for mark in "BI"))
    weights: tuple[float, ...] = ()
    if settings.class_weights == "balanced":
        weights = _weights(training, labels)
    return Tagging(labels, settings.crf, settings.label_smoothing, weights, settings.max_tokens)


def _weights(training: Sequence[Tagged], labels: Sequence[str]) -> tuple[float, ...]:
    """Square roots of balanced weights: whole ones would make every word a span."""
    counts = {name: 0 for name in labels}
    for example in training:
        for tag in example.tags:
            counts[tag] += 1
    total = sum(counts.values())
    return tuple(float(np.sqrt(total / (len(labels) * max(1, counts[name])))) for name in labels)
