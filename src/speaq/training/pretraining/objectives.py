"""Rows of tokens as what a model reads and what it is to foretell, for each objective."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speaq.training.pretraining.denoising import Infilling, SpanCorruption
from speaq.training.pretraining.masking import Masking
from speaq.training.pretraining.settings import ObjectiveSettings
from speaq.training.pretraining.vocabulary import end_of, sentinels_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = NDArray[np.int64]


class Objective(Protocol):
    """How rows become examples."""

    length: int
    """L tokens of a row."""
    stride: int
    """Tokens from one row to the next."""

    def examples(
        self,
        rows: Ids,
        starts: NDArray[np.bool_] | None,
        streams: Sequence[np.random.Generator],
    ) -> dict[str, Tensor]:
        """What the model is given, and `labels`, the tokens to foretell, -100 where none is.

        Args:
            rows: (B, L) tokens.
            starts: (B, L) where words begin, if that is known.
            streams: B sources of random numbers, one for each row, so that an example does not
                depend on the batch it is in.
        """


class NextToken:
    """Every token is foretold from those before it, across the ends of documents too: after an
    end token anything may follow, and the model learns what documents begin with.

    Args:
        context: T tokens that are read; a row holds one more, which is only foretold.
    """

    def __init__(self, context: int) -> None:
        self.length, self.stride = context + 1, context

    def examples(
        self,
        rows: Ids,
        starts: NDArray[np.bool_] | None,
        streams: Sequence[np.random.Generator],
    ) -> dict[str, Tensor]:
        """See `Objective`."""
        tokens = torch.from_numpy(rows)
        return {"input_ids": tokens[:, :-1], "labels": tokens[:, 1:]}


def objective_of(
    settings: ObjectiveSettings, tokenizer: "PreTrainedTokenizerBase", start_id: int | None
) -> Objective:
    """The objective that `settings` ask for.

    Args:
        settings: see there.
        tokenizer: its special tokens mark gaps and ends.
        start_id: what the decoder of an encoder–decoder begins with.
    """
    if settings.kind == "causal":
        return NextToken(settings.context)
    if settings.kind == "masked":
        return Masking(settings, tokenizer)
    assert start_id is not None  # the architecture has been checked against the objective
    if settings.kind == "span":
        return SpanCorruption(settings, sentinels_of(tokenizer), end_of(tokenizer), start_id)
    return Infilling(settings, tokenizer, start_id)
