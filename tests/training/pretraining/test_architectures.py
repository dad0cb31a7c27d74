"""Which model is built: presets of every family, configurations, models with weights."""

import json

import pytest
import torch

from speaq.core.errors import ModelError, SettingsError
from speaq.training.pretraining.architectures import FAMILIES, architecture_of
from speaq.training.pretraining.vocabulary import tokenizer_of

KINDS = {"causal": "causal", "masked": "masked", "seq2seq": "span"}


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_of("chars", ["abc"], "masked")


def made(name, kind, tokenizer, context=32, dropout=0.0, seed=0):
    return architecture_of(name, kind, tokenizer, context=context, dropout=dropout, seed=seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_preset_has_the_vocabulary_and_the_context_asked_for(family, tokenizer):
    found = made(f"{family}-tiny", KINDS[FAMILIES[family]], tokenizer, dropout=0.25)
    model = found.build()
    assert model.get_output_embeddings().weight.shape == (len(tokenizer), 128)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert not model.training and model.dtype == torch.float32
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates <= {0.25}
    config = model.config
    assert (config.eos_token_id, config.pad_token_id) == (
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )


def test_the_same_seed_gives_the_same_weights_and_leaves_the_stream_alone(tokenizer):
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    models = [made("llama-tiny", "causal", tokenizer, seed=seed).build() for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(3), wanted)
    same, again, other = (model.model.embed_tokens.weight for model in models)
    assert torch.equal(same, again) and not torch.equal(same, other)


def test_a_configuration_of_any_architecture(tokenizer, tmp_path):
    file = tmp_path / "config.json"
    values = {"model_type": "opt", "hidden_size": 16, "ffn_dim": 32, "num_hidden_layers": 1}
    file.write_text(json.dumps({**values, "num_attention_heads": 2, "word_embed_proj_dim": 16}))
    model = made(str(file), "causal", tokenizer).build()
    assert type(model).__name__ == "OPTForCausalLM"
    assert model.get_output_embeddings().weight.shape == (len(tokenizer), 16)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a configuration that can be built"),
        ('{"hidden_size": 16}', "names no model_type"),
        ('{"model_type": "lama"}', "not a configuration that can be built"),
        (
            '{"model_type": "llama", "hidden_size": 10, "num_attention_heads": 3}',
            "not a configuration that can be built",
        ),
    ],
)
def test_bad_configurations_are_refused_by_name(tokenizer, tmp_path, content, message):
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(ModelError, match=f"config.json.*{message}"):
        made(str(file), "causal", tokenizer).build()


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("lama-tiny", "causal", "There is no model 'lama-tiny'.*llama, gpt2"),
        ("llama-huge", "causal", "There is no model 'llama-huge'"),
        ("bert-tiny", "causal", "bert-tiny cannot be trained by this objective; llama or gpt2 can"),
        ("llama-tiny", "span", "t5 or bart can"),
    ],
)
def test_names_that_do_not_fit_are_refused(tokenizer, name, kind, message):
    with pytest.raises(SettingsError, match=message):
        made(name, kind, tokenizer)


def test_more_context_than_positions_is_refused(tokenizer, tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "gpt2", "n_positions": 16}')
    with pytest.raises(SettingsError, match="context = 32 is more than the 16 positions"):
        made(str(file), "causal", tokenizer)


def test_an_encoder_decoder_is_refused_for_the_next_token(tokenizer, tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"model_type": "t5"}')
    with pytest.raises(SettingsError, match="cannot train"):
        made(str(file), "causal", tokenizer)
