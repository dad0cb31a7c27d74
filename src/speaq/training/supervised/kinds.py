"""What every kind of task over a trunk says about itself; the learner knows no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.language import say
from speaq.training.supervised.batches import Batch, Row
from speaq.training.supervised.trunk import Trunk

Scores = NDArray[np.float32]
"""What the head says of one row: (C,), (P, C) or (T, 2)."""


@dataclass(frozen=True)
class TooLong:
    """How many texts were longer than the trunk reads, and what was done with them."""

    count: int
    limit: int
    done: str
    """`cut` or `windows`."""

    def __str__(self) -> str:
        if self.done == "windows":
            return say(
                f"{self.count} texts are longer than {self.limit} tokens and are read in "
                "overlapping windows.",
                f"{self.count} 条文本超过 {self.limit} 个词元，以重叠窗口读取。",
            )
        return say(
            f"{self.count} texts are longer than {self.limit} tokens and were cut there; what "
            "stands behind is not seen.",
            f"{self.count} 条文本超过 {self.limit} 个词元，已被截断；其后内容不可见。",
        )


class Kind(Protocol):
    """One kind of task. Frozen dataclasses; what validation teaches comes by `calibrated`."""

    @property
    def metric(self) -> str:
        """The measure that early stopping watches; more is better."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What is answered, in the order of the scores; empty for passages."""

    def rows(self, trunk: Trunk, examples: Sequence[Any]) -> tuple[list[Row], TooLong]:
        """What the trunk reads of the examples, in their order."""

    def head(self, size: int, dropout: float) -> nn.Module:
        """A fresh head on hidden states of width `size`."""

    def loss(self, head: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:
        """The mean loss of a batch: hidden (B, T, D) -> ()."""

    def terms(self, batch: Batch) -> float:
        """Of how much `loss` is the mean: rows, words, or the weights of their classes."""

    def scores(self, head: nn.Module, hidden: Tensor, batch: Batch) -> list[Scores]:
        """What the head says of each row of a batch, without padding."""

    def answers(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> list[Any]:
        """The answer to each example from the scores of its rows."""

    def measures(self, answers: Sequence[Any], examples: Sequence[Any]) -> dict[str, Any]:
        """How right the answers are."""

    def calibrated(
        self, scores: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
    ) -> "Kind":
        """This kind with confidence and thresholds fitted on validation examples."""

    def facts(self) -> dict[str, Any]:
        """What `speaq.json` must say to answer in the same way; see `result.kind_of`."""
