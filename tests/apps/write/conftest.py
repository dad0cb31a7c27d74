"""A writer on a tiny model, in bytes and in characters."""

import pytest

from speaq.apps.write.application import Writing
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load


@pytest.fixture(scope="module")
def writing() -> Writing:
    return Writing(load("new:tiny"))


@pytest.fixture(scope="module")
def characters() -> LanguageModel:
    """A tiny model whose tokens are Chinese characters and words, and few others."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from speaq.models.language_model import Origin

    signs = [
        *"床前明月光疑是地上霜举头望低思故乡春眠不觉晓处闻啼鸟夜来风雨声花落知多少山中",
        *"，。\n",
    ]
    words = ["<|unknown|>", *signs, "明月", "故乡", "少。", "春风"]
    core = Tokenizer(
        models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<|unknown|>")
    )
    core.decoder = decoders.Fuse()
    from tokenizers import Regex, pre_tokenizers

    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<|unknown|>", eos_token="<|end|>", bos_token="<|end|>"
    )
    import torch

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=256, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return LanguageModel(LlamaForCausalLM(config).eval(), tokenizer, Origin("characters"))
