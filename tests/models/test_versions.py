import json
import os
import shutil
import subprocess
import sys

import pytest

from speaq.core import files
from speaq.core.errors import (
    EvidenceError,
    ModelError,
    SettingsError,
    StorageError,
    UnsafeFileError,
)
from speaq.models.versions import STATE, Registry


def model_folder(path, beta=None, weights=b"weights"):
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    history = [] if beta is None else [{"step": "fold", "beta": beta}]
    (path / "speaq.json").write_text(json.dumps({"origin": {"history": history}}))
    return path


def report(best=1.0):
    reasons = {"reason_en": "only 3 replies", "reason_zh": "只有 3 条"}
    return {
        "best_beta": best,
        "rows": [
            {"beta": 0.0, "verdict": "base", **reasons},
            {"beta": 1.0, "verdict": "promote", **reasons},
            {"beta": 4.0, "verdict": "refuse", **reasons},
        ],
    }


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry")


@pytest.fixture
def folder(tmp_path):
    return model_folder(tmp_path / "model")


def test_a_new_registry_is_empty(registry):
    assert (registry.versions(), registry.live(), registry.history()) == ([], None, [])
    assert not registry.folder.exists()


def test_a_version_is_a_copy_of_its_own(registry, folder):
    version = registry.add(folder, report())
    copied = registry.path(version)
    assert copied.parent == registry.folder
    same = (copied / "model.safetensors").samefile(folder / "model.safetensors")
    assert same  # a link: weights are not stored twice
    (folder / "config.json").write_text("edited in place")
    shutil.rmtree(folder)
    assert (copied / "model.safetensors").read_bytes() == b"weights"
    assert (copied / "config.json").read_text() == "{}"
    assert registry.report(version) == report()
    assert registry.live() is None


def test_where_links_do_not_work_weights_are_copied(registry, folder, monkeypatch):
    def refuse(*paths):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert (registry.path(registry.add(folder)) / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("beta", "given", "why"),
    [
        (4.0, report(), "only 3 replies"),
        (None, report(best=0.0), "only 3 replies"),
        (7.0, report(), "nothing about beta = 7"),
        (1.0, None, "no gate"),
    ],
)
def test_promotion_obeys_the_gate(registry, tmp_path, beta, given, why):
    version = registry.add(model_folder(tmp_path / "m", beta), given)
    with pytest.raises(EvidenceError, match=why):
        registry.promote(version)
    assert registry.live() is None
    assert [event["event"] for event in registry.history()] == ["add"]


@pytest.mark.parametrize("beta", [1.0, None])
def test_what_the_gate_let_through_is_promoted(registry, tmp_path, beta):
    version = registry.add(model_folder(tmp_path / "m", beta), report())
    registry.promote(version, reason="monthly release")
    assert registry.live() == version
    last = registry.history()[-1]
    assert (last["event"], last["forced"], last["reason"]) == ("promote", False, "monthly release")


def test_force_is_recorded(registry, folder):
    version = registry.add(folder, None)
    registry.promote(version, forced=True, reason="first model")
    last = Registry(registry.folder).history()[-1]
    assert (last["version"], last["forced"], last["reason"]) == (version, True, "first model")
    assert last["time"] > 1.6e9


def test_going_back_goes_further_back_each_time(registry, folder):
    names = [registry.add(folder, report()) for _ in range(3)]
    for name in names:
        registry.promote(name)
    assert registry.back() == names[1]
    assert registry.back() == names[0]
    with pytest.raises(SettingsError, match="no earlier"):
        registry.back()
    assert registry.live() == names[0]
    registry.promote(names[2])
    assert registry.back() == names[0]
    assert [e["event"] for e in registry.history()].count("back") == 3


def test_unknown_versions_name_the_known_ones(registry, folder):
    registry.add(folder)
    for use in (registry.path, registry.promote, registry.report):
        with pytest.raises(SettingsError, match=r"'v9'.*v1"):
            use("v9")


def test_a_pickle_or_no_model_does_not_get_in(registry, folder, tmp_path):
    (folder / "optimizer.pt").write_bytes(b"")
    with pytest.raises(UnsafeFileError, match=r"optimizer\.pt"):
        registry.add(folder)
    with pytest.raises(ModelError, match="not a model folder"):
        registry.add(tmp_path / "nothing")
    assert registry.versions() == []


def test_a_refused_write_changes_nothing(registry, folder, monkeypatch):
    registry.promote(registry.add(folder, report()))
    before = (registry.folder / STATE).read_bytes()

    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_sync_file", full)
        for change in (lambda: registry.add(folder), lambda: registry.promote("v1")):
            with pytest.raises(StorageError):
                change()
    assert (registry.folder / STATE).read_bytes() == before
    assert registry.add(folder) == "v2"


CHANGES = """
import sys
from speaq.models.versions import Registry
registry = Registry(sys.argv[1])
while True:
    version = registry.add(sys.argv[2])
    registry.promote(version, forced=True)
    print(version, flush=True)
"""


@pytest.mark.parametrize("after", [1, 3, 4])
def test_killed_at_any_moment_it_keeps_what_it_said(registry, tmp_path, after):
    """The child is killed while it works on the next change; what it printed must be there."""
    folder = model_folder(tmp_path / "m", weights=bytes(1 << 20))
    command = [sys.executable, "-c", CHANGES, str(registry.folder), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        printed = [child.stdout.readline().strip() for _ in range(after)]
        child.kill()
    assert printed == [f"v{number + 1}" for number in range(after)]
    versions = registry.versions()
    assert versions[:after] == printed
    assert registry.live() in versions[after - 1 :]
    for version in versions:
        assert (registry.path(version) / "model.safetensors").stat().st_size == 1 << 20
    assert registry.add(folder) == f"v{len(versions) + 1}"  # the dead process holds no lock


def test_a_damaged_state_is_named(registry, folder):
    registry.add(folder)
    (registry.folder / STATE).write_text("{")
    for use in (registry.versions, lambda: registry.promote("v1"), registry.back):
        with pytest.raises(ModelError, match=r"registry\.json"):
            use()
