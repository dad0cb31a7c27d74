"""Fine-tuning that is stopped, runs out of memory or numbers, or has learnt enough."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_tasks import LOOP, SHORT, learn, texts

from speaq.core.errors import DivergenceError, MemoryShortageError
from speaq.core.runs import RunFolder
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.hidden_states import compute
from speaq.training.supervised.learner import Learner, scores


def test_cached_states_give_the_scores_of_the_trunk(small, tmp_path):
    trunk = small()
    examples = [*texts("en", 2), Labelled("red " * 9, ("colour",))]
    made = learn(examples, tmp_path, settings=replace(SHORT, strategy="head"))
    skill = made.model.skills[""]
    rows, _ = skill.kind.rows(trunk, examples)
    states = compute(trunk, rows, tmp_path / "states.bin")
    cached = scores(trunk, skill.kind, skill.head, rows, states)
    np.testing.assert_allclose(
        cached, scores(trunk, skill.kind, skill.head, rows), rtol=1e-4, atol=1e-5
    )


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("strategy", ["full", "lora", "head"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(strategy, tmp_path, monkeypatch):
    settings = replace(SHORT, strategy=strategy, lora_rank=2, validations=3, dropout=0.3)
    loop = replace(LOOP, steps=30, checkpoint_every=7)
    whole = learn(texts("en"), tmp_path / "whole", loop=loop, settings=settings)
    plain = Learner.after_step

    def stop(self, step):
        if step == 18:
            raise StoppedError
        plain(self, step)

    monkeypatch.setattr(Learner, "after_step", stop)
    with pytest.raises(StoppedError):
        learn(texts("en"), tmp_path / "part", loop=loop, settings=settings)
    monkeypatch.setattr(Learner, "after_step", plain)
    part = learn(texts("en"), tmp_path / "part", loop=loop, settings=settings)
    for name in ("model.safetensors", "heads.safetensors"):
        one, other = load_file(whole.folder / name), load_file(part.folder / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    metrics = [
        list(RunFolder.reopen(tmp_path / each / "run").metrics()) for each in ("whole", "part")
    ]
    assert metrics[0] == metrics[1]


def test_the_best_weights_are_kept_and_training_ends_when_it_is_enough(tmp_path, monkeypatch):
    said = iter([(0.5, 1.0), (0.9, 2.0), (0.9, 1.5), (0.9, 1.9), (0.4, 0.1), (0.99, 0.0)])
    kept = []

    def validated(self, job):
        kept.append({name: w.detach().clone() for name, w in job.head.named_parameters()})
        return next(said)

    monkeypatch.setattr(Learner, "validated", validated)
    settings = replace(SHORT, patience=2, validations=8)
    made = learn(texts("en"), tmp_path, settings=settings)
    # Third: as good as the second at a lower loss; two in a row bring nothing, so six is not met.
    assert len(kept) == 5
    head = made.model.skills[""].head
    assert all(torch.equal(w.detach(), kept[2][name]) for name, w in head.named_parameters())


def test_a_loss_that_is_no_number_names_step_and_batch(tmp_path, monkeypatch):
    from speaq.training.supervised.classifying import Classifying

    plain, calls = Classifying.loss, []

    def broken(self, head, hidden, batch):
        calls.append(1)
        return plain(self, head, hidden, batch) * (float("nan") if len(calls) == 25 else 1.0)

    monkeypatch.setattr(Classifying, "loss", broken)
    with pytest.raises(DivergenceError, match=r"at step \d+ \(batch: \d+, .*lower the learning"):
        learn(texts("en"), tmp_path)
    kept = load_file(RunFolder.reopen(tmp_path / "run").checkpoints()[-1] / "state.safetensors")
    assert all(torch.isfinite(each).all() for name, each in kept.items() if "cost" not in name)


def test_out_of_memory_names_the_setting_that_halves_it(tmp_path, monkeypatch):
    def full(self, batch):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")

    monkeypatch.setattr("speaq.training.supervised.trunk.Trunk.hidden", full)
    with pytest.raises(MemoryShortageError, match="batch_size = 4") as caught:
        learn(texts("en"), tmp_path)
    assert "batch_size = 4" in caught.value.zh
