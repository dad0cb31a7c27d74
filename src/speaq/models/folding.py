"""Folding: the guided policy as an ordinary model file.

With an advantage linear in the hidden state, A(s, ·) = ΔW h, the guided policy's logits are
W h + β ΔW h = (W + β ΔW) h up to a constant per state, which cancels in the softmax. So the value
function becomes part of the output layer: no cost at inference, any engine runs it.
"""

import copy
from dataclasses import replace

import torch
from torch import nn

from speaq.core.errors import SettingsError
from speaq.models.decoding import require_finite
from speaq.models.language_model import LanguageModel


@torch.no_grad()
def fold(model: LanguageModel, beta: float) -> LanguageModel:
    """A model without head whose logits are those of `model` guided by β (up to a constant).

    The trunk is shared with `model`, the output layer is new and untied from the input
    embeddings. The sum is made in float32 and stored in the model's own precision; keep the model
    in float32 where the file is to be exact.

    Raises:
        ModelError: no value head.
        SettingsError: a head that cannot fold, or a β that overflows.
    """
    require_finite(beta)
    delta = model.require_head().output_delta()  # (V, D)
    old = model.output_layer
    weight = old.weight.float() + beta * delta.float()
    if not torch.isfinite(weight.to(old.weight.dtype)).all():
        raise SettingsError(
            f"beta = {beta:g} overflows the output layer; use a smaller one.",
            f"beta = {beta:g} 使输出层溢出；请改用较小的值。",
        )
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=old.bias is not None)
    layer.to(device=old.weight.device, dtype=old.weight.dtype)
    layer.weight.copy_(weight)
    if old.bias is not None:
        layer.bias.copy_(old.bias)

    plain = model.merged()
    causal = copy.copy(plain)
    # A shallow copy shares the module table; give the copy its own, so that the original keeps
    # its output layer.
    causal.__dict__["_modules"] = dict(vars(plain)["_modules"])
    causal.config = copy.deepcopy(plain.config)
    causal.config.tie_word_embeddings = False
    causal.set_output_embeddings(layer)
    step = {"step": "fold", "beta": beta, "head": model.require_head().description()}
    origin = replace(model.origin, history=(*model.origin.history, step))
    return LanguageModel(causal, model.tokenizer, origin, head=None, facts=dict(model.facts))
