"""Which weights are these? A fingerprint that survives saving and a change of precision."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speaq.core.files import digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SAMPLED = 4096
"""Numbers read per tensor, evenly spaced: a step of training moves nearly all of them."""


@torch.no_grad()
def fingerprint(causal: "PreTrainedModel") -> str:
    """Digest of a model's weights: names, shapes and numbers of every tensor.

    The numbers are rounded to bfloat16, so that float32 weights and the bfloat16 or float32 copy
    saved of them agree. A tied table counts once; a model with a LoRA on it must be merged first.
    """
    parts: list[bytes | str] = []
    for name, weight in sorted(causal.named_parameters()):
        parts += [f"{name} {tuple(weight.shape)}", _numbers(weight)]
    return digest(*parts)


def _numbers(weight: Tensor) -> bytes:
    flat = weight.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLED)
    rounded = flat[::step].to("cpu", torch.bfloat16)
    return rounded.view(torch.int16).numpy().tobytes()
