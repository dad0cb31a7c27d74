import json
import resource

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import ModelError, SpeaqError, StorageError
from speaq.models.fingerprint import fingerprint
from speaq.models.folder import load_head, open_folder, save_head
from speaq.models.head import HeadSettings
from speaq.models.sources import load

GATE = {
    "level": 0.95,
    "episodes": 600,
    "data": "feedface",
    "rows": [
        {"beta": 0.0, "predicted": 0.05, "low": 0.04, "high": 0.06, "ess": 600.0, "kl": 0.0,
         "verdict": "base", "reason_en": "the base model", "reason_zh": "基础模型"},
        {"beta": 8.0, "predicted": 0.9, "low": float("nan"), "high": 1.5, "ess": 3.0, "kl": 9.0,
         "verdict": "refuse", "reason_en": "too little evidence", "reason_zh": "证据不足"},
    ],
}  # fmt: skip


@pytest.fixture
def headed(tiny, with_random_head):
    return with_random_head(tiny, HeadSettings("low-rank", members=2, combine="min", rank=3))


def test_a_saved_model_opens_with_the_same_bits_head_and_facts(headed, tmp_path):
    headed.facts = {"metrics": {"reward": 0.5}, "crossfit": {"folds": 4}}
    headed.save(tmp_path / "m")
    again = open_folder(tmp_path / "m")
    assert fingerprint(again.causal) == fingerprint(headed.causal)
    assert torch.equal(again.output_table, headed.output_table)
    assert again.origin == headed.origin
    assert again.facts == headed.facts
    assert again.require_head().settings == headed.require_head().settings
    for name, weight in headed.require_head().state_dict().items():
        assert torch.equal(again.require_head().state_dict()[name], weight)
    assert again.encode("Ende 完") == headed.encode("Ende 完")
    assert again.end_id == headed.end_id


def test_a_number_that_json_cannot_hold_becomes_null(headed, tmp_path):
    headed.facts = {"gate": GATE}
    headed.save(tmp_path / "m")
    record = json.loads((tmp_path / "m" / "speaq.json").read_text())
    assert record["facts"]["gate"]["rows"][1]["low"] is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_head_fits_its_trunk_in_any_precision(headed, tmp_path, dtype):
    headed.save(tmp_path / "m")
    save_head(headed, tmp_path / "head.safetensors")
    other = load(tmp_path / "m", dtype=dtype)
    other.head = None
    other.load_head(tmp_path / "head.safetensors")
    hidden = torch.randn(3, 128)
    torch.testing.assert_close(
        other.require_head().advantages(hidden), headed.require_head().advantages(hidden)
    )


def test_a_head_made_for_another_trunk_is_refused_and_both_are_named(headed, tmp_path):
    headed.save_head(tmp_path / "head.safetensors")
    for source in ("new:tiny?seed=9", "new:gpt2-tiny", "new:small"):
        other = load(source)
        with pytest.raises(ModelError) as caught:
            load_head(other, tmp_path / "head.safetensors")
        assert headed.name in caught.value.en
        assert other.name in caught.value.zh
        assert other.head is None


@torch.no_grad()
def test_a_small_step_of_training_makes_another_trunk(headed, tmp_path):
    headed.save_head(tmp_path / "head.safetensors")
    stepped = load("new:tiny")
    for weight in stepped.trunk.layers[3].mlp.parameters():
        weight.add_(1e-3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(ModelError, match="does not fit"):
        stepped.load_head(tmp_path / "head.safetensors")


def test_a_tied_head_does_not_fit_the_folded_model(tiny, with_random_head, tmp_path):
    """Its advantages are read through the output table, and folding has changed that."""
    model = with_random_head(tiny, HeadSettings("tied"))
    model.save_head(tmp_path / "head.safetensors")
    with pytest.raises(ModelError, match="does not fit"):
        model.fold(1.0).load_head(tmp_path / "head.safetensors")


@pytest.mark.parametrize("damage", ["empty", "text", "other", "short"])
def test_a_damaged_head_file_is_named(headed, tmp_path, damage):
    file = tmp_path / "head.safetensors"
    headed.save_head(file)
    if damage == "other":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, file)
    else:
        whole = file.read_bytes()
        file.write_bytes({"empty": b"", "text": b"hello", "short": whole[:-10]}[damage])
    with pytest.raises(ModelError, match=r"head\.safetensors"):
        load("new:tiny").load_head(file)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_a_file_that_was_cut_short_anywhere_is_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz") / "m"
    load("new:gpt2-tiny").save(folder)
    name = data.draw(st.sampled_from(["config.json", "speaq.json", "model.safetensors"]))
    content = (folder / name).read_bytes().rstrip(b"\n")
    (folder / name).write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(SpeaqError):
        open_folder(folder)


def test_weights_that_are_missing_are_not_made_up(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    tiny.save(tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.layers.2.mlp.up_proj.weight"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 .*layers\.2"):
        open_folder(tmp_path / "m")


def test_a_full_disk_leaves_the_old_folder_and_nothing_else(tiny, headed, tmp_path):
    """The limit on file size makes the kernel refuse the write, as a full disk does."""
    tiny.save(tmp_path / "m")
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, old[1]))
    try:
        with pytest.raises(StorageError, match="could not be written"):
            headed.save(tmp_path / "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before


def test_an_older_model_is_replaced_whole_and_other_things_are_not(headed, tiny, tmp_path):
    headed.save(tmp_path / "m")
    tiny.save(tmp_path / "m")
    assert not (tmp_path / "m" / "value_head.safetensors").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ModelError, match="not a model folder"):
        tiny.save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_what_is_no_model_folder_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            [
                "## Gate",
                "too little evidence",
                "## Limits",
                "feedface",
                "fold",
                "0.5",
                "[0.4, 0.6]",
            ],
        ),
        ("zh", ["## 闸门", "证据不足", "## 局限", "feedface", "fold"]),
    ],
)
def test_the_card_tells_the_facts(tiny, with_random_head, tmp_path, monkeypatch, language, words):
    monkeypatch.setenv("SPEAQ_LANG", language)
    model = with_random_head(tiny, HeadSettings("tied")).fold(2.0)
    model.facts = {
        "gate": GATE,
        "metrics": {"reward": {"value": 0.5, "low": 0.4, "high": 0.6}, "kl": 0.3},
        "privacy": {"epsilon": 3},
    }
    model.save(tmp_path / "m")
    text = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["base_model"] == "new:tiny"
    for word in [*words, "epsilon"]:
        assert word in body
    headless = model
    headless.facts = {}
    headless.save(tmp_path / "n")
    unjudged = (tmp_path / "n" / "README.md").read_text(encoding="utf-8")
    assert ("No gate has judged it" in unjudged) == (language == "en")
    assert "## Gate" not in unjudged
