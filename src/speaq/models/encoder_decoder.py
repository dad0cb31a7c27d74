"""The halves of an encoder–decoder model of `transformers`: reading a source, writing a reply."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import Cache


def padding_mask(tokens: Tensor, lengths: Tensor) -> Tensor:
    """1 where a token stands, 0 on the padding to its right: (B, T), (B,) -> (B, T) int64."""
    places = torch.arange(tokens.shape[1], device=tokens.device)
    return (places[None, :] < lengths[:, None]).long()


def read(causal: Any, source: Tensor, mask: Tensor | None) -> Tensor:
    """What the encoder makes of a source: tokens (B, S), mask (B, S) -> (B, S, D)."""
    memory: Tensor = causal.get_encoder()(input_ids=source, attention_mask=mask).last_hidden_state
    return memory


def write(
    causal: Any, tokens: Tensor, memory: Tensor, mask: Tensor | None, cache: "Cache | None" = None
) -> Tensor:
    """The decoder's last hidden states after the final norm: tokens (B, T) -> (B, T, D).

    Padding on the right needs no mask here: no token sees what stands to the right of it.

    Args:
        causal: the model.
        tokens: of the reply, or what is new of it after those in `cache`.
        memory: (B, S, D) what the encoder read.
        mask: (B, S) of the source.
        cache: keys and values of the tokens before; those of `tokens` are added.
    """
    hidden: Tensor = causal.get_decoder()(
        input_ids=tokens,
        encoder_hidden_states=memory,
        encoder_attention_mask=mask,
        cache=cache,
        use_cache=cache is not None,
    ).last_hidden_state
    return hidden
