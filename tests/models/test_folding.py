import json
import subprocess
import sys

import pytest
import torch

from speaq.core.errors import ModelError, SettingsError
from speaq.models.decoding import guide
from speaq.models.head import HeadSettings
from speaq.models.sources import load

STOCK = """
import json, sys
sys.modules["speaq"] = None  # an import of it now raises
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
torch.set_num_threads(1)
texts = []
for folder in sys.argv[2:]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(sys.argv[1], return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        made = model.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1]:].tolist()
    texts.append({"tokens": made, "peft": "peft" in sys.modules})
print(json.dumps(texts))
"""


def contexts(model, count=64, length=12):
    stream = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, length), generator=stream)


def gap(one, other):
    return (torch.log_softmax(one, -1) - torch.log_softmax(other, -1)).abs().max().item()


@pytest.mark.parametrize("source", ["new:tiny", "new:gpt2-tiny"])
@pytest.mark.parametrize("kind", ["tied", "linear", "low-rank"])
@torch.no_grad()
def test_folded_logits_are_the_guided_ones(source, kind, with_random_head):
    model = with_random_head(load(source), HeadSettings(kind, members=2), scale=0.3)
    tokens = contexts(model)
    hidden = model.hidden_states(tokens).flatten(0, 1)
    plain = model.output_layer(hidden)
    guided = guide(plain, model.require_head().advantages(hidden), 2.0)
    folded = model.fold(2.0).causal(input_ids=tokens).logits.flatten(0, 1)
    assert gap(folded, guided) < 1e-4
    assert gap(folded, plain) > 0.1  # the guidance is not a trifle


@torch.no_grad()
def test_folding_leaves_the_original_as_it_was(with_random_head):
    model = with_random_head(load("new:tiny"), HeadSettings(), scale=0.3)
    tokens = contexts(model)
    before = model.causal(input_ids=tokens).logits
    table = model.causal.get_input_embeddings().weight.clone()
    folded = model.fold(3.0)
    assert torch.equal(model.causal(input_ids=tokens).logits, before)
    assert model.causal.config.tie_word_embeddings is True
    assert model.output_table is model.causal.get_input_embeddings().weight
    # Untied right: the folded table is another, the input embeddings are still the old ones.
    assert torch.equal(folded.causal.get_input_embeddings().weight, table)
    assert folded.output_table.data_ptr() != table.data_ptr()
    assert folded.head is None
    assert model.head is not None


@torch.no_grad()
def test_beta_zero_folds_into_the_same_bits(with_random_head):
    model = with_random_head(load("new:tiny"), HeadSettings())
    tokens = contexts(model)
    assert torch.equal(
        model.fold(0.0).causal(input_ids=tokens).logits, model.causal(input_ids=tokens).logits
    )


def test_the_fold_is_written_into_the_history(with_random_head):
    step = with_random_head(load("new:tiny"), HeadSettings()).fold(1.5).origin.history[-1]
    assert (step["step"], step["beta"], step["head"]["kind"]) == ("fold", 1.5, "tied")


def test_folding_without_head_or_with_too_large_a_beta_is_refused(tiny, with_random_head):
    with pytest.raises(ModelError, match="value head"):
        tiny.fold(1.0)
    model = with_random_head(tiny, HeadSettings())
    for beta in (float("nan"), 1e39):
        with pytest.raises(SettingsError, match="beta"):
            model.fold(beta)


# peft reads an attribute that transformers has renamed.
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_stock_transformers_runs_folded_and_merged_folders(tmp_path, with_random_head):
    """Both architectures folded, and one with a LoRA on it; speaq cannot be imported there."""
    from peft import LoraConfig, get_peft_model

    prompt, folders, expected = "What now? 现在呢？", [], []
    for source in ("new:tiny", "new:gpt2-tiny"):
        model = with_random_head(load(source), HeadSettings(), scale=0.5).fold(2.0)
        folders.append(tmp_path / source[4:])
        expected.append(model)
    adapted = load("new:tiny?seed=1")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted.causal = get_peft_model(
            adapted.causal,
            LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False),
        )
    adapted.causal.eval()
    folders.append(tmp_path / "adapted")
    expected.append(adapted)
    for model, folder in zip(expected, folders, strict=True):
        model.save(folder)
    names = [name for name, _ in adapted.causal.named_parameters()]
    assert any("lora_A" in name for name in names)  # saving merged a copy

    command = [sys.executable, "-c", STOCK, prompt, *map(str, folders)]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for model, answer in zip(expected, found, strict=True):
        ids = torch.tensor([model.encode(prompt)])
        with torch.no_grad():
            made = model.causal.generate(input_ids=ids, max_new_tokens=24, do_sample=False)
        assert answer == {"tokens": made[0, ids.shape[1] :].tolist(), "peft": False}


@torch.no_grad()
def test_a_folded_folder_opens_again_with_the_same_logits(tmp_path, with_random_head):
    folded = with_random_head(load("new:tiny"), HeadSettings(), scale=0.5).fold(2.0)
    folded.save(tmp_path / "folded")
    config = json.loads((tmp_path / "folded" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False  # other engines go by it
    tokens = contexts(folded)
    again = load(tmp_path / "folded")
    assert torch.equal(
        again.causal(input_ids=tokens).logits, folded.causal(input_ids=tokens).logits
    )
    assert again.origin.history[-1]["beta"] == 2.0
    assert again.head is None
