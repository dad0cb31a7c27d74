"""What goes wrong in pretraining is said in one sentence, and nothing good is lost."""

import pytest
import torch

from speaq.core.errors import DataError, DivergenceError, MemoryShortageError, SettingsError
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import ComputeSettings, PaceSettings
from speaq.training.pretraining.task import Pretraining


def test_a_loss_that_is_no_number_names_step_and_batch(tmp_path, text, recipe, monkeypatch):
    real, seen = Pretraining.loss, []

    def loss(self, indices, weights=None):
        seen.append(list(indices))
        found, figures = real(self, indices, weights)
        return found * (float("nan") if len(seen) == 7 else 1.0), figures

    monkeypatch.setattr(Pretraining, "loss", loss)
    with pytest.raises(DivergenceError, match=r"the loss is nan at step 7 \(batch: ") as found:
        pretrain([text], recipe(), folder=tmp_path / "run")
    assert ", ".join(map(str, seen[6])) in str(found.value)
    assert [each.name for each in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000004"]


def test_a_validation_loss_that_is_no_number_stops_too(tmp_path, text, recipe, monkeypatch):
    monkeypatch.setattr(Pretraining, "validate", lambda self: float("nan"))
    with pytest.raises(DivergenceError, match="validation loss is nan after step 4"):
        pretrain([text], recipe(), folder=tmp_path / "run")


def test_a_batch_that_does_not_fit_names_the_setting_that_halves_it(
    tmp_path, text, recipe, monkeypatch
):
    def loss(self, indices, weights=None):
        return torch.empty(1 << 60), {}

    monkeypatch.setattr(Pretraining, "loss", loss)
    compute = ComputeSettings(precision="float32", accumulate=2)
    with pytest.raises(MemoryShortageError, match="accumulate = 4 needs half of it"):
        pretrain([text], recipe(compute=compute), folder=tmp_path / "run")


def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path, text, recipe):
    compute = ComputeSettings(accumulate=3)
    with pytest.raises(SettingsError, match=r"batch_size = 4 cannot be shared out .* use 3"):
        pretrain([text], recipe(compute=compute), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_texts_and_settings_that_cannot_be_used(tmp_path, text, recipe):
    with pytest.raises(DataError, match="no such file"):
        pretrain([tmp_path / "absent.txt"], recipe(), folder=tmp_path / "run")
    short = tmp_path / "short.txt"
    short.write_text("too short")
    with pytest.raises(DataError, match="smaller context, or more text"):
        pretrain([short], recipe(), folder=tmp_path / "short")
    pretrain([text], recipe(), folder=tmp_path / "run")
    with pytest.raises(SettingsError, match=r"other settings \(seed\)"):
        pretrain([text], recipe(seed=1), folder=tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 0), ("schedule", "stairs"), ("floor", 2.0), ("patience", -1)]
)
def test_pace_out_of_range_is_refused(name, value):
    with pytest.raises(SettingsError, match=f"pace setting {name} = {value} must be"):
        PaceSettings(**{name: value})


def test_exponential_decay_cannot_end_at_nothing():
    with pytest.raises(SettingsError, match="exponential above 0"):
        PaceSettings(schedule="exponential", floor=0.0)
