"""Folding: the guided policy as an ordinary model file.

With an advantage linear in the hidden state, A(s, ·) = ΔW h, the guided policy's logits are
W h + β ΔW h = (W + β ΔW) h up to a constant per state, which cancels in the softmax. So the value
function becomes part of the output layer: no cost at inference, any engine runs it.

Where the model adds a constant to its logits (see `readout`), ΔW has a column for it, which goes
into that constant. A scale of tied embeddings (T5) goes into the weights: untied models of the
family have none, and the folder says so in the way every engine knows.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from speaq.core.errors import SettingsError
from speaq.models.decoding import require_finite
from speaq.models.language_model import LanguageModel
from speaq.models.readout import CONSTANT

SCALED = "scale_decoder_outputs"
"""How T5's configuration remembers that its tied output layer is scaled."""


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
    delta = model.require_head().output_delta().float()  # (V, D), one more with a constant
    old = model.plain_layer
    weight = old.weight.float() + beta * delta[:, : old.in_features]
    if not torch.isfinite(weight.to(old.weight.dtype)).all():
        raise SettingsError(
            f"beta = {beta:g} overflows the output layer; use a smaller one.",
            f"beta = {beta:g} 使输出层溢出；请改用较小的值。",
        )
    causal = _untied(model) if model.reads_source else _sharing(model)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=old.bias is not None)
    layer.to(device=old.weight.device, dtype=old.weight.dtype)
    if old.bias is not None:
        layer.bias.copy_(old.bias)
    causal.set_output_embeddings(layer)
    if model.readout.constant:
        constant = causal.get_buffer(CONSTANT)
        causal.register_buffer(CONSTANT, constant + (beta * delta[:, -1]).to(constant.dtype))
    step = {"step": "fold", "beta": beta, "head": model.require_head().description()}
    origin = replace(model.origin, history=(*model.origin.history, step))
    folded = LanguageModel(causal, model.tokenizer, origin, head=None, facts=dict(model.facts))
    scale = model.readout.scale / folded.readout.scale
    layer.weight.copy_(weight if scale == 1 else weight * scale)
    return folded


def _sharing(model: LanguageModel) -> Any:
    """A decoder-only model with the weights of `model`, whose output layer may be changed."""
    plain = model.merged()
    causal: Any = copy.copy(plain)
    # A shallow copy shares the module table; give the copy its own, so that the original keeps
    # its output layer.
    causal.__dict__["_modules"] = dict(vars(plain)["_modules"])
    causal.config = copy.deepcopy(plain.config)
    causal.config.tie_word_embeddings = False
    return causal


def _untied(model: LanguageModel) -> Any:
    """An encoder–decoder model with the weights of `model`, whose output layer may be changed.

    Its two input embeddings get tables of their own: an untied model is loaded table by table,
    and one that was left out of the file as another's double would be drawn at random.
    """
    plain: Any = model.merged()
    shared = {id(each): each for each in (*plain.parameters(), *plain.buffers())}
    causal = copy.deepcopy(plain, shared)
    for half in (causal.get_encoder(), causal.get_decoder()):
        embeddings = half.get_input_embeddings()
        table = embeddings.weight
        embeddings.weight = nn.Parameter(table.detach().clone(), table.requires_grad)
    causal.config.tie_word_embeddings = False
    if SCALED in causal.config.to_dict():
        setattr(causal.config, SCALED, False)
    return causal
