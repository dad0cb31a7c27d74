"""Which weights each strategy lets change, in several architectures."""

import pytest
import torch
from small_tasks import model_folder
from transformers import AutoModel

from speaq.core.errors import SettingsError
from speaq.models.sources import load
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.strategy import layers_of, merged, prepared


def opened(kind, tmp_path):
    return AutoModel.from_pretrained(model_folder(kind, tmp_path / kind))


def changing(model):
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


KINDS = ("bert", "roberta", "distilbert", "gpt2", "llama")


@pytest.mark.parametrize("kind", KINDS)
def test_full_and_head(kind, tmp_path):
    model = opened(kind, tmp_path)
    names = {name for name, _ in model.named_parameters()}
    assert changing(prepared(model, FineTuneSettings(strategy="full"), 0)) == names
    assert changing(prepared(model, FineTuneSettings(strategy="head"), 0)) == set()


@pytest.mark.parametrize(
    ("kind", "layer", "after"),
    [
        ("bert", "encoder.layer.{}.", ()),
        ("distilbert", "transformer.layer.{}.", ()),
        ("gpt2", "h.{}.", ("ln_f.",)),
        ("llama", "layers.{}.", ("norm.",)),
    ],
)
def test_last_layers_and_what_follows_them(kind, layer, after, tmp_path):
    model = opened(kind, tmp_path)
    found = changing(prepared(model, FineTuneSettings(strategy="last", last_layers=2), 0))
    wanted = (layer.format(1), layer.format(2), *after)
    assert found == {name for name, _ in model.named_parameters() if name.startswith(wanted)}
    assert found


def test_both_halves_of_an_encoder_decoder_have_last_layers():
    model = load("new:bart-tiny").causal
    found = changing(prepared(model, FineTuneSettings(strategy="last", last_layers=1), 0))
    assert {name.split(".layers.")[0] for name in found if ".layers." in name} == {
        "model.encoder",
        "model.decoder",
    }
    assert {name.split(".layers.")[1][0] for name in found if ".layers." in name} == {"2"}
    assert not any("embed" in name or "shared" in name for name in found)
    assert len(layers_of(model)) == 2


def test_more_layers_than_there_are_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="last_layers = 4 but the model has 3"):
        prepared(opened("bert", tmp_path), FineTuneSettings(strategy="last", last_layers=4), 0)


def test_patterns_freeze_by_name_or_by_the_beginning_of_a_name(tmp_path):
    model = opened("bert", tmp_path)
    settings = FineTuneSettings(freeze=("embeddings", "*.layer.0.*"))
    found = changing(prepared(model, settings, 0))
    assert found == {
        name
        for name, _ in model.named_parameters()
        if not name.startswith(("embeddings.", "encoder.layer.0."))
    }
    with pytest.raises(SettingsError, match="no weight is named like 'embedings'"):
        prepared(model, FineTuneSettings(freeze=("embedings",)), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_merge_into_the_weights_they_stand_beside(kind, tmp_path):
    model = opened(kind, tmp_path).eval()
    tokens = torch.arange(6)[None]
    before = model(input_ids=tokens).last_hidden_state
    frozen = {
        name: weight.clone() for name, weight in model.named_parameters() if "layer.0" in name
    }
    freeze = ("*layer.0.*",) if frozen else ()
    wrapped = prepared(model, FineTuneSettings(strategy="lora", lora_rank=3, freeze=freeze), 0)
    trained = [name for name, weight in wrapped.named_parameters() if weight.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    assert not any("layer.0." in name for name in trained)
    torch.testing.assert_close(wrapped(input_ids=tokens).last_hidden_state, before)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    after = wrapped.eval()(input_ids=tokens).last_hidden_state
    assert not torch.allclose(after, before, atol=1e-3)
    plain = merged(wrapped)
    torch.testing.assert_close(
        plain(input_ids=tokens).last_hidden_state, after, rtol=1e-4, atol=1e-4
    )
    assert not any("lora" in name for name, _ in plain.named_parameters())
