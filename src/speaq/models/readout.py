"""What some encoder–decoder models do between the last hidden state and the logits.

T5 with tied embeddings scales the hidden state by D**-0.5, Marian and BART add a constant to the
logits. Both are kept exact by what a *state* is: what the output layer reads, with one more
coordinate, always 1, where a constant is added. Then logits are linear in the state for every
kind, states · [W | constant]ᵀ, and value heads, losses, guidance and folding need not know.

`generate` never writes some tokens (Marian's padding has a logit like any other, and is banned by
the generation settings); their logits are -inf here too, so that what is logged and judged is the
policy that will be served.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import GenerationConfig

CONSTANT = "final_logits_bias"
"""The buffer in which `transformers` keeps the constant of the logits, (1, V)."""


@dataclass(frozen=True)
class Readout:
    """From last hidden states to states, and from states to logits."""

    scale: float = 1.0
    """What the hidden state is multiplied with."""
    constant: bool = False
    """Whether something is added to the logits."""
    banned: tuple[int, ...] = ()
    """Tokens that are never written."""

    def states(self, hidden: Tensor) -> Tensor:
        """States of last hidden states: (..., D) -> (..., D), or (..., D + 1) with a constant."""
        return self.read(hidden if self.scale == 1 else hidden * self.scale)

    def read(self, inputs: Tensor) -> Tensor:
        """States of what the output layer is given: (..., D) -> (..., D), or (..., D + 1)."""
        if not self.constant:
            return inputs
        return torch.cat([inputs, inputs.new_ones(*inputs.shape[:-1], 1)], dim=-1)

    def layer(self, plain: nn.Module, constant: Tensor | None) -> nn.Module:
        """From states to logits by the model's own layer and constant (V,)."""
        if not self.constant and not self.banned:
            return plain
        return _Output(plain, constant if self.constant else None, self.banned)


class _Output(nn.Module):
    """States (..., D + 1), or (..., D) without a constant -> logits (..., V)."""

    def __init__(self, plain: nn.Module, constant: Tensor | None, banned: tuple[int, ...]) -> None:
        super().__init__()
        self.plain = plain
        self.constant = constant
        self.banned = banned

    def forward(self, states: Tensor) -> Tensor:
        # The model's own two steps rather than one product, for the same bits.
        if self.constant is None:
            logits: Tensor = self.plain(states)
        else:
            logits = self.plain(states[..., :-1]) + self.constant
        if not self.banned:
            return logits
        return logits.index_fill(-1, torch.tensor(self.banned, device=logits.device), -torch.inf)


def constant_of(causal: nn.Module) -> Tensor | None:
    """What the model adds to its logits, (V,); None if nothing."""
    found = dict(causal.named_buffers(recurse=False)).get(CONSTANT)
    return None if found is None else found[0]


def readout_of(
    causal: Any, hidden: Tensor, source: Tensor, tokens: Tensor, banned: tuple[int, ...]
) -> Readout | None:
    """How an encoder–decoder model reads logits out, found by looking on; None if in another way.

    Args:
        causal: the `transformers` model.
        hidden: (B, T, D) last hidden states of the decoder for `tokens`.
        source: (B, S) tokens of the encoder.
        tokens: (B, T) tokens of the decoder.
        banned: tokens that are never written.
    """
    layer, seen = causal.get_output_embeddings(), []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        logits = causal(input_ids=source, decoder_input_ids=tokens, use_cache=False).logits
    finally:
        hook.remove()
    if not isinstance(layer, nn.Linear) or len(seen) != 1 or seen[0].shape != hidden.shape:
        return None
    scales = [scale for scale in (1.0, hidden.shape[-1] ** -0.5) if _alike(hidden * scale, seen[0])]
    constant = constant_of(causal)
    made = seen[0] @ layer.weight.T
    if not scales or not _alike(made if constant is None else made + constant, logits):
        return None
    return Readout(scales[0], constant is not None and bool(constant.any()), banned)


def _alike(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-3)


def banned_tokens(settings: "GenerationConfig") -> tuple[int, ...]:
    """Tokens that `generate` never writes by these settings, whatever stands before them."""
    alone = [words[0] for words in settings.bad_words_ids or () if len(words) == 1]
    return tuple(sorted({*alone, *(settings.suppress_tokens or ())}))
