"""Parts of speech and dependency trees: a biaffine parser on a trunk (Dozat and Manning 2017).

score(head -> word) = h_head · U · h_word + u · h_head, where h are small layers over the states at
the first token of each word, and the root is a vector of its own. The relation is chosen given the
head. It differs from the paper in that parts of speech are learnt beside, not given, and that a
pretrained trunk or one made from nothing stands in for the LSTM.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speaq.core.errors import DataError
from speaq.training.supervised.batches import Batch, Row
from speaq.training.supervised.examples import Parsed, Tagged
from speaq.training.supervised.heads import at_places
from speaq.training.supervised.kinds import Scores, TooLong
from speaq.training.supervised.labels import OUTSIDE
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.tagging import Tagging
from speaq.training.supervised.trees import best_tree
from speaq.training.supervised.trunk import Trunk

_ARCS, _LABELS = 192, 96
"""Widths of the layers below arcs and relations."""
_IGNORED = -100


class Parse(NamedTuple):
    """An answer: for each word its part of speech, head, relation and the head's probability."""

    parts: tuple[str, ...]
    heads: tuple[int, ...]
    relations: tuple[str, ...]
    sure: tuple[float, ...]


class ParseHead(nn.Module):
    """Scores of arcs, relations and parts of speech. P words, L relations, C parts."""

    def __init__(self, size: int, relations: int, parts: int, dropout: float) -> None:
        super().__init__()
        self.root = nn.Parameter(torch.randn(size) * 0.02)
        self.drop = nn.Dropout(dropout)
        self.parts = nn.Linear(size, parts)
        self.layers = nn.ModuleList(
            nn.Linear(size, width) for width in (_ARCS, _ARCS, _LABELS, _LABELS)
        )
        self.arcs = nn.Parameter(torch.zeros(_ARCS + 1, _ARCS))
        self.relations = nn.Parameter(torch.zeros(relations, _LABELS + 1, _LABELS + 1))
        nn.init.xavier_uniform_(self.arcs)
        nn.init.normal_(self.relations, std=0.02)

    def forward(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Arcs (B, P, P + 1), parts (B, P, C), and what relations are scored from: see `related`.

        Heads that are padding have arcs of -inf.
        """
        words = self.drop(at_places(hidden, batch.places))  # (B, P, D)
        nodes = torch.cat([self.root.expand(len(words), 1, -1), words], 1)
        word, head, own, other = (
            self.drop(torch.relu(layer(states)))
            for layer, states in zip(self.layers, (words, nodes, words, nodes), strict=True)
        )
        arcs = _with_one(head) @ self.arcs @ word.transpose(1, 2)  # (B, P + 1, P)
        there = nn.functional.pad(batch.place_mask, (1, 0), value=True)
        arcs = arcs.transpose(1, 2).masked_fill(~there[:, None, :], -torch.inf)
        pairs = torch.cat([_with_one(own), _with_one(other)], 1)
        return arcs, self.parts(words), pairs

    def related(self, pairs: Tensor, heads: Tensor) -> Tensor:
        """Scores of relations given heads (B, P): (B, P, L)."""
        words = heads.shape[1]
        own, nodes = pairs[:, :words], pairs[:, words:]
        other = at_places(nodes, heads)
        return torch.einsum("bpi,lij,bpj->bpl", own, self.relations, other)


def _with_one(states: Tensor) -> Tensor:
    return nn.functional.pad(states, (0, 1), value=1.0)


@dataclass(frozen=True)
class Parsing:
    """See the module. `labels` are the relations, `parts` the parts of speech."""

    labels: tuple[str, ...]
    parts: tuple[str, ...]
    max_tokens: int = 0

    @property
    def metric(self) -> str:
        """Labelled attachment score."""
        return "las"

    def rows(self, trunk: Trunk, examples: Sequence[Parsed]) -> tuple[list[Row], TooLong]:
        """See `Kind`: a target (P, 3) is a word's head, relation and part."""
        words = [Tagged(each.words, (OUTSIDE,) * len(each.words)) for each in examples]
        made, long = Tagging((OUTSIDE,), max_tokens=self.max_tokens).rows(trunk, words)
        return [
            replace(row, target=self._target(each, len(row.places)))
            for row, each in zip(made, examples, strict=True)
        ], long

    def _target(self, example: Parsed, read: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        target = np.full((read, 3), _IGNORED, np.int64)
        relations = {name: n for n, name in enumerate(self.labels)}
        parts = {name: n for n, name in enumerate(self.parts)}
        for n in range(min(read, len(example.words))):
            if example.heads and example.heads[n] <= read:
                target[n, 0] = example.heads[n]
                target[n, 1] = relations.get(example.relations[n], _IGNORED)
            if example.parts:
                target[n, 2] = parts.get(example.parts[n], _IGNORED)
        return target

    def head(self, size: int, dropout: float) -> nn.Module:
        """See `Kind`."""
        return ParseHead(size, len(self.labels), len(self.parts), dropout)

    def loss(self, head: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
        """The mean over words of what heads, relations and parts cost."""
        arcs, parts, pairs = head(hidden, batch)
        targets = _padded(batch).to(arcs.device)
        heads, relations, classes = targets.unbind(-1)
        related = head.related(pairs, heads.clamp(min=0))  # type: ignore[operator]
        given = ((arcs.transpose(1, 2), heads), (related.transpose(1, 2), relations),
                 (parts.transpose(1, 2), classes))  # fmt: skip
        words = batch.place_mask.sum()
        return (
            torch.stack(
                [
                    nn.functional.cross_entropy(
                        score.float(), wanted, ignore_index=_IGNORED, reduction="sum"
                    )
                    for score, wanted in given
                ]
            ).sum()
            / words
        )

    def terms(self, batch: Batch) -> float:
        """See `Kind`."""
        return float(batch.place_mask.sum())

    def scores(self, head: nn.Module, hidden: Tensor, batch: Batch) -> list[Scores]:
        """See `Kind`: (P, 4) head, relation, part, and the head's probability."""
        arcs, parts, pairs = head(hidden, batch)
        logs = torch.log_softmax(arcs.float(), -1).cpu().double().numpy()
        heads = torch.zeros(arcs.shape[:2], dtype=torch.int64)
        counts = batch.place_mask.sum(1).tolist()
        for row, count in enumerate(counts):
            heads[row, :count] = torch.tensor(best_tree(logs[row, :count, : count + 1]))
        related = head.related(pairs, heads.to(arcs.device))  # type: ignore[operator]
        relations, classes = related.argmax(-1).cpu(), parts.argmax(-1).cpu()
        found = []
        for row, count in enumerate(counts):
            own = heads[row, :count].numpy()
            sure = np.exp(logs[row, np.arange(count), own])
            columns = [own, relations[row, :count].numpy(), classes[row, :count].numpy(), sure]
            found.append(np.stack(columns, 1).astype(np.float32))
        return found

    def answers(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Parsed]
    ) -> list[Parse]:
        """See `Kind`; words that were cut off hang on the last one that was read."""
        made = []
        for found, example in zip(scores, examples, strict=True):
            count = len(example.words)
            read = found[:count]
            short = count - len(read)
            made.append(
                Parse(
                    (*(self.parts[int(each)] for each in read[:, 2]), *("X",) * short),
                    (*(int(each) for each in read[:, 0]), *(len(read),) * short),
                    (*(self.labels[int(each)] for each in read[:, 1]), *("dep",) * short),
                    (*(float(each) for each in read[:, 3]), *(0.0,) * short),
                )
            )
        return made

    def measures(self, answers: Sequence[Parse], examples: Sequence[Parsed]) -> dict[str, Any]:
        """See `Kind`: attachment without and with the relation, and parts, over all words."""
        words = heads = both = parts = 0
        for found, wanted in zip(answers, examples, strict=True):
            for n in range(len(wanted.words)):
                right = found.heads[n] == wanted.heads[n]
                words += 1
                heads += right
                both += right and found.relations[n] == wanted.relations[n]
                parts += found.parts[n] == wanted.parts[n]
        total = max(1, words)
        return {"uas": heads / total, "las": both / total, "pos": parts / total}

    def calibrated(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Parsed]
    ) -> "Parsing":
        """See `Kind`: there is nothing to fit."""
        return self

    def facts(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"kind": "parsing", **vars(self)}


def _padded(batch: Batch) -> Tensor:
    B, P = batch.places.shape
    made = np.full((B, P, 3), _IGNORED, np.int64)
    for b, row in enumerate(batch.rows):
        made[b, : len(row.target)] = row.target
    return torch.from_numpy(made)


def parsing(training: Sequence[Parsed], settings: FineTuneSettings) -> Parsing:
    """The task that training examples make.

    Raises:
        DataError: no example has a tree.
    """
    relations = sorted({name for each in training for name in each.relations})
    parts = sorted({name for each in training for name in each.parts})
    if not relations or not parts:
        raise DataError(
            "no training sentence has a tree and parts of speech.",
            "训练数据中没有带依存树与词性的句子。",
        )
    return Parsing(tuple(relations), tuple(parts), settings.max_tokens)
