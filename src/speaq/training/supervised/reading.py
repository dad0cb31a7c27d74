"""Extractive reading: the passage of a text that answers a question, or that there is none.

Texts longer than the trunk reads are read in overlapping windows, and the best passage of all of
them answers. "No answer" is the score of the first token, the least over the windows (Devlin et
al. 2019, section 4.3); how much better a passage must be is fitted on validation data.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.errors import SettingsError
from speaq.training.supervised.batches import Batch, Row
from speaq.training.supervised.examples import Question
from speaq.training.supervised.heads import PassageHead
from speaq.training.supervised.kinds import Scores, TooLong
from speaq.training.supervised.measures import answer_measures
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.trunk import Trunk

LONGEST = 30
"""Tokens of an answer, at most."""
_LEAST = 4
"""Tokens of the text that a window has to have room for."""
_STARTS = 20
"""Starts that are looked at in each window."""


class Passage(NamedTuple):
    """An answer: where it stands, and by how much it scores above "no answer"."""

    text: str
    start: int
    """The character it begins at; -1 where there is no answer."""
    margin: float


@dataclass(frozen=True)
class Reading:
    """See the module."""

    stride: int = 64
    max_tokens: int = 0
    refuses: bool = False
    """Whether "no answer" may be the answer: some training question has none."""
    threshold: float = 0.0
    """The margin from which a passage is given."""
    labels: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """F1 of words, or of characters in Chinese."""
        return "f1"

    def rows(self, trunk: Trunk, examples: Sequence[Question]) -> tuple[list[Row], TooLong]:
        """See `Kind`: a row for each window; its places are the text's first and last token."""
        limit = min(self.max_tokens or trunk.limit, trunk.limit)
        made: list[Row] = []
        long = 0
        for n, example in enumerate(examples):
            windows = self._windows(trunk, example, limit)
            long += len(windows.input_ids) > 1
            for w in range(len(windows.input_ids)):
                made.append(_row(n, windows, w, example))
        return made, TooLong(long, limit, "windows")

    def _windows(self, trunk: Trunk, example: Question, limit: int) -> Any:
        question = trunk.tokenizer(example.question, add_special_tokens=False).input_ids
        special = trunk.tokenizer.num_special_tokens_to_add(pair=True)
        room = limit - len(question) - special
        if room < _LEAST:
            raise SettingsError(
                f"a question of {len(question)} tokens leaves {max(0, room)} of {limit} for the "
                "text; shorten the question, or take more max_tokens or another trunk.",
                f"问题有 {len(question)} 个词元，{limit} 个中只剩 {max(0, room)} 个给正文；"
                "请缩短问题、增大 max_tokens 或更换主干。",
            )
        return trunk.tokenizer(
            example.question,
            example.context,
            truncation="only_second",
            max_length=limit,
            stride=min(self.stride, room // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    def head(self, size: int, dropout: float) -> nn.Module:
        """See `Kind`."""
        return PassageHead(size, dropout)

    def loss(self, head: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
        """Mean of the cross-entropies of the first and the last token."""
        logits = self._allowed(head(hidden, batch).float(), batch)
        target = torch.from_numpy(np.stack([row.target for row in batch.rows])).to(logits.device)
        return (
            nn.functional.cross_entropy(logits[..., 0], target[:, 0])
            + nn.functional.cross_entropy(logits[..., 1], target[:, 1])
        ) / 2

    def terms(self, batch: Batch) -> float:
        """See `Kind`."""
        return len(batch.rows)

    def scores(self, head: nn.Module, hidden: Tensor, batch: Batch) -> list[Scores]:
        """See `Kind`: (T, 2) each."""
        logits = self._allowed(head(hidden, batch).float(), batch).cpu().numpy()
        return [each[: len(row.tokens)] for each, row in zip(logits, batch.rows, strict=True)]

    @staticmethod
    def _allowed(logits: Tensor, batch: Batch) -> Tensor:
        """Only the text, and the first token, which says "no answer", may be chosen."""
        places = torch.arange(logits.shape[1], device=logits.device)[None]
        first, last = batch.places[:, :1], batch.places[:, 1:2]
        allowed = (places == 0) | ((places >= first) & (places <= last))
        return logits.masked_fill(~allowed[:, :, None], -1e4)

    def answers(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Question]
    ) -> list[Passage]:
        """See `Kind`."""
        best: list[tuple[float, int, int]] = [(-np.inf, 0, 0)] * len(examples)
        none = np.full(len(examples), np.inf)
        for said, row in zip(scores, rows, strict=True):
            none[row.example] = min(none[row.example], float(said[0].sum()))
            best[row.example] = max(best[row.example], _best_passage(said, row))
        made = []
        for (score, start, end), nothing, example in zip(best, none, examples, strict=True):
            margin = score - float(nothing)
            given = end > start and not (self.refuses and margin <= self.threshold)
            text = example.context[start:end] if given else ""
            made.append(Passage(text, start if given else -1, margin))
        return made

    def measures(self, answers: Sequence[Passage], examples: Sequence[Question]) -> dict[str, Any]:
        """See `Kind`; `false_answers` is the share of answered questions that have no answer."""
        wanted = [[each.text for each in example.answers] for example in examples]
        made: dict[str, Any] = dict(answer_measures([each.text for each in answers], wanted))
        without = [
            given.text != "" for given, each in zip(answers, wanted, strict=True) if not each
        ]
        if without:
            made["false_answers"] = float(np.mean(without))
        return made

    def calibrated(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Question]
    ) -> "Reading":
        """See `Kind`: the threshold of best F1 on these examples."""
        if not self.refuses:
            return self
        free = replace(self, threshold=-np.inf).answers(scores, rows, examples)
        gains = []
        for given, example in zip(free, examples, strict=True):
            wanted = [each.text for each in example.answers]
            kept = answer_measures([given.text], [wanted])["f1"]
            gains.append(kept - float(not wanted))
        # Going down from the surest, answer as long as that gains in sum.
        order = np.argsort([-each.margin for each in free], kind="stable")
        total = np.cumsum(np.array(gains)[order])
        if total.max(initial=0.0) <= 0:
            return replace(self, threshold=float(max(each.margin for each in free)))
        last = int(total.argmax())
        margins = np.array([free[place].margin for place in order])
        below = margins[last + 1] if last + 1 < len(margins) else margins[last] - 1
        return replace(self, threshold=float((margins[last] + below) / 2))

    def facts(self) -> dict[str, Any]:
        """See `Kind`."""
        return {"kind": "reading", **vars(self)}


def _row(n: int, windows: Any, w: int, example: Question) -> Row:
    whose = windows.sequence_ids(w)
    text = [place for place, part in enumerate(whose) if part == 1] or [0]
    offsets = np.array(windows.offset_mapping[w], np.int64).reshape(-1, 2)
    ids = np.array(windows.input_ids[w], np.int64)
    segments = np.array([1 if part == 1 else 0 for part in whose], np.int64)
    target = _answer_tokens(offsets, text, example)
    return Row(n, ids, segments, target, np.array([text[0], text[-1]], np.int64), offsets)


def _answer_tokens(
    offsets: NDArray[np.int64], text: Sequence[int], example: Question
) -> NDArray[np.int64]:
    """First and last token of the first answer; (0, 0) if it does not lie in this window."""
    if not example.answers:
        return np.zeros(2, np.int64)
    answer = example.answers[0]
    start, end = answer.start, answer.start + len(answer.text)
    inside = [t for t in text if offsets[t, 0] < end and offsets[t, 1] > start]
    if not inside or offsets[inside[0], 0] > start or offsets[inside[-1], 1] < end:
        return np.zeros(2, np.int64)
    return np.array([inside[0], inside[-1]], np.int64)


def _best_passage(said: Scores, row: Row) -> tuple[float, int, int]:
    """Score and characters (from, to) of the best passage of a window."""
    first, last = row.places.tolist()
    starts = first + np.argsort(-said[first : last + 1, 0])[:_STARTS]
    best = (-np.inf, 0, 0)
    for start in starts.tolist():
        stop = min(last, start + LONGEST - 1)
        end = start + int(said[start : stop + 1, 1].argmax())
        score = float(said[start, 0] + said[end, 1])
        best = max(best, (score, int(row.offsets[start, 0]), int(row.offsets[end, 1])))
    return best


def reading(training: Sequence[Question], settings: FineTuneSettings) -> Reading:
    """The task that training examples make; it may refuse where some of them have no answer."""
    refuses = any(not example.answers for example in training)
    return Reading(settings.stride, settings.max_tokens, refuses)
