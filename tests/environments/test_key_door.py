"""The key is taken at first and paid at last, and what lies between is luck."""

import numpy as np
import pytest

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.environment import BringsLog, BringsModel
from speaq.environments.key_door import COLOURS, KeyDoor
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes


def played(environment, said, seed=0):
    """Observations and rewards of one episode; `said` maps an observation to a reply."""
    heard, facts = environment.reset(seed=seed)
    observations, rewards, over = [heard], [], False
    while not over:
        heard, reward, over, cut, _ = environment.step(said(heard, facts["door"]))
        observations.append(heard)
        rewards.append(reward)
        assert not cut
    return observations[:-1], rewards


def right(heard, door):
    return door if heard.endswith("key") else "walk" if heard == "hall" else "open"


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_the_right_key_opens_the_door_at_the_very_end(delay):
    environment = KeyDoor(delay=delay, noise=0.5)
    observations, rewards = played(environment, right)
    assert observations[1:] == ["hall"] * delay + ["door"]
    assert rewards[-1] == 1.0 and rewards[0] == 0.0
    assert all(abs(each) == 0.5 for each in rewards[1:-1])


@pytest.mark.parametrize("wrong", ["key", "open"])
def test_anything_else_earns_nothing_at_the_door(wrong):
    def said(heard, door):
        if heard.endswith("key") and wrong == "key":
            return next(colour for colour in COLOURS if colour != door)
        if heard == "door" and wrong == "open":
            return "wait"
        return right(heard, door)

    assert played(KeyDoor(), said)[1][-1] == 0.0


def test_luck_does_not_depend_on_what_is_said():
    one = played(KeyDoor(), right, seed=4)[1]
    other = played(KeyDoor(), lambda heard, door: "wait", seed=4)[1]
    assert one[1:-1] == other[1:-1]


def test_the_optimum_is_what_the_right_replies_earn_on_average():
    environment = KeyDoor(delay=3)
    earned = [sum(played(environment, right, seed)[1]) for seed in range(2000)]
    assert np.mean(earned) == pytest.approx(environment.optimum, abs=0.06)


def test_the_log_is_of_the_stated_quality_and_propensities():
    environment = KeyDoor(colours=3, delay=2, seed=5)
    log = environment.log(1500)
    last = [episode.actions[-1].reward for episode in log]
    assert environment.quality == pytest.approx(1 / 6)
    assert np.mean(last) == pytest.approx(environment.quality, abs=0.04)
    assert np.exp(log[0].actions[0].logprobs[0]) == pytest.approx(1 / 3)
    assert np.exp(log[0].actions[1].logprobs[0]) == pytest.approx(1 / 2)
    assert {each.actions[0].text for each in log} == set(COLOURS[:3])
    assert log[:10] == KeyDoor(colours=3, delay=2, seed=5).log(10)
    assert log[:10] != KeyDoor(colours=3, delay=2, seed=6).log(10)


def test_a_model_of_its_own_reads_the_log():
    environment = KeyDoor(delay=1)
    model = environment.model()
    [encoded] = encode_episodes(model, environment.log(1), feedback)
    assert len(encoded.actions) == 3 * 2  # three replies of a word and an end
    assert np.isfinite(encoded.behaviour_logprobs).all()
    assert isinstance(environment, BringsModel) and isinstance(environment, BringsLog)
    assert load("environments", "key-door") is KeyDoor


@pytest.mark.parametrize(
    ("wrong", "named"), [({"colours": 1}, "colours = 1"), ({"delay": -1}, "delay = -1")]
)
def test_wrong_settings_are_named(wrong, named):
    with pytest.raises(SettingsError, match=named):
        KeyDoor(**wrong)


def test_a_step_needs_a_beginning():
    with pytest.raises(RuntimeError, match="reset"):
        KeyDoor().step("red")
