"""An untrained encoder, and a tokenizer made from the training texts: from nobody's weights.

    new:encoder?layers=4&hidden=256&heads=4&vocabulary=8000&context=256&dropout=0.1

BERT's architecture (Devlin et al. 2019) and WordPiece. Chinese characters stand alone, as BERT
writes them, so the same recipe serves both languages.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from speaq.core.errors import ModelError, SettingsError
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.text.tokenizers.settings import TokenizerSettings
from speaq.text.tokenizers.training import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoder:
    """The size of a new encoder."""

    layers: int = 4
    hidden: int = 256
    heads: int = 4
    vocabulary: int = 8000
    """At most so many pieces of words."""
    context: int = 256
    dropout: float = 0.1

    def __post_init__(self) -> None:
        rules = {
            "layers": (self.layers >= 1, "≥ 1"),
            "hidden": (self.hidden >= 1 and self.hidden % self.heads == 0, "a multiple of heads"),
            "vocabulary": (self.vocabulary >= 16, "≥ 16"),
            "context": (self.context >= 4, "≥ 4"),
            "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
        }
        require("new:encoder", self, rules)


def new_encoder(
    query: str, texts: Sequence[str], seed: int
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """An untrained encoder of the size that `query` says, such as `layers=2&hidden=128`.

    Raises:
        SettingsError: an unknown word or a value that is no number.
    """
    from transformers import BertConfig

    wanted = _parsed(query)
    tokenizer = word_pieces(texts, wanted.vocabulary, wanted.context)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=wanted.hidden,
        num_hidden_layers=wanted.layers,
        num_attention_heads=wanted.heads,
        intermediate_size=wanted.hidden * 4,
        max_position_embeddings=wanted.context,
        hidden_dropout_prob=wanted.dropout,
        attention_probs_dropout_prob=wanted.dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return _drawn(config, seed), tokenizer


def encoder_from_file(
    file: Path, texts: Sequence[str], seed: int
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """An untrained model from a `config.json` of `transformers`.

    Raises:
        ModelError: not such a file.
    """
    from transformers import AutoConfig

    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        config = AutoConfig.for_model(**values)
    except (ValueError, TypeError) as error:
        raise ModelError(
            f"{file} is not a configuration of transformers: {error}",
            f"{file} 不是 transformers 的配置文件：{error}",
        ) from error
    context = int(values.get("max_position_embeddings", 512))
    tokenizer = word_pieces(texts, int(config.vocab_size), context)
    config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    return _drawn(config, seed), tokenizer


def _parsed(query: str) -> Encoder:
    kinds: dict[str, Any] = {field.name: field.type for field in fields(Encoder)}
    found: dict[str, Any] = {}
    for word in filter(None, query.split("&")):
        name, _, value = word.partition("=")
        try:
            found[name] = kinds[name](value)
        except (KeyError, ValueError) as error:
            raise SettingsError(
                f"new:encoder does not take '{word}'; it takes {', '.join(kinds)}, each with a "
                "number, such as new:encoder?layers=2&hidden=128.",
                f"new:encoder 不接受“{word}”；可用 {'、'.join(kinds)}，各带一个数字，"
                "例如 new:encoder?layers=2&hidden=128。",
            ) from error
    return Encoder(**found)


def _drawn(config: Any, seed: int) -> "PreTrainedModel":
    from transformers import AutoModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "new", "encoder"))
        model: PreTrainedModel = AutoModel.from_config(config, dtype=torch.float32)
    return model


def word_pieces(texts: Sequence[str], vocabulary: int, context: int) -> "PreTrainedTokenizerBase":
    """A WordPiece tokenizer of lower-cased text, made from `texts`."""
    settings = TokenizerSettings(
        kind="wordpiece", vocabulary=vocabulary, lower=True, context=context
    )
    return train_tokenizer(texts, settings)
