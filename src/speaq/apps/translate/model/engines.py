"""What searches translations and scores them: `transformers` here, CTranslate2 in `fast.py`.

Both speak in token ids: sources with their marks; translations without the decoder's start token,
and with the end token where the model ended them.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from speaq.models.encoder_decoder import padding_mask, read, write
from speaq.models.language_model import LanguageModel

Ids = list[int]
TOKENS = 2048
"""Source tokens of a batch, padding and beams included; more is no faster on a CPU."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How translations are searched."""

    beam: int = 4
    n_best: int = 1
    length_penalty: float = 1.0

    def longest(self, source: int) -> int:
        """Tokens of the longest translation of a source of so many."""
        return 2 * source + 16


class Engine(Protocol):
    """Searches and scores."""

    @property
    def end_id(self) -> int:
        """The token that ends a translation."""
        ...

    def search(
        self, sources: Sequence[Ids], begun: Sequence[Ids], wanted: Wanted
    ) -> list[list[Ids]]:
        """For each source the best translations that begin with `begun`, best first.

        Raises:
            DataError: a source longer than the model reads.
        """
        ...

    def logprobs(self, sources: Sequence[Ids], translations: Sequence[Ids]) -> list[list[float]]:
        """The log-probability of each token of each translation, in nats."""
        ...


class TransformersEngine:
    """The `generate` of `transformers`, in batches of like length and equal beginnings."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        cast(nn.Module, model.causal).eval()

    @property
    def end_id(self) -> int:
        """See `Engine`."""
        return self.model.end_id

    def search(
        self, sources: Sequence[Ids], begun: Sequence[Ids], wanted: Wanted
    ) -> list[list[Ids]]:
        """See `Engine`."""
        for ids in sources:
            self.model.context(ids)
        groups: dict[int, list[int]] = defaultdict(list)
        for place, ids in enumerate(begun):
            groups[len(ids)].append(place)
        found: list[list[Ids]] = [[] for _ in sources]
        for group in groups.values():
            for chosen in batches([len(sources[place]) * wanted.beam for place in group]):
                places = [group[each] for each in chosen]
                searched = self._searched(
                    [sources[place] for place in places], [begun[place] for place in places], wanted
                )
                for place, hypotheses in zip(places, searched, strict=True):
                    found[place] = hypotheses
        return found

    @torch.inference_mode()
    def _searched(
        self, sources: Sequence[Ids], begun: Sequence[Ids], wanted: Wanted
    ) -> list[list[Ids]]:
        tokens, lengths = padded(sources, self.end_id)
        start = [self.model.plain.generation_config.decoder_start_token_id]
        opening = torch.tensor([start + ids for ids in begun])
        where = self.model.output_table.device
        written: Tensor = self.model.plain.generate(
            input_ids=tokens.to(where),
            attention_mask=padding_mask(tokens, lengths).to(where),
            decoder_input_ids=opening.to(where),
            num_beams=wanted.beam,
            num_return_sequences=wanted.n_best,
            length_penalty=wanted.length_penalty if wanted.beam > 1 else None,
            max_new_tokens=self._room(tokens.shape[1], opening.shape[1], wanted),
            do_sample=False,
            forced_bos_token_id=None,
        )
        rows = [self._ended(row, opening.shape[1]) for row in written.tolist()]
        n = wanted.n_best
        return [rows[place * n : place * n + n] for place in range(len(sources))]

    def _room(self, source: int, begun: int, wanted: Wanted) -> int:
        return max(1, min(wanted.longest(source), self.model.context_length - begun))

    def _ended(self, row: Ids, begun: int) -> Ids:
        """Without the start token and what stands behind the end."""
        if self.end_id in row[begun:]:
            row = row[: row.index(self.end_id, begun) + 1]
        return row[1:]

    @torch.inference_mode()
    def logprobs(self, sources: Sequence[Ids], translations: Sequence[Ids]) -> list[list[float]]:
        """See `Engine`; one pass for all tokens of a batch."""
        found: list[list[float]] = [[] for _ in sources]
        sizes = [len(a) + len(b) for a, b in zip(sources, translations, strict=True)]
        for places in batches(sizes):
            tokens, lengths = padded([sources[place] for place in places], self.end_id)
            written, sizes_written = padded([translations[place] for place in places], self.end_id)
            scored = self._scored(tokens, lengths, written)
            for place, row, size in zip(places, scored, sizes_written.tolist(), strict=True):
                found[place] = row[:size].tolist()
        return found

    def _scored(self, tokens: Tensor, lengths: Tensor, written: Tensor) -> Tensor:
        causal, where = self.model.plain, self.model.output_table.device
        tokens, lengths, written = tokens.to(where), lengths.to(where), written.to(where)
        start = causal.generation_config.decoder_start_token_id
        given = torch.cat([torch.full_like(written[:, :1], start), written[:, :-1]], dim=1)
        mask = padding_mask(tokens, lengths)
        hidden = self.model.readout.states(write(causal, given, read(causal, tokens, mask), mask))
        logits = self.model.output_layer(hidden).float()
        chosen = torch.gather(logits, 2, written[..., None])[..., 0]
        found: Tensor = (chosen - logits.logsumexp(-1)).cpu()
        return found


def batches(sizes: Sequence[int], limit: int = TOKENS) -> Iterator[list[int]]:
    """Places of rows in batches of like size, longest first; a batch's area is at most `limit`."""
    batch: list[int] = []
    for place in np.argsort(-np.asarray(sizes), kind="stable").tolist():
        if batch and sizes[batch[0]] * (len(batch) + 1) > limit:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def padded(rows: Sequence[Ids], filling: int) -> tuple[Tensor, Tensor]:
    """Rows as one tensor (B, T), filled up on the right, and their lengths (B,)."""
    lengths = [len(row) for row in rows]
    made = np.full((len(rows), max(1, *lengths)), filling, np.int64)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return torch.from_numpy(made), torch.tensor(lengths)
