"""Reading what several replies begin with once: distinct prompts, then caches spread over rows."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache

from speaq.core.errors import DataError, SettingsError
from speaq.models.encoder_decoder import padding_mask, read, write
from speaq.models.language_model import LanguageModel


class Reading(Protocol):
    """What the trunk knows of R prompts and of what was written after them."""

    hidden: Tensor
    """(R, D) the state in which the first token of each reply is chosen."""

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only: (R',) int64."""

    def extend(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read on: (R, T) tokens of the replies -> (R, T, D) the states after each.

        Args:
            tokens: right-padded.
            lengths: (R,) tokens per row; None if no row is padded.
        """


def prefill(model: LanguageModel, prompts: Sequence[Sequence[int]]) -> Reading:
    """Run the trunk over R prompts, each distinct one once.

    Raises:
        DataError: an empty prompt, before which no state would stand; a source that is too long.
    """
    distinct = list(dict.fromkeys(tuple(prompt) for prompt in prompts))
    if any(not prompt for prompt in distinct):
        raise DataError("a prompt holds no tokens.", "有提示不含任何词元。")
    place = {prompt: i for i, prompt in enumerate(distinct)}
    rows = torch.tensor([place[tuple(p)] for p in prompts], device=model.output_table.device)
    reading = _Source(model, distinct) if model.reads_source else _Prefix(model, distinct)
    reading.keep(rows)
    return reading


class _Prefix:
    """Prompts in the decoder itself, padded on the left, so that every reply starts at the same
    place."""

    def __init__(self, model: LanguageModel, prompts: Sequence[tuple[int, ...]]) -> None:
        longest = max(len(prompt) for prompt in prompts)
        device = model.output_table.device
        tokens = torch.full((len(prompts), longest), model.end_id, device=device)
        mask = torch.zeros_like(tokens)
        for i, prompt in enumerate(prompts):
            tokens[i, longest - len(prompt) :] = torch.tensor(prompt, device=device)
            mask[i, longest - len(prompt) :] = 1
        self.trunk = model.trunk
        self.cache = DynamicCache(config=model.causal.config)
        self.mask = mask  # (R, P) 1 where a token stands, 0 where padding does
        output = self.trunk(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            cache=self.cache,
        )
        self.hidden = output.last_hidden_state[:, -1]

    def keep(self, rows: Tensor) -> None:
        """See `Reading`."""
        self.cache.batch_select_indices(rows)
        self.mask, self.hidden = self.mask[rows], self.hidden[rows]

    def extend(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `Reading`."""
        places = torch.arange(tokens.shape[1], device=tokens.device)
        positions = self.mask.sum(1, keepdim=True) + places[None]
        new = torch.ones_like(tokens) if lengths is None else padding_mask(tokens, lengths)
        self.mask = torch.cat([self.mask, new.to(self.mask.dtype)], 1)
        hidden: Tensor = self.trunk(
            input_ids=tokens,
            attention_mask=self.mask,
            position_ids=positions,
            cache=self.cache,
        ).last_hidden_state
        return hidden


class _Source:
    """Prompts in the encoder; every reply starts after the same few tokens of the decoder."""

    def __init__(self, model: LanguageModel, prompts: Sequence[tuple[int, ...]]) -> None:
        self.model = model
        self.causal = model.plain
        self.limit = model.context_length
        device = model.output_table.device
        sources = [torch.tensor(model.context(prompt).source) for prompt in prompts]
        source = torch.nn.utils.rnn.pad_sequence(
            sources, batch_first=True, padding_value=model.end_id
        ).to(device)
        self.mask = padding_mask(source, torch.tensor([len(each) for each in sources]).to(device))
        self.memory = read(self.causal, source, self.mask)
        self.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        opening = torch.tensor([model.opening] * len(prompts), device=device)
        self.hidden = self.extend(opening)[:, -1]

    def keep(self, rows: Tensor) -> None:
        """See `Reading`."""
        self.cache.batch_select_indices(rows)
        self.mask, self.memory, self.hidden = self.mask[rows], self.memory[rows], self.hidden[rows]

    def extend(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """See `Reading`."""
        if self.cache.get_seq_length() + tokens.shape[1] > self.limit:
            raise SettingsError(
                f"replies of {self.model.name} have room for {self.limit} tokens; lower "
                "max_new_tokens.",
                f"{self.model.name} 的回复最多 {self.limit} 个词元；请减小 max_new_tokens。",
            )
        hidden = write(self.causal, tokens, self.memory, self.mask, self.cache)
        return self.model.readout.states(hidden)
