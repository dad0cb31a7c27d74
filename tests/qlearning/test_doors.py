"""The value algorithms through the public door, on a language model with cached states."""

import math

import pytest
import torch

from speaq.experience.episode import Episode, Turn
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

FEW = LoopSettings(steps=3, batch_size=8, head_lr=1e-3, checkpoint_every=3, log_every=1)


@pytest.fixture
def log():
    return [
        Episode(
            turns=(Turn("observation", f"say {i % 6}"), Turn("action", "yes" if i % 2 else "no")),
            id=str(i),
            reward=float(i % 2),
        )
        for i in range(24)
    ]


@pytest.mark.parametrize("algorithm", ["dqn", "soft-q", "shiq", "qsft", "qsharp"])
def test_values_are_learnt_and_fold(tiny, log, tmp_path, algorithm):
    run = learn(tiny, log, algorithm, loop=FEW, folder=tmp_path / "run")
    losses = [row["loss"] for row in run.metrics]
    assert len(losses) == 3 and all(map(math.isfinite, losses))
    head = run.model.require_head()
    assert head.members == 6  # one for each half of four folds
    delta = head.output_delta().detach()
    assert float(delta.abs().max()) > 0
    folded = run.model.fold(1.0)
    torch.testing.assert_close(folded.output_table, tiny.output_table + delta)


def test_actor_critic_changes_the_policy_and_leaves_no_head(tiny, log, tmp_path):
    run = learn(
        tiny, log, "awac", settings=LearnSettings(trunk="full"), loop=FEW, folder=tmp_path / "run"
    )
    assert run.model.head is None
    assert not torch.equal(run.model.output_table, tiny.output_table)
    assert {"critic", "actor"} <= set(run.metrics[0])


@pytest.mark.parametrize("algorithm", ["dqn", "mc", "qsft"])
def test_values_on_a_trained_trunk_also_clone(tiny, log, tmp_path, algorithm):
    run = learn(
        tiny, log, algorithm, settings=LearnSettings(trunk="full"), loop=FEW, folder=tmp_path / "r"
    )
    assert "cloning" in run.metrics[0] and "ridge" not in run.metrics[0]
    assert run.metrics[-1]["cloning"] < run.metrics[0]["cloning"]
