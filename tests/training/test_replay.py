"""Replay: what is drawn how often, with what weight, and the same after an interruption."""

import copy
from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from speaq.core.errors import SettingsError
from speaq.core.runs import RunFolder
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import (
    Permutations,
    Prioritised,
    ReplaySettings,
    replay_of,
    require_errors,
)


def prioritised(errors, **more):
    """A replay that has learnt how wrong each episode is."""
    replay = Prioritised(len(errors), seed=0, **{"steps": 11, "floor": 1e-9, **more})
    replay.learned(range(len(errors)), torch.tensor(errors))
    return replay


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=8), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=15, deadline=None)
def test_frequencies_follow_the_errors(errors, exponent):
    replay = prioritised(errors, exponent=exponent)
    drawn = Counter()
    for step in range(100):
        drawn.update(replay.draw(step, 40).indices)
    shares = np.array(errors) ** exponent
    shares /= shares.sum()
    # Strips leave two draws a batch to luck; their mean over 100 batches is within 5 deviations.
    found = np.array([drawn[i] for i in range(len(errors))]) / 4000
    np.testing.assert_allclose(found, shares, atol=5 * np.sqrt(0.5 / 100) / 40)


def test_weights_by_hand():
    replay = prioritised([4.0, 1.0, 2.0], exponent=0.5, correction=0.5)
    draw = replay.draw(0, 50)
    by_index = dict(zip(draw.indices, draw.weights.tolist(), strict=True))
    # p^α = 2, 1, √2; (N P)^-½ relative to the largest, which is episode 1's.
    assert by_index == pytest.approx({0: 2**-0.5, 1: 1.0, 2: 2**-0.25}, abs=1e-6)
    by_index = dict(
        zip(*replay.draw(10, 50)[:1], replay.draw(10, 50).weights.tolist(), strict=True)
    )
    assert by_index == pytest.approx({0: 0.5, 1: 1.0, 2: 2**-0.5}, abs=1e-6)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0.1, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_weighted_mean_is_unbiased_at_the_last_step(errors, exponent):
    """Strips leave no luck but at an episode's two ends, so one wide batch is an enumeration."""
    replay = prioritised(errors, exponent=exponent)
    figures = np.random.default_rng(0).normal(size=len(errors))
    draw = replay.draw(10, 20_000)
    found = (figures[draw.indices] * draw.weights.double().numpy()).mean()
    shares = np.array(errors) ** exponent
    shares /= shares.sum()
    largest = 1 / (len(errors) * shares.min())
    assert found == pytest.approx(figures.mean() / largest, abs=2e-4 * len(errors))
    plain = figures[draw.indices].mean()
    assert plain == pytest.approx((figures * shares).sum(), abs=4e-4 * len(errors))


def test_the_correction_rises_in_a_straight_line_to_one():
    replay = prioritised([1.0], steps=5, correction=0.2)
    assert [replay.beta(step) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert prioritised([1.0], steps=1, correction=0.2).beta(0) == 1


def test_errors_reach_the_episodes_they_are_of():
    replay = Prioritised(4, seed=0, steps=3, exponent=1.0)
    replay.learned([3, 1], torch.tensor([7.0, 5.0]))
    priorities = replay.state()["priorities"].tolist()
    # Episodes not yet drawn share the largest priority.
    assert priorities == pytest.approx([7, 5, 7, 7], abs=1e-5)
    replay.learned([2, 0], torch.tensor([0.0, 9.0]))
    assert replay.state()["priorities"].tolist() == pytest.approx([9, 5, 1e-6, 7], abs=1e-5)


def test_every_episode_is_met_early_whatever_the_scale_of_the_errors():
    for scale in (1e-3, 1.0, 1e3):
        replay = Prioritised(60, seed=1, steps=100)
        seen = set()
        for step in range(40):
            drawn = replay.draw(step, 10).indices
            seen.update(drawn)
            replay.learned(drawn, torch.full((10,), scale))
        assert len(seen) == 60


def test_added_episodes_have_the_largest_priority():
    replay = prioritised([2.0, 8.0], exponent=1.0)
    replay.added([3, 2])
    assert replay.state()["priorities"].tolist() == pytest.approx([2, 8, 8, 8])
    replay.added([0])  # in the place of an older one
    replay.learned([1], torch.tensor([16.0]))
    assert replay.state()["priorities"].tolist() == pytest.approx([16, 16, 16, 16])
    replay.added([])
    assert len(replay.state()["priorities"]) == 4


def test_a_restored_replay_draws_what_the_old_one_would():
    one = Prioritised(50, seed=3, steps=20)
    for step in range(7):
        drawn = one.draw(step, 8).indices
        one.learned(drawn, torch.rand(8, generator=torch.Generator().manual_seed(step)))
    one.added([50, 51])
    other = Prioritised(50, seed=3, steps=20)
    other.restore({name: tensor.clone() for name, tensor in one.state().items()})
    for step in range(7, 20):
        ours, theirs = one.draw(step, 8), other.draw(step, 8)
        assert ours.indices == theirs.indices
        assert torch.equal(ours.weights, theirs.weights)
        errors = torch.rand(8, generator=torch.Generator().manual_seed(step))
        one.learned(ours.indices, errors)
        other.learned(theirs.indices, errors)


class Scale:
    """A task whose errors are its weight times the episodes' numbers; its loss is weighted."""

    def __init__(self, stop=0):
        self.place = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.place.weight)
        self.stop, self.calls, self.drawn = stop, 0, []

    def modules(self):
        return {"place": self.place}

    def parameters(self):
        return {"trunk": [], "head": list(self.place.parameters())}

    def loss(self, indices, weights=None):
        self.calls += 1
        if self.calls == self.stop:
            raise InterruptedError
        self.drawn.append(list(indices))
        errors = self.place.weight.reshape(()) * (torch.tensor(indices) + 1.0)
        loss = (errors**2 * (1 if weights is None else weights)).mean() / 100
        return loss, {"errors": errors.detach().abs()}

    def after_step(self, step):
        pass


LOOP = LoopSettings(steps=20, batch_size=6, checkpoint_every=4, log_every=5, head_lr=0.02)
CHOSEN = ReplaySettings(kind="prioritised", exponent=0.7)


def run_to_end(task, folder):
    run = RunFolder(folder, {})
    train(task, replay_of(CHOSEN, 30, LOOP.steps, 1), LOOP, run, seed=1)
    return (run.checkpoints()[-1] / "state.safetensors").read_bytes()


@pytest.mark.parametrize("stops", [[1], [7], [13, 2, 5], [20]])
def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path, stops):
    whole = Scale()
    bits = run_to_end(whole, tmp_path / "whole")
    for stop in stops:
        with pytest.raises(InterruptedError):
            run_to_end(Scale(stop), tmp_path / "cut")
    last = Scale()
    assert run_to_end(last, tmp_path / "cut") == bits
    assert last.drawn == whole.drawn[len(whole.drawn) - len(last.drawn) :]


def test_the_loop_tells_the_replay_of_the_errors_of_each_step(tmp_path):
    run_to_end(Scale(), tmp_path / "run")
    [last] = (tmp_path / "run" / "checkpoints").iterdir()
    saved = load_file(last / "state.safetensors")
    priorities, fresh = saved["replay.priorities"], saved["replay.fresh"]
    assert not fresh.all() and len(priorities) == 30
    # The larger an episode's number the larger its errors are; those never drawn stand highest.
    assert priorities[fresh].unique().tolist() in ([], [float(saved["replay.largest"])])
    seen = priorities[~fresh]
    assert len(seen.unique()) > 5
    task = Scale()
    run_to_end(task, tmp_path / "other")
    drawn = np.bincount([*chain(*task.drawn[5:])], minlength=30)
    assert drawn[15:].sum() > drawn[:15].sum()


def test_the_order_of_learning_counts(tmp_path):
    """Else the tests above could not see a replay that forgets."""
    forgetful = copy.deepcopy(replay_of(CHOSEN, 30, LOOP.steps, 1))
    forgetful.learned = lambda indices, errors: None
    task = Scale()
    train(task, forgetful, LOOP, RunFolder(tmp_path / "run", {}), seed=1)
    other = Scale()
    run_to_end(other, tmp_path / "other")
    assert task.drawn[0] == other.drawn[0] and task.drawn != other.drawn


def test_uniform_replay_is_passes_over_permutations():
    replay = replay_of(ReplaySettings(), 10, 5, seed=4)
    assert isinstance(replay, Permutations)
    taken = [*chain(*(replay.draw(step, 4).indices for step in range(5)))]
    assert sorted(taken[:10]) == sorted(taken[10:]) == list(range(10))
    assert replay.draw(0, 4).weights is None and replay.state() == {}


@pytest.mark.parametrize(
    "bad", [{"kind": "ranked"}, {"exponent": -0.1}, {"correction": 1.1}, {"floor": 0.0}]
)
def test_settings_out_of_range_are_refused(bad):
    [(name, value)] = bad.items()
    with pytest.raises(SettingsError, match=f"replay setting {name} = {value} must be"):
        ReplaySettings(**bad)


def test_algorithms_that_do_not_tell_errors_are_refused():
    with pytest.raises(SettingsError, match="which algorithm bc does not; use kind = uniform"):
        require_errors(CHOSEN, "bc", False)
    require_errors(CHOSEN, "dqn", True)
    require_errors(ReplaySettings(), "bc", False)
    with pytest.raises(SettingsError, match="which this algorithm does not"):
        replay_of(CHOSEN, 3, 5, seed=0).learned([0], None)
