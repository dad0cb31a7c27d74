"""How a translation model is made: its size, its tokens, how fast and how long it learns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch

from speaq.apps.translate.model.tags import tag
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.models.fingerprint import fingerprint
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.two_vocabularies import TwoTokenizers
from speaq.text.tokenizers.settings import TokenizerSettings
from speaq.text.tokenizers.training import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Subwords = Literal["joint", "separate"]
SIZES = {
    "tiny": (128, 2, 2, 256),
    "mini": (192, 3, 2, 384),
    "small": (256, 3, 3, 768),
    "base": (512, 6, 6, 2048),
}
"""Hidden width, layers of the encoder and of the decoder, and width between the two matrices."""
CONTEXT = 512
_HEAD = 64
"""Width of an attention head."""


@dataclass(frozen=True)
class TrainSettings:
    """How a translation model learns."""

    model: str = "mini"
    """tiny, mini, small or base for a new one; a model folder to go on from."""
    subwords: Subwords = "joint"
    """Of a new model. joint: one vocabulary for all languages, and one table of embeddings;
    separate: one of what is read and one of what is written, each with its own table."""
    vocabulary: int = 4000
    """Subwords (byte-level BPE): of all languages together, or of each side."""
    minutes: float = 0.0
    """How long to learn, on one thread in minutes of the processor; 0: `steps` says it."""
    steps: int = 5000
    """Batches."""
    batch_tokens: int = 1024
    """Tokens of a batch: pairs times the longest side."""
    lr: float = 3e-3
    """Peak learning rate."""
    warmup: float = 0.05
    """Share of the steps over which the rate rises; it then falls to a tenth."""
    dropout: float = 0.1
    """Of a new model."""
    smoothing: float = 0.1
    """Label smoothing."""
    average: float = 0.998
    """Decay of the running mean of the weights, which is what is kept; 0: the weights are."""
    validations: int = 10
    """How often to look at the validation loss."""
    patience: int = 0
    """Looks without a better one after which to end; 0: never."""
    longest: int = 128
    """Pairs with more tokens on a side are left out."""

    def __post_init__(self) -> None:
        require(
            "translation",
            self,
            {
                "subwords": (self.subwords in get_args(Subwords), "joint | separate"),
                "vocabulary": (self.vocabulary >= 300, "≥ 300"),
                "minutes": (0 <= self.minutes < float("inf"), "≥ 0"),
                "steps": (self.steps >= 1, "≥ 1"),
                "batch_tokens": (self.batch_tokens >= 2 * self.longest, "≥ 2 · longest"),
                "lr": (0 < self.lr < float("inf"), "> 0"),
                "warmup": (0 <= self.warmup < 1, "in [0, 1)"),
                "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
                "smoothing": (0 <= self.smoothing < 1, "in [0, 1)"),
                "average": (0 <= self.average < 1, "in [0, 1)"),
                "validations": (self.validations >= 1, "≥ 1"),
                "patience": (self.patience >= 0, "≥ 0"),
                "longest": (2 <= self.longest <= CONTEXT, f"2–{CONTEXT}"),
            },
        )


def tokenizer_of(
    texts: Iterable[str], vocabulary: int, targets: Sequence[str]
) -> "PreTrainedTokenizerBase":
    """One tokenizer for all languages, with a tag for each of several target languages.

    Raises:
        DataError: there is no text.
    """
    settings = TokenizerSettings(
        kind="bpe", purpose="translate", vocabulary=vocabulary, masks=0, context=CONTEXT
    )
    made = train_tokenizer(texts, settings)
    if len(targets) > 1:
        made.add_tokens([tag(code) for code in targets], special_tokens=True)
    return made


def separate_tokenizers(
    sources: Iterable[str], targets: Iterable[str], vocabulary: int, tags: Sequence[str]
) -> TwoTokenizers:
    """A tokenizer of what is read, with a tag for each of several target languages, and one of
    what is written.

    Raises:
        DataError: there is no text.
    """
    return TwoTokenizers(
        tokenizer_of(sources, vocabulary, tags), tokenizer_of(targets, vocabulary, ())
    )


def new_model(
    size: str, tokenizer: "PreTrainedTokenizerBase | TwoTokenizers", dropout: float, seed: int
) -> LanguageModel:
    """An untrained encoder–decoder with sines for positions.

    With joint subwords an M2M: the norms stand before the layers (Xiong et al. 2020), and one
    table serves source, target and output (Press and Wolf 2017). With separate ones a Marian, the
    one of `transformers` that may have two tables: the norms stand behind the layers.
    """
    from transformers import (
        M2M100Config,
        M2M100ForConditionalGeneration,
        MarianConfig,
        MarianMTModel,
    )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "translation", "weights"))
        model: Any
        if isinstance(tokenizer, TwoTokenizers):
            config = MarianConfig(
                vocab_size=len(tokenizer.source),
                decoder_vocab_size=len(tokenizer.target),
                share_encoder_decoder_embeddings=False,
                **_shape(size, tokenizer, dropout),
            )
            model = MarianMTModel(config)
        else:
            config = M2M100Config(vocab_size=len(tokenizer), **_shape(size, tokenizer, dropout))
            model = M2M100ForConditionalGeneration(config)
    model.eval()
    never = [tokenizer.pad_token_id, tokenizer.unk_token_id]
    tags = [number for name, number in tokenizer.get_added_vocab().items() if name[:2] == "<2"]
    model.generation_config.bad_words_ids = [[number] for number in sorted({*never, *tags})]
    return LanguageModel(model, tokenizer, Origin(f"new:{size}", fingerprint(model)))


def _shape(size: str, tokenizer: Any, dropout: float) -> dict[str, Any]:
    D, encoder, decoder, F = SIZES[size]
    return {
        "d_model": D,
        "encoder_layers": encoder,
        "decoder_layers": decoder,
        "encoder_attention_heads": max(1, D // _HEAD),
        "decoder_attention_heads": max(1, D // _HEAD),
        "encoder_ffn_dim": F,
        "decoder_ffn_dim": F,
        "dropout": dropout,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "encoder_layerdrop": 0.0,
        "decoder_layerdrop": 0.0,
        "activation_function": "relu",
        "init_std": D**-0.5 / 2,
        "scale_embedding": True,
        "max_position_embeddings": CONTEXT,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": None,
        "tie_word_embeddings": True,
    }
