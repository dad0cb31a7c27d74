"""The trunk of a supervised task: an encoder, or a decoder without its output layer.

pypi:<package>, a folder, a hub id      as in `models.sources`
new:<preset>                            a decoder of `models.presets`, untrained
new:encoder?layers=4&hidden=256         see `scratch`
a config.json                           any architecture of `transformers`, untrained
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from speaq.core.errors import ModelError
from speaq.models import presets
from speaq.models.sources import load_encoder
from speaq.training.supervised.batches import Batch
from speaq.training.supervised.scratch import encoder_from_file, new_encoder

NEW_ENCODER = "encoder"


@dataclass
class Trunk:
    """A `transformers` model up to its last hidden state, with its tokenizer."""

    model: Any
    """A PreTrainedModel without head, perhaps inside of a LoRA wrapper."""
    tokenizer: Any
    source: str

    @property
    def limit(self) -> int:
        """The most tokens of one sequence, special ones included."""
        # RoBERTa counts positions from two, and only its tokenizer knows.
        own = int(self.plain.config.max_position_embeddings)
        return min(own, int(self.tokenizer.model_max_length))

    @property
    def plain(self) -> Any:
        """The model, out of a LoRA wrapper if it is in one."""
        wrapped = self.model.__class__.__name__.startswith("PeftModel")
        return self.model.get_base_model() if wrapped else self.model

    @property
    def size(self) -> int:
        """D, the width of the last hidden state."""
        return int(self.plain.config.hidden_size)

    @property
    def reads_forwards(self) -> bool:
        """Whether a token sees only what stands before it."""
        return looks_back_only(self.plain)

    @property
    def averages(self) -> bool:
        """Whether the trunk was trained so that the mean of its states stands for a text, as the
        folders of sentence-transformers say."""
        file = Path(self.plain.config.name_or_path) / "1_Pooling" / "config.json"
        if not file.is_file():
            return False
        return bool(json.loads(file.read_text(encoding="utf-8")).get("pooling_mode_mean_tokens"))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        weight: nn.Parameter = next(self.plain.parameters())
        return weight.device

    @property
    def padding(self) -> int:
        """The token that fills rows up; it is masked."""
        token = self.tokenizer.pad_token_id
        return int(token if token is not None else self.tokenizer.eos_token_id or 0)

    def hidden(self, batch: Batch) -> Tensor:
        """Last hidden states of a batch: (B, T, D)."""
        inputs = {"input_ids": batch.tokens, "attention_mask": batch.mask.long()}
        if self.plain.config.to_dict().get("type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = batch.segments
        if self.reads_forwards:
            inputs["use_cache"] = cast(Any, False)
        states: Tensor = self.model(**inputs).last_hidden_state
        return states


def open_trunk(source: str | Path, texts: Sequence[str], seed: int = 0) -> Trunk:
    """Open a trunk.

    Args:
        source: see the module's table.
        texts: of the training data; the tokenizer of an untrained encoder is made from them.
        seed: of untrained weights.

    Raises:
        ModelError: no such source, or an encoder–decoder model.
        SettingsError: an unknown preset or setting of a new encoder.
    """
    text = str(source)
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "new" and rest.partition("?")[0] == NEW_ENCODER:
        model, tokenizer = new_encoder(rest.partition("?")[2], texts, seed)
    elif colon and scheme == "new":
        built = presets.build(rest, torch.float32)
        model, tokenizer = built.causal, built.tokenizer
        model = cast(Any, model).base_model
    elif Path(text).is_file():
        model, tokenizer = encoder_from_file(Path(text), texts, seed)
    else:
        model, tokenizer = load_encoder(text)
    if model.config.is_encoder_decoder:
        raise ModelError(
            f"{text} is an encoder–decoder model; it learns to write. For this task take an "
            "encoder or a decoder.",
            f"{text} 是编码器—解码器模型，适合生成类任务；此任务请用编码器或解码器。",
        )
    return Trunk(cast(Any, model).float(), tokenizer, text)


def looks_back_only(model: Any) -> bool:
    """Whether the architecture is that of a decoder: `transformers` can write text with it."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = model.config.model_type
    return kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and (
        kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or bool(model.config.is_decoder)
    )
