"""What every test shares: no network, one thread, quiet, English, and a tiny model."""

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
    SPEAQ_LANG="en",
    SPEAQ_PROGRESS="0",
    SPEAQ_THREADS="1",
    SPEAQ_BATCH_DTYPE="float32",
    SPEAQ_DEVICE="cpu",
    TOKENIZERS_PARALLELISM="false",
)

import copy
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from speaq.models.head import HeadSettings
    from speaq.models.language_model import LanguageModel

# How long an example takes says something of the machine only.
settings.register_profile("speaq", deadline=None)
settings.load_profile("speaq")

_LOCAL = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}


@pytest.fixture(autouse=True)
def network_attempts(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Refuses connections off this machine. A test that makes one fails, unless it asks for this
    fixture and looks at the attempts itself."""
    attempts: list[str] = []

    def refuse(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if name not in _LOCAL:
            attempts.append(name)
            raise ConnectionRefusedError(f"a test tried to reach {name}")

    def guarded(name: str) -> Callable[..., Any]:
        plain = vars(socket.socket).get(name) or vars(socket.socket.__base__)[name]

        def connect(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                refuse(address[0])
            return plain(self, address)

        return connect

    look_up = socket.getaddrinfo

    def guarded_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        refuse(host)
        return look_up(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded("connect_ex"))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield attempts
    if "network_attempts" not in request.node.function.__code__.co_varnames:
        assert attempts == []


@pytest.fixture(scope="session")
def tiny() -> "LanguageModel":
    """`new:tiny` in float32, without a head. Shared by all tests: do not change it."""
    import torch

    from speaq.models.sources import load

    torch.set_num_threads(1)
    return load("new:tiny")


@pytest.fixture
def with_random_head() -> "Callable[..., LanguageModel]":
    """`with_random_head(model, settings, seed=0, scale=0.1)`: the model with a non-zero head.

    The weights are shared with `model`, the model object is another one.
    """
    import torch

    def build(
        model: "LanguageModel", settings: "HeadSettings", seed: int = 0, scale: float = 0.1
    ) -> "LanguageModel":
        headed = copy.copy(model).with_head(settings)
        stream = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in headed.require_head().parameters():
                weight.copy_(scale * torch.randn(weight.shape, generator=stream))
        return headed

    return build


LETTERS = ["<pad>", "</s>", "<s>", "<xx>", *"abcdefgh"]
"""The vocabulary of `two_halves`."""


@pytest.fixture(scope="session")
def two_halves() -> "Callable[[str], LanguageModel]":
    """`two_halves(family)`: a tiny random encoder–decoder model over the letters a to h.

    Families: `t5` (tied, scaled), `t5-untied`, `marian` (a constant in the logits, padding
    banned), `bart`, `m2m` (two opening tokens). The halves differ in depth, sources end in `</s>`.
    """
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import (
        AutoModelForSeq2SeqLM,
        BartConfig,
        M2M100Config,
        MarianConfig,
        PreTrainedTokenizerFast,
        T5Config,
    )

    from speaq.models.fingerprint import fingerprint
    from speaq.models.language_model import LanguageModel, Origin

    torch.set_num_threads(1)
    core = Tokenizer(models.WordLevel({name: i for i, name in enumerate(LETTERS)}, "<s>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<s>"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, clean_up_tokenization_spaces=False, **tokens
    )
    shared: dict[str, Any] = {
        "vocab_size": len(LETTERS),
        "d_model": 32,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "decoder_start_token_id": 0,
    }
    t5 = {"num_layers": 2, "num_decoder_layers": 1, "num_heads": 4, "d_kv": 8, "d_ff": 64}
    halves = {
        **{f"{half}_layers": layers for half, layers in (("encoder", 1), ("decoder", 2))},
        **{f"{half}_attention_heads": 4 for half in ("encoder", "decoder")},
        **{f"{half}_ffn_dim": 64 for half in ("encoder", "decoder")},
        "max_position_embeddings": 32,
        "init_std": 0.3,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "forced_eos_token_id": None,
    }
    configs = {
        "t5": lambda: T5Config(**shared, **t5, dropout_rate=0.0),
        "t5-untied": lambda: T5Config(**shared, **t5, dropout_rate=0.0, tie_word_embeddings=False),
        "marian": lambda: MarianConfig(**shared, **halves),
        "bart": lambda: BartConfig(**shared, **halves),
        "m2m": lambda: M2M100Config(**{**shared, "decoder_start_token_id": 1}, **halves),
    }

    def build(family: str) -> LanguageModel:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            causal = AutoModelForSeq2SeqLM.from_config(configs[family]())
            if family == "marian":
                causal.final_logits_bias.normal_()
            if family == "t5-untied":
                causal.lm_head.weight = torch.nn.Parameter(torch.randn(len(LETTERS), 32) / 4)
        if family in ("marian", "m2m"):
            causal.generation_config.bad_words_ids = [[0]]
        if family == "m2m":
            causal.generation_config.forced_bos_token_id = 3
        causal.eval().requires_grad_(False)
        return LanguageModel(causal, tokenizer, Origin(f"new:{family}", fingerprint(causal)))

    return build
