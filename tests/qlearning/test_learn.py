"""`learn` as a user calls it."""

import copy

import pytest
import torch

from speaq.core.errors import DataError, SettingsError
from speaq.experience.episode import Episode, Turn
from speaq.models.head import HeadSettings
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

FEW = LoopSettings(steps=4, batch_size=4, checkpoint_every=2, log_every=1)


@pytest.fixture
def log():
    return [
        Episode(
            (Turn("observation", f"say {i % 9}"), Turn("action", "yes" if i % 2 else "no")),
            id=f"e{i}",
            time=0.0,
            reward=float(i % 2),
        )
        for i in range(18)
    ]


def weights(model):
    return [weight.clone() for weight in model.causal.parameters()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("algorithm", ["mc", "dae", "ilql"])
def test_values_on_a_frozen_trunk_leave_the_policy_alone(tiny, log, tmp_path, algorithm):
    before = weights(tiny)
    run = learn(tiny, log, algorithm, loop=FEW, folder=tmp_path / "run")
    assert same(before, weights(tiny)) and same(before, weights(run.model))
    assert tiny.head is None
    twins = 2 if algorithm == "ilql" else 1
    assert run.model.head.members == 6 * twins
    assert run.model.head.projection.any()
    assert run.model.facts["crossfit"]["heads_per_member"] == twins
    assert [row["step"] for row in run.metrics] == [1, 2, 3, 4]
    assert (run.folder / "plots" / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize("trunk", ["full", "lora"])
def test_cloning_moves_a_copy_of_the_policy(tiny, log, tmp_path, trunk):
    before = weights(tiny)
    run = learn(
        tiny, log, "bc", settings=LearnSettings(trunk=trunk), loop=FEW, folder=tmp_path / "run"
    )
    assert same(before, weights(tiny))
    assert not same(before, weights(run.model))
    assert run.model.head is None
    assert not any(weight.requires_grad for weight in run.model.causal.parameters())
    assert run.metrics[-1]["bc"] < run.metrics[0]["bc"]


def test_filtered_cloning_learns_from_the_best_only(tiny, log, tmp_path):
    run = learn(
        tiny,
        log,
        "filtered-bc",
        settings=LearnSettings(trunk="full"),
        options={"top": 0.5},
        loop=FEW,
        folder=tmp_path / "run",
    )
    assert run.model.origin.history[-1]["episodes"] == 9


def test_ilql_on_a_full_trunk_trains_policy_and_values(tiny, log, tmp_path):
    run = learn(
        tiny,
        log,
        "ilql",
        settings=LearnSettings(trunk="full"),
        loop=FEW,
        head=HeadSettings(kind="linear"),
        folder=tmp_path / "run",
    )
    assert not same(weights(tiny), weights(run.model))
    assert run.model.head.table.any()
    assert set(run.metrics[0]) == {"step", "loss", "q", "v", "cql", "awac"}


def test_the_same_call_is_the_same_model(tiny, log, tmp_path):
    runs = [
        learn(tiny, log, "ilql", loop=FEW, folder=tmp_path / name, seed=3) for name in ("a", "b")
    ]
    other = learn(tiny, log, "ilql", loop=FEW, folder=tmp_path / "c", seed=4)
    heads = [run.model.head.state_dict() for run in (*runs, other)]
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[0])
    assert any(not torch.equal(heads[0][name], heads[2][name]) for name in heads[0])


def test_a_folder_of_another_run_is_refused(tiny, log, tmp_path):
    learn(tiny, log, "mc", loop=FEW, folder=tmp_path / "run")
    with pytest.raises(SettingsError, match="other settings \\(seed\\)"):
        learn(tiny, log, "mc", loop=FEW, folder=tmp_path / "run", seed=1)


def test_unknown_and_contradictory_settings_fail_before_any_work(tiny, log, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(SettingsError, match="did you mean 'expectile'"):
        learn(tiny, log, "ilql", options={"expectil": 0.9}, folder=folder)
    with pytest.raises(SettingsError, match="trunk = lora or full"):
        learn(tiny, log, "bc", settings=LearnSettings(trunk="frozen"), folder=folder)
    with pytest.raises(SettingsError, match="'mc'"):
        learn(tiny, log, "mcc", folder=folder)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["discount", "expectile", "target_every", "target_rate"])
def test_ilql_refuses_settings_out_of_range(name):
    with pytest.raises(SettingsError, match=f"ilql setting {name} = -1"):
        ILQL(**{name: -1})


def test_an_empty_log_and_one_without_rewards_are_refused(tiny, log, tmp_path):
    with pytest.raises(DataError, match="no episodes"):
        learn(tiny, [], "mc", folder=tmp_path / "a")
    silent = copy.copy(log)
    silent[3] = Episode(log[3].turns, id="silent")
    with pytest.raises(DataError, match="episode silent has no reward"):
        learn(tiny, silent, "mc", loop=FEW, folder=tmp_path / "b")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "good"])
def test_a_reward_that_is_no_number_is_refused(tiny, log, tmp_path, bad):
    with pytest.raises(DataError, match="episode e0 is not a finite number"):
        learn(tiny, log, "mc", reward=lambda episode: bad, loop=FEW, folder=tmp_path / "run")
