"""Small models that generation and translation begin from.

`storyteller`  the 260,000-parameter Llama of llama2.c, which was trained on TinyStories, read from
               `stories260K/` (flat float32 weights and a vocabulary of 512 pieces with scores).
`translator`   a BART of 1.2 M parameters, trained by `speaq` on the short sentences of Multi30k,
               German to English; made once and kept in the cache.

No dropout, so that what a sample was drawn with is its exact propensity.
"""

import gzip
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speaq.core.files import write_text
from speaq.models.fingerprint import fingerprint
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.sources import load
from speaq.text.tokenizers.settings import TokenizerSettings
from speaq.text.tokenizers.training import train_tokenizer
from speaq.training.pretraining.architectures import architecture_of
from speaq.training.supervised.examples import Dialogue, written
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.settings import FineTuneSettings, default_loop
from speaq.training.supervised.writing import fine_tune_writer

WORDS = 8
"""Words of the longest German sentence that the translator learns."""
EPOCHS = 9
VOCABULARY = 2000
BART = {
    "model_type": "bart",
    "is_encoder_decoder": True,
    "d_model": 128,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 512,
    "decoder_ffn_dim": 512,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "scale_embedding": True,
}


def pairs(root: Path, part: str) -> list[tuple[str, str]]:
    """Short German sentences of one part of Multi30k with their English ones."""
    texts = []
    for language in ("de", "en"):
        with gzip.open(root / "multi30k" / f"{part}.{language}.gz", "rt", encoding="utf-8") as file:
            texts.append([line.strip() for line in file])
    return [pair for pair in zip(*texts, strict=True) if len(pair[0].split()) <= WORDS]


def translator(root: Path, cache: Path) -> LanguageModel:
    """See the module."""
    folder = cache / "translator"
    if not (folder / "model").exists():
        training = _dialogues(pairs(root, "train"))
        fine_tune_writer(
            _untrained(root, cache),
            Examples(training, _dialogues(pairs(root, "val"))[:100]),
            settings=FineTuneSettings(strategy="full", epochs=EPOCHS, patience=0),
            loop=replace(
                default_loop("full", writes=True, fresh=True),
                batch_size=64, lr=2e-3, warmup=150, checkpoint_every=500,
            ),
            folder=folder,
        )  # fmt: skip
    return load(str(folder / "model"))


def _dialogues(given: list[tuple[str, str]]) -> list[Dialogue]:
    return [written(german, english, n) for n, (german, english) in enumerate(given, 1)]


def _untrained(root: Path, cache: Path) -> LanguageModel:
    texts = [text for pair in pairs(root, "train") for text in pair]
    settings = TokenizerSettings(vocabulary=VOCABULARY, context=128)
    made = train_tokenizer(texts, settings)
    config = cache / "bart.json"
    write_text(config, json.dumps(BART))
    shape = architecture_of(str(config), "span", made, context=128, dropout=0.0, seed=0)
    built: Any = shape.build()
    return LanguageModel(built, made, Origin("new:bart", fingerprint(built)))


def storyteller(root: Path) -> LanguageModel:
    """See the module."""
    from transformers import LlamaConfig, LlamaForCausalLM

    raw = (root / "stories260K" / "stories260K.bin").read_bytes()
    D, F, layers, heads, kv, V, T = struct.unpack("<7i", raw[:28])
    numbers = torch.from_numpy(np.frombuffer(raw, np.float32, offset=28).copy())
    config = LlamaConfig(
        vocab_size=abs(V), hidden_size=D, intermediate_size=F, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=kv, max_position_embeddings=T,
        bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=True,
        rms_norm_eps=1e-5,
    )  # fmt: skip
    causal = LlamaForCausalLM(config).eval()
    causal.load_state_dict(_named(numbers, config), strict=False)
    made = _pieces(root / "stories260K" / "tok512.bin", abs(V))
    return LanguageModel(causal, made, Origin("stories260K", fingerprint(causal)))


def _named(numbers: torch.Tensor, config: Any) -> dict[str, torch.Tensor]:
    """The weights by the names of `transformers`; llama2.c lists each kind for all layers."""
    D, F, L = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    heads, kv = config.num_attention_heads, config.num_key_value_heads
    K = kv * D // heads
    order = [
        ("input_layernorm", (D,), 0), ("self_attn.q_proj", (D, D), heads),
        ("self_attn.k_proj", (K, D), kv), ("self_attn.v_proj", (K, D), 0),
        ("self_attn.o_proj", (D, D), 0), ("post_attention_layernorm", (D,), 0),
        ("mlp.gate_proj", (F, D), 0), ("mlp.down_proj", (D, F), 0), ("mlp.up_proj", (F, D), 0),
    ]  # fmt: skip
    place = config.vocab_size * D
    table = numbers[:place].view(config.vocab_size, D)
    found = {"model.embed_tokens.weight": table, "lm_head.weight": table}
    for name, shape, turned in order:
        size = int(np.prod(shape))
        for layer in range(L):
            weight = numbers[place : place + size].view(*shape)
            place += size
            if turned:  # pairs of neighbours are rotated there, halves of a head here
                weight = weight.view(turned, -1, 2, D).transpose(1, 2).reshape(shape)
            found[f"model.layers.{layer}.{name}.weight"] = weight
    found["model.norm.weight"] = numbers[place : place + D]
    return found


def _pieces(file: Path, count: int) -> Any:
    """Its vocabulary: the pair of pieces whose union scores best is merged first."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    raw, place, scored = file.read_bytes(), 4, []
    for _ in range(count):
        score, length = struct.unpack_from("<fi", raw, place)
        text = raw[place + 8 : place + 8 + length].decode("utf-8", "replace")
        scored.append((text.strip("\n") if text.startswith("\n<") else text, score))
        place += 8 + length
    names = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))]
    names += [text.replace(" ", "▁") for text, _ in scored[259:]]
    ids = {name: number for number, name in enumerate(names)}
    merges = [
        (name[:cut], name[cut:])
        for name in sorted(names[259:], key=lambda name: -scored[ids[name]][1])
        for cut in range(1, len(name))
        if name[:cut] in ids and name[cut:] in ids
    ]
    core = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token="<unk>", byte_fallback=True))
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<unk>",
        unk_token="<unk>", clean_up_tokenization_spaces=False,
    )  # fmt: skip
