"""A run's folder takes nothing that is somebody else's."""

import pytest

from speaq.core.errors import SettingsError
from speaq.core.runs import RunFolder


def test_a_settings_file_that_no_run_wrote_stays_as_it_is(tmp_path):
    own = tmp_path / "settings.yaml"
    own.write_text("- mine\n")
    with pytest.raises(SettingsError, match="was not written by a run"):
        RunFolder(tmp_path, {"lr": 1})
    assert own.read_text() == "- mine\n"
    assert [each.name for each in tmp_path.iterdir()] == ["settings.yaml"]


def test_a_run_that_left_nothing_gives_way_and_one_that_did_refuses_other_settings(tmp_path):
    RunFolder(tmp_path, {"lr": 1})
    run = RunFolder(tmp_path, {"lr": 2})
    run.log(1, {"loss": 0.5})
    with pytest.raises(SettingsError, match="other settings \\(lr\\)"):
        RunFolder(tmp_path, {"lr": 3})
    assert list(RunFolder(tmp_path, {"lr": 2}).metrics()) == [{"step": 1, "loss": 0.5}]
