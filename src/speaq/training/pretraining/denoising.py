"""Denoising for encoder–decoders: the source is a damaged text, the target what is missing of it.

Span corruption (Raffel et al. 2020, section 3.1.4): each gap of the source is a sentinel, and the
target lists the sentinels with what stood there. The numbers of gaps and of hidden tokens depend
on the length alone, so that no row is padded.

Text infilling (Lewis et al. 2020, section 2.2): each gap of the source, of Poisson length, is one
mask token, also where it is empty; its sentences are shuffled; the target is the whole text.

Differences: rows are packed across documents, and a document's end token may be hidden like any
other; a sentence ends at a token that ends in `.`, `!`, `?`, their Chinese forms, or a line break.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speaq.core.errors import SettingsError
from speaq.training.pretraining.settings import ObjectiveSettings
from speaq.training.pretraining.vocabulary import end_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = NDArray[np.int64]
_STOPS = (".", "!", "?", "。", "！", "？", "\n")


class SpanCorruption:
    """See the module; an `Objective`.

    Args:
        settings: the source has `context` tokens.
        sentinels: first gap first.
        end_id: closes source and target.
        start_id: what the decoder begins with.

    Raises:
        SettingsError: more gaps than there are sentinels.
    """

    def __init__(
        self, settings: ObjectiveSettings, sentinels: Sequence[int], end_id: int, start_id: int
    ) -> None:
        self.settings, self.end_id, self.start_id = settings, end_id, start_id
        length = settings.context
        while self._source(length + 1) <= settings.context:
            length += 1
        while self._source(length) > settings.context:
            length -= 1
        self.length = self.stride = length
        self.noise, self.gaps = self._counts(length)
        if self.gaps > len(sentinels):
            raise SettingsError(
                f"objective setting context = {settings.context} makes {self.gaps} gaps, and the "
                f"tokenizer has {len(sentinels)} tokens for them; lower context, or raise span.",
                f"objective 的 context = {settings.context} 产生 {self.gaps} 处空缺，而分词器只有 "
                f"{len(sentinels)} 个标记；请减小 context 或增大 span。",
            )
        self.sentinels = np.array(sentinels[: self.gaps], np.int64)

    def _counts(self, length: int) -> tuple[int, int]:
        """How many of so many tokens are hidden, in how many gaps."""
        noise = min(max(round(length * self.settings.hidden), 1), length - 1)
        gaps = max(round(noise / self.settings.span), 1)
        return noise, min(gaps, noise, length - noise)

    def _source(self, length: int) -> int:
        noise, gaps = self._counts(length)
        return length - noise + gaps + 1

    def examples(
        self,
        rows: Ids,
        starts: NDArray[np.bool_] | None,
        streams: Sequence[np.random.Generator],
    ) -> dict[str, Tensor]:
        """See `Objective`."""
        pairs = [self._pair(row, stream) for row, stream in zip(rows, streams, strict=True)]
        sources, targets = (torch.from_numpy(np.stack(each)) for each in zip(*pairs, strict=True))
        return {
            "input_ids": sources,
            "decoder_input_ids": _shifted(targets, self.start_id),
            "labels": targets,
        }

    def _pair(self, row: Ids, stream: np.random.Generator) -> tuple[Ids, Ids]:
        kept = _composition(len(row) - self.noise, self.gaps, stream)
        hidden = _composition(self.noise, self.gaps, stream)
        # Kept and hidden runs take turns, a kept one first.
        ends = np.cumsum(np.stack([kept, hidden], 1))
        runs = np.split(row, ends[:-1])
        source, target = [], []
        for sentinel, before, missing in zip(self.sentinels, runs[::2], runs[1::2], strict=True):
            source += [before, [sentinel]]
            target += [[sentinel], missing]
        end = [self.end_id]
        return np.concatenate([*source, end]), np.concatenate([*target, end])


def _composition(total: int, parts: int, stream: np.random.Generator) -> NDArray[np.int64]:
    """`parts` whole numbers ≥ 1 that add up to `total`, all ways equally likely."""
    cuts = np.sort(stream.choice(total - 1, parts - 1, replace=False) + 1)
    return np.diff(cuts, prepend=0, append=total)


class Infilling:
    """See the module; an `Objective`.

    Args:
        settings: source and target have at most `context` tokens.
        tokenizer: names mask, padding and end.
        start_id: what the decoder begins with.
    """

    def __init__(
        self, settings: ObjectiveSettings, tokenizer: "PreTrainedTokenizerBase", start_id: int
    ) -> None:
        self.settings, self.start_id = settings, start_id
        self.end_id = end_of(tokenizer)
        self.mask_id: int = tokenizer.mask_token_id
        self.padding_id: int = tokenizer.pad_token_id
        self.length = self.stride = settings.context - 1
        self.stops = np.zeros(len(tokenizer), bool)
        texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))])
        self.stops[[n for n, text in enumerate(texts) if text.rstrip(" ").endswith(_STOPS)]] = True
        self.stops[self.end_id] = True

    def examples(
        self,
        rows: Ids,
        starts: NDArray[np.bool_] | None,
        streams: Sequence[np.random.Generator],
    ) -> dict[str, Tensor]:
        """See `Objective`. Sources are padded on the right."""
        sources = [self._source(row, stream) for row, stream in zip(rows, streams, strict=True)]
        size = max(map(len, sources))
        padded = np.full((len(rows), size), self.padding_id)
        for row, source in enumerate(sources):
            padded[row, : len(source)] = source
        lengths = np.array([[len(source)] for source in sources])
        end = np.full((len(rows), 1), self.end_id)
        targets = torch.from_numpy(np.concatenate([rows, end], 1))
        return {
            "input_ids": torch.from_numpy(padded),
            "attention_mask": torch.from_numpy((np.arange(size) < lengths).astype(np.int64)),
            "decoder_input_ids": _shifted(targets, self.start_id),
            "labels": targets,
        }

    def _source(self, row: Ids, stream: np.random.Generator) -> Ids:
        if self.settings.shuffle:
            ends = np.flatnonzero(self.stops[row]) + 1
            sentences = np.split(row, ends[ends < len(row)])
            row = np.concatenate([sentences[n] for n in stream.permutation(len(sentences))])
        lengths = self._lengths(len(row), stream)
        kept = len(row) - int(lengths.sum())
        # Where the gaps are: so many kept tokens stand before each.
        before = np.sort(stream.integers(kept + 1, size=len(lengths)))
        source: list[int] = []
        place = taken = 0
        for gap, size in zip(before.tolist(), lengths.tolist(), strict=True):
            source += [*row[place : place + gap - taken].tolist(), self.mask_id]
            place += gap - taken + size
            taken = gap
        return np.array([*source, *row[place:].tolist(), self.end_id], np.int64)

    def _lengths(self, length: int, stream: np.random.Generator) -> NDArray[np.int64]:
        """Of the gaps, Poisson, until `rate` of the tokens are hidden; the last is cut short."""
        budget = max(1, round(length * self.settings.hidden))
        drawn: list[int] = []
        left = budget
        while left:
            # No more gaps than hidden tokens, so that no source outgrows its text.
            size = left if len(drawn) == budget - 1 else stream.poisson(self.settings.span)
            drawn.append(min(int(size), left))
            left -= drawn[-1]
        return np.array(drawn, np.int64)


def _shifted(targets: Tensor, start_id: int) -> Tensor:
    """What the decoder reads: its start token, then all of the target but the last."""
    return torch.nn.functional.pad(targets[:, :-1], (1, 0), value=start_id)
