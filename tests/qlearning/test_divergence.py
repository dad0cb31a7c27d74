"""Values that no return could have stop the training before the numbers end."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from speaq.core.errors import DivergenceError
from speaq.experience.episode import Episode, Turn
from speaq.qlearning.divergence import MARGIN, largest_return, require_plausible
from speaq.qlearning.learn import learn
from speaq.training.loop import LoopSettings

RAGGED = st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=5), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RAGGED, st.floats(0, 1))
def test_the_largest_return_is_that_of_any_action(encoded, logs, discount):
    episodes = [encoded(range(len(r) + 1), range(1, len(r) + 1), r) for r in logs]
    slow = max(
        abs(sum(discount ** (j - k) * rewards[j] for j in range(k, len(rewards))))
        for rewards in logs
        for k in range(len(rewards))
    )
    assert largest_return(episodes, discount) == pytest.approx(slow, rel=1e-5, abs=1e-6)


def test_what_was_cut_off_may_go_on(encoded):
    cut = encoded([0, 1, 2], [1, 2], [1.0, -2.0], truncated=True)
    assert largest_return([cut], 0.5) == pytest.approx(2.0 + 2.0 / 0.5)
    assert largest_return([cut], 1.0) == float("inf")
    nothing = encoded([0, 1], [1], [0.0], truncated=True)
    assert largest_return([nothing], 1.0) == 0.0


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"target_every": 1, "target_rate": 1.0, "cql": 0.0}, "target_every = 1"),
        ({"target_every": 5, "target_rate": 0.1, "cql": 0.0}, "cql = 0"),
        ({"target_every": 5, "target_rate": 0.1, "cql": 0.1}, "head_lr"),
        ({}, "head_lr"),
    ],
)
def test_the_likely_setting_is_named(options, setting):
    with pytest.raises(DivergenceError, match=setting) as refused:
        require_plausible(MARGIN * 3 + 1, 3.0, options)
    assert setting in refused.value.zh
    require_plausible(MARGIN * 3, 3.0, options)
    require_plausible(1e30, 0.0, options)  # nothing was ever earned: nothing to compare with
    require_plausible(1e30, float("inf"), options)


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


def test_diverging_values_stop_and_leave_the_last_good_state(tiny, tmp_path):
    """A rate so high that values leap while they are still finite."""
    loop = LoopSettings(steps=20, batch_size=18, checkpoint_every=1, value_lr=0.01)
    good = learn(tiny, log(), "ilql", loop=loop, folder=tmp_path / "good")
    assert (tmp_path / "good" / "checkpoints" / "step-00000020").is_dir()

    wild = LoopSettings(steps=20, batch_size=18, checkpoint_every=1, value_lr=3.0, warmup=20)
    with pytest.raises(DivergenceError, match="head_lr or value_lr"):
        learn(tiny, log(), "ilql", loop=wild, folder=tmp_path / "run")
    kept = sorted((tmp_path / "run" / "checkpoints").iterdir())
    assert len(kept) == 1 and kept[0].name < "step-00000020"
    saved = load_file(kept[0] / "state.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in saved.values())
    assert good.metrics[-1]["step"] == 20


def test_a_policy_or_a_head_in_other_units_is_not_judged(tiny, tmp_path):
    loop = LoopSettings(steps=4, batch_size=18, checkpoint_every=1, value_lr=3.0)
    learn(tiny, log(), "dae", loop=loop, folder=tmp_path / "run")
    assert (tmp_path / "run" / "checkpoints" / "step-00000004").is_dir()
