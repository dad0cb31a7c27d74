"""Target networks: they lag, they follow on time, and a hard update makes them equal."""

import copy

import pytest
import torch

from speaq.core.runs import RunFolder
from speaq.models.head import HeadSettings
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.learner import Learner
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.targets import target_of, update
from speaq.training.loop import LoopSettings, train


@pytest.fixture
def learner(tiny, encoded):
    """`learner(algorithm, episodes)`: a frozen tiny model that learns from random rewards."""

    def build(algorithm, episodes=7, kind="linear"):
        model = copy.copy(tiny)
        model.causal = copy.deepcopy(tiny.causal).requires_grad_(False)
        model.with_head(HeadSettings(kind=kind, members=algorithm.heads_per_member))
        log = [
            encoded([9, i, i + 1], [1, 2], [0.0, float(i)], name=str(i)) for i in range(episodes)
        ]
        return Learner(model, algorithm, log, None, torch.ones(1, episodes, dtype=torch.bool))

    return build


def same(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_target_is_a_copy_that_shares_only_the_output_table(random_head):
    head = random_head("tied", 2)
    target = target_of(head)
    assert same(target, head)
    assert target.output_table is head.output_table
    with torch.no_grad():
        head.projection.add_(1)
    assert not same(target, head)


def test_polyak_by_hand(random_head):
    head, target = random_head("tied", 1), random_head("tied", 1, seed=1)
    expected = 0.75 * target.projection + 0.25 * head.projection
    update(target, head, 0.25)
    torch.testing.assert_close(target.projection, expected)
    update(target, head, 1.0)
    assert same(target, head)


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_targets_have_left_their_initial_values_after_some_steps(learner, tmp_path, rate):
    task = learner(ILQL(target_every=5, target_rate=rate))
    initial = copy.deepcopy(task.target)
    train(task, 7, LoopSettings(steps=12, batch_size=3), RunFolder(tmp_path, {}), seed=0)
    assert not same(task.target, initial)
    assert not same(task.target, task.head)  # steps 11 and 12 came after the last update


def test_targets_equal_the_online_heads_right_after_a_hard_update(learner, tmp_path):
    task = learner(ILQL(target_every=5, target_rate=1.0))
    train(task, 7, LoopSettings(steps=10, batch_size=3), RunFolder(tmp_path, {}), seed=0)
    assert task.head.table.any()
    assert same(task.target, task.head)


@pytest.mark.parametrize(("episodes", "batch_size"), [(7, 3), (3, 7), (1, 1), (6, 6), (100, 4)])
def test_updates_are_counted_in_steps_whatever_the_epoch_is(
    learner, tmp_path, monkeypatch, episodes, batch_size
):
    """trlx moved its targets once an epoch, and with some lengths of it never."""
    task = learner(ILQL(target_every=5), episodes)
    made = []
    monkeypatch.setattr("speaq.qlearning.learner.update", lambda *these: made.append(these))
    settings = LoopSettings(steps=23, batch_size=batch_size)
    train(task, episodes, settings, RunFolder(tmp_path, {}), seed=0)
    assert made == [(task.target, task.head, 0.1)] * 4


def test_algorithms_without_a_target_have_none(learner):
    task = learner(MonteCarlo())
    assert task.target is None
    assert "target" not in task.modules()
    task.after_step(1)


def test_targets_and_the_expectile_value_are_checkpointed(learner):
    names = set(learner(ILQL()).modules())
    assert names == {"head", "target", "expectile_value", "policy"}


def test_the_table_of_a_tied_target_follows_a_trained_policy(tiny, encoded, tmp_path):
    model = copy.copy(tiny)
    model.causal = copy.deepcopy(tiny.causal).requires_grad_(True)
    model.with_head(HeadSettings(kind="tied", members=2))
    log = [encoded([9, i, i + 1], [1, 2], [0.0, float(i)]) for i in range(4)]
    task = Learner(model, ILQL(), log, None, torch.ones(1, 4, dtype=torch.bool))
    train(task, 4, LoopSettings(steps=2, batch_size=4), RunFolder(tmp_path, {}), seed=0)
    assert torch.equal(task.target.output_table, model.output_table)
    assert not torch.equal(model.output_table, tiny.output_table)
