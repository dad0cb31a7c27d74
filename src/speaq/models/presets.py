"""Untrained models from a configuration, with a tokenizer of bytes: nothing to download.

    new:tiny          Llama, 1.1 M parameters, for tests and toys
    new:small         Llama, 15 M parameters, learns a small corpus on a laptop
    new:gpt2-tiny     GPT-2, 0.9 M parameters, the other common architecture
    new:t5-tiny       T5, 1.2 M parameters; reads a source, writes a reply
    new:bart-tiny     BART, 1.4 M parameters, likewise
    new:marian-tiny   Marian, 1.4 M parameters, likewise
    new:marian-small  Marian, 6.7 M parameters, learns to translate short sentences on a laptop

No dropout anywhere: a log of propensities is exact only if the policy is. `?seed=3` draws other
initial weights; the default is seed 0.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive
from speaq.models.fingerprint import fingerprint
from speaq.models.language_model import LanguageModel, Origin

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

END, PADDING = "<|end|>", "<|pad|>"
"""The two tokens beside the 256 bytes; ids 256 and 257."""
END_ID, PADDING_ID, VOCABULARY = 256, 257, 258


@dataclass(frozen=True)
class Preset:
    """The size of a model."""

    kind: str
    hidden: int
    layers: int
    """In each half of an encoder–decoder."""
    heads: int
    context: int


PRESETS = {
    "tiny": Preset("llama", 128, 5, 4, 512),
    "small": Preset("llama", 384, 8, 6, 1024),
    "gpt2-tiny": Preset("gpt2", 128, 4, 4, 512),
    "t5-tiny": Preset("t5", 128, 3, 4, 512),
    "bart-tiny": Preset("bart", 128, 3, 4, 512),
    "marian-tiny": Preset("marian", 128, 3, 4, 512),
    "marian-small": Preset("marian", 256, 4, 4, 512),
}


def build(name: str, dtype: torch.dtype) -> LanguageModel:
    """The model `<preset>[?seed=<int>]`; the same text gives the same weights.

    Raises:
        SettingsError: an unknown preset, or a seed that is not an integer.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    preset, seed = _parse(name)
    config = _config(preset)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    # Transformers initialises from the global stream; a fork leaves the caller's undisturbed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "new", name.partition("?")[0]))
        causal = kind.from_config(config, dtype=torch.float32)
    causal.eval()
    if config.is_encoder_decoder:
        causal.generation_config.bad_words_ids = [[PADDING_ID]]  # the start token is not a reply
    origin = Origin(f"new:{name}", fingerprint(causal))
    tokenizer = byte_tokenizer(preset.context, marks_end=config.is_encoder_decoder)
    return LanguageModel(causal.to(dtype), tokenizer, origin)


def _parse(name: str) -> tuple[Preset, int]:
    stem, mark, query = name.partition("?")
    key, _, value = query.partition("=")
    if stem not in PRESETS:
        known = ", ".join(f"new:{preset}" for preset in PRESETS)
        raise SettingsError(
            f"There is no preset 'new:{stem}'; known are {known}.",
            f"没有预设“new:{stem}”；可用：{known}。",
        )
    if mark and (key != "seed" or not value.isdecimal()):
        raise SettingsError(
            f"'new:{name}' takes only ?seed=<integer>, such as new:{stem}?seed=3.",
            f"“new:{name}”只接受 ?seed=<整数>，例如 new:{stem}?seed=3。",
        )
    return PRESETS[stem], int(value) if mark else 0


def _config(preset: Preset) -> "PreTrainedConfig":
    from transformers import GPT2Config, LlamaConfig

    shared: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "bos_token_id": END_ID,
        "eos_token_id": END_ID,
        "pad_token_id": PADDING_ID,
        "tie_word_embeddings": True,
    }
    if preset.kind in ("t5", "bart", "marian"):
        return _two_halves(preset, {**shared, "decoder_start_token_id": PADDING_ID})
    if preset.kind == "gpt2":
        return GPT2Config(
            n_embd=preset.hidden,
            n_layer=preset.layers,
            n_head=preset.heads,
            n_positions=preset.context,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            **shared,
        )
    return LlamaConfig(
        hidden_size=preset.hidden,
        intermediate_size=preset.hidden * 3,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.heads,
        max_position_embeddings=preset.context,
        attention_dropout=0.0,
        **shared,
    )


def _two_halves(preset: Preset, shared: dict[str, Any]) -> "PreTrainedConfig":
    from transformers import BartConfig, MarianConfig, T5Config

    if preset.kind == "t5":
        return T5Config(
            d_model=preset.hidden,
            d_kv=preset.hidden // preset.heads,
            d_ff=preset.hidden * 3,
            num_layers=preset.layers,
            num_heads=preset.heads,
            dropout_rate=0.0,
            **shared,
        )
    kind = BartConfig if preset.kind == "bart" else MarianConfig
    return kind(
        d_model=preset.hidden,
        encoder_layers=preset.layers,
        decoder_layers=preset.layers,
        encoder_attention_heads=preset.heads,
        decoder_attention_heads=preset.heads,
        encoder_ffn_dim=preset.hidden * 3,
        decoder_ffn_dim=preset.hidden * 3,
        max_position_embeddings=preset.context,
        scale_embedding=True,
        dropout=0.0,
        forced_eos_token_id=None,
        **shared,
    )


def byte_tokenizer(context: int, *, marks_end: bool = False) -> "PreTrainedTokenizerBase":
    """A tokenizer whose tokens are bytes: any text in any script, and no unknown token.

    Args:
        context: longest text in tokens, as recorded in the tokenizer's file.
        marks_end: put the end token after a text that is tokenised with its special tokens, as
            the sources of encoder–decoder models are.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={mark: i for i, mark in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    if marks_end:
        core.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, END_ID)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=END,
        eos_token=END,
        pad_token=PADDING,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
