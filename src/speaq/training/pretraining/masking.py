"""Masked language modelling: tokens, or whole words, hidden in a text (Devlin et al. 2019).

Of the tokens chosen, 80 % become the mask token, 10 % a random one, 10 % stay as they are. With
whole words, all tokens of a word are chosen or none (Cui et al. 2021 for Chinese, where a word is
several characters that a tokenizer keeps apart).

Differences from BERT: the choice is made anew whenever a row is read (Liu et al. 2019), rows are
packed across documents, and there is no next-sentence task.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speaq.training.pretraining.settings import ObjectiveSettings
from speaq.training.pretraining.vocabulary import end_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MASKED, _RANDOM = 0.8, 0.9
"""Upper ends of the two first parts of [0, 1): mask token, random token."""
IGNORED = -100


class Masking:
    """See the module; an `Objective`.

    Args:
        settings: `context` counts the marks around a row, if the tokenizer has them.
        tokenizer: its special tokens are never chosen, nor put in for another.
    """

    def __init__(self, settings: ObjectiveSettings, tokenizer: "PreTrainedTokenizerBase") -> None:
        self.rate = settings.hidden
        self.whole_words = settings.whole_words
        self.mask_id: int = tokenizer.mask_token_id
        opening = tokenizer.cls_token_id
        self.opening: list[int] = [] if opening is None else [opening]
        self.closing: list[int] = [] if opening is None else [end_of(tokenizer)]
        self.length = self.stride = settings.context - len(self.opening) - len(self.closing)
        self.special = np.zeros(len(tokenizer), bool)
        self.special[tokenizer.all_special_ids] = True
        self.plain = np.flatnonzero(~self.special)

    def examples(
        self,
        rows: NDArray[np.int64],
        starts: NDArray[np.bool_] | None,
        streams: Sequence[np.random.Generator],
    ) -> dict[str, Tensor]:
        """See `Objective`."""
        tokens, labels = rows.copy(), np.full_like(rows, IGNORED)
        for row, stream in enumerate(streams):
            begins = starts[row] if starts is not None and self.whole_words else None
            chosen = self._choose(rows[row], begins, stream)
            labels[row, chosen] = rows[row, chosen]
            fate = stream.random(len(chosen))
            drawn = self.plain[stream.integers(len(self.plain), size=len(chosen))]
            changed = np.where(fate < _RANDOM, drawn, rows[row, chosen])
            tokens[row, chosen] = np.where(fate < _MASKED, self.mask_id, changed)
        B = len(rows)
        before, after = (np.tile(np.array(ids, np.int64), (B, 1)) for ids in self._around)
        unlabelled = [np.full_like(each, IGNORED) for each in (before, after)]
        return {
            "input_ids": torch.from_numpy(np.concatenate([before, tokens, after], 1)),
            "labels": torch.from_numpy(np.concatenate([unlabelled[0], labels, unlabelled[1]], 1)),
        }

    @property
    def _around(self) -> tuple[list[int], list[int]]:
        return self.opening, self.closing

    def _choose(
        self,
        tokens: NDArray[np.int64],
        begins: NDArray[np.bool_] | None,
        stream: np.random.Generator,
    ) -> NDArray[np.intp]:
        """The places of a row that are hidden; `rate` of its plain tokens on average.

        Words are taken in random order until there are enough tokens; the one that would be too
        much is taken with the probability that makes the mean right.
        """
        plain = np.flatnonzero(~self.special[tokens])
        if not len(plain):
            return plain
        unit = np.arange(len(plain))
        if begins is not None:
            unit = np.unique(np.cumsum(begins)[plain], return_inverse=True)[1]
        sizes = np.bincount(unit)
        order = stream.permutation(len(sizes))
        reached = np.cumsum(sizes[order])
        budget = self.rate * len(plain)
        count = int(np.searchsorted(reached, budget, side="right"))
        before = float(reached[count - 1]) if count else 0.0
        if count < len(order) and stream.random() < (budget - before) / sizes[order[count]]:
            count += 1
        return plain[np.isin(unit, order[: max(1, count)])]
