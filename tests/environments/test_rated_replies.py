"""Rated replies: what the log says and leaves out, and a reward that sees through it."""

from dataclasses import replace

import numpy as np
import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.core.registry import load
from speaq.environments.rated_replies import RatedReplies, weighed
from speaq.training.encoding import encode_episodes


@pytest.fixture(scope="module")
def simulator():
    return RatedReplies(prompts=4, replies=3, positions=3, fading=1.5, seed=1)


@pytest.fixture(scope="module")
def log(simulator):
    return simulator.log(12_000)


def pair(episode):
    return int(episode.prompt[6:]), int(episode.reply[5:])


def test_thumbs_come_only_from_what_was_looked_at(simulator, log):
    for position in range(1, 4):
        shown = [each for each in log if each.tags["position"] == str(position)]
        rated = np.mean([bool(each.feedback) for each in shown])
        assert rated == pytest.approx(simulator.looked_at[position - 1], abs=0.03)
    assert simulator.looked_at == pytest.approx([1, 2**-1.5, 3**-1.5])


def test_thumbs_are_up_as_often_as_quality_and_mistakes_say(simulator, log):
    for place in np.ndindex(4, 3):
        thumbs = [each.feedback[0].value for each in log if each.feedback and pair(each) == place]
        expected = 0.1 + 0.8 * simulator.quality[place]
        assert np.mean(thumbs) == pytest.approx(expected, abs=0.09)


def test_thumbs_come_late(log):
    waits = [each.feedback[0].time - each.time for each in log if each.feedback]
    assert min(waits) > 0
    assert np.mean(waits) == pytest.approx(3600, rel=0.06)


def test_likelier_replies_stand_higher(simulator):
    for prompt in range(4):
        places = simulator.seen(prompt) @ np.arange(3)
        assert (places[np.argsort(-simulator.policy[prompt])] == np.sort(places)).all()


def test_weighed_rewards_are_unbiased_and_plain_ones_are_not(simulator, log):
    weighted = np.mean([weighed(each) for each in log])
    assert weighted == pytest.approx(simulator.value(simulator.policy), abs=0.03)
    silent = np.mean([any(e.value is True for e in each.feedback) for each in log])
    assert silent < simulator.value(simulator.policy) - 0.1


def test_any_policy_is_worth_what_its_replies_earn(simulator):
    policy = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], float)
    earned = []
    for seed in range(8000):
        _, facts = simulator.reset(seed=seed)
        earned.append(simulator.step(f"reply{policy[facts['prompt']].argmax()}")[1])
    assert np.mean(earned) == pytest.approx(simulator.value(policy), abs=0.04)
    assert simulator.optimum >= simulator.value(policy)


def test_propensities_are_the_policys(simulator, log):
    for each in log[:50]:
        assert np.exp(each.actions[0].logprobs[0]) == pytest.approx(simulator.policy[pair(each)])
    shown = np.zeros((4, 3))
    for each in log:
        shown[pair(each)] += 1
    np.testing.assert_allclose(shown / shown.sum(1, keepdims=True), simulator.policy, atol=0.04)


def test_the_same_seed_is_the_same_log(simulator, log):
    again = RatedReplies(prompts=4, replies=3, positions=3, fading=1.5, seed=1)
    assert again.log(5) == log[:5]


def test_a_log_without_looking_probabilities_is_refused(log):
    with pytest.raises(DataError, match="looked_at"):
        weighed(replace(log[0], tags={}))


def test_a_model_of_its_own_reads_the_log(simulator, log):
    [encoded] = encode_episodes(simulator.model(), log[:1], weighed)
    assert len(encoded.actions) == 2
    assert load("environments", "rated-replies") is RatedReplies
    with pytest.raises(SettingsError, match=r"mistaken = 0\.5"):
        RatedReplies(mistaken=0.5)
