"""Stopped anywhere and continued, pretraining ends with the bits of a run that never stopped."""

from dataclasses import replace

import pytest
import torch
from pretraining_runs import PACE, StoppedError, bits, metrics
from safetensors.torch import load_file

from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import ComputeSettings, ObjectiveSettings
from speaq.training.pretraining.task import VALIDATION, Pretraining


@pytest.mark.parametrize("stops", [[1], [6], [9, 3], [12]])
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    tmp_path, text, recipe, monkeypatch, stop_in, stops, kind
):
    chosen = recipe(optimiser=OptimiserSettings(kind=kind, lr=5e-3))
    pretrain([text], chosen, folder=tmp_path / "whole")
    for stop in stops:
        with monkeypatch.context() as patch:
            stop_in(patch, stop)
            with pytest.raises(StoppedError):
                pretrain([text], chosen, folder=tmp_path / "cut")
    pretrain([text], chosen, folder=tmp_path / "cut")
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")


def test_early_stopping_resumes_to_the_same_end(tmp_path, text, recipe, monkeypatch, stop_in):
    """Two looks that are no better, found by a rate that makes everything worse."""
    hot = recipe(
        optimiser=OptimiserSettings(kind="sgd", lr=3.0, momentum=0.0),
        pace=replace(PACE, steps=400, validate_every=2, checkpoint_every=3, patience=2, warmup=40),
    )
    made = pretrain([text], hot, folder=tmp_path / "whole")
    rows = metrics(tmp_path / "whole")
    looks = [row[VALIDATION] for row in rows if VALIDATION in row]
    assert len(looks) < 200
    assert looks.index(min(looks)) == len(looks) - 3
    assert made.validation_loss == min(looks)
    with monkeypatch.context() as patch:
        stop_in(patch, 2 * len(looks))
        with pytest.raises(StoppedError):
            pretrain([text], hot, folder=tmp_path / "cut")
    pretrain([text], hot, folder=tmp_path / "cut")
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")
    kept = load_file(tmp_path / "cut" / "best" / "weights.safetensors")
    saved = load_file(made.model / "model.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in saved.items())


def test_the_best_weights_are_kept_not_the_last(tmp_path, text, recipe, monkeypatch, stop_in):
    looks = iter([3.0, 1.0, 2.0])
    weights = []

    def validate(self):
        weights.append(self.model.lm_head.weight.detach().clone())
        return next(looks)

    monkeypatch.setattr(Pretraining, "validate", validate)
    made = pretrain([text], recipe(), folder=tmp_path / "run")
    saved = load_file(made.model / "model.safetensors")["lm_head.weight"]
    assert torch.equal(saved, weights[1]) and not torch.equal(saved, weights[2])
    assert made.validation_loss == 1.0


def test_auto_keeps_the_precision_a_run_began_with(tmp_path, text, recipe, monkeypatch, stop_in):
    chosen = recipe(compute=ComputeSettings())
    with monkeypatch.context() as patch:
        stop_in(patch, 6)
        with pytest.raises(StoppedError):
            pretrain([text], chosen, folder=tmp_path / "run")
    door = "speaq.training.pretraining.pretrain.batch_dtype"
    monkeypatch.setattr(door, lambda: torch.bfloat16)
    made = pretrain([text], chosen, folder=tmp_path / "run")
    same = recipe(compute=ComputeSettings(precision="float32"))
    assert made.validation_loss == pretrain([text], same, folder=tmp_path / "f").validation_loss


def test_nothing_held_out_keeps_the_last_weights(tmp_path, text, recipe):
    chosen = recipe(objective=ObjectiveSettings(context=16, holdout=0.0))
    made = pretrain([text], chosen, folder=tmp_path / "run")
    assert made.validation_loss is None
    [state] = (tmp_path / "run" / "checkpoints").glob("*/state.safetensors")
    last = load_file(state)["module.model.lm_head.weight"]
    assert torch.equal(last, load_file(made.model / "model.safetensors")["lm_head.weight"])
