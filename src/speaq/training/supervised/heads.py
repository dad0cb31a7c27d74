"""What reads the trunk's last hidden states and answers. Shapes: B rows, T tokens, D, C classes."""

from typing import Literal

import torch
from torch import Tensor, nn

from speaq.training.supervised.batches import Batch

Reads = Literal["first", "mean", "last", "marks"]
"""What stands for a text; `marks`: the two tokens at a row's places, side by side."""


class TextHead(nn.Module):
    """Scores of classes for whole texts: hidden (B, T, D) -> (B, C).

    For `first` a dense layer with tanh stands before the scores, as in BERT (Devlin et al. 2019);
    for `marks` the states at the starts of two passages are read (Baldini Soares et al. 2019).
    """

    def __init__(self, reads: Reads, size: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.reads = reads
        width = 2 * size if reads == "marks" else size
        self.dense = nn.Linear(size, size) if reads == "first" else None
        self.drop = nn.Dropout(dropout)
        # Classification heads of decoders in transformers have no bias.
        self.out = nn.Linear(width, classes, bias=reads != "last")

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Logits (B, C)."""
        text = self._text(hidden, batch)
        if self.dense is not None:
            text = torch.tanh(self.dense(text))
        scores: Tensor = self.out(self.drop(text))
        return scores

    def _text(self, hidden: Tensor, batch: Batch) -> Tensor:
        if self.reads == "first":
            return hidden[:, 0]
        if self.reads == "mean":
            mask = batch.mask[:, :, None].to(hidden.dtype)
            return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
        if self.reads == "last":
            ends = batch.mask.sum(1) - 1
            return hidden[torch.arange(len(hidden), device=hidden.device), ends]
        return at_places(hidden, batch.places).flatten(1)


class WordHead(nn.Module):
    """Scores of tags for words, read at their first tokens: hidden (B, T, D) -> (B, P, C)."""

    def __init__(self, size: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(size, classes)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Logits (B, P, C)."""
        scores: Tensor = self.out(self.drop(at_places(hidden, batch.places)))
        return scores


class PassageHead(nn.Module):
    """Scores of every token as the first and as the last of an answer: -> (B, T, 2)."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(size, 2)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Logits (B, T, 2)."""
        scores: Tensor = self.out(self.drop(hidden))
        return scores


def at_places(hidden: Tensor, places: Tensor) -> Tensor:
    """hidden (B, T, D), places (B, P) -> (B, P, D)."""
    return torch.gather(hidden, 1, places[:, :, None].expand(-1, -1, hidden.shape[-1]))
