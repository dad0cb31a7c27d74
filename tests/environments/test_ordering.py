"""Ordering: the closed-form optimum, the clerk's exact worth, and a log that can be learnt from."""

import math

import numpy as np
import pytest

from speaq.core.errors import SettingsError
from speaq.environments.ordering import Ordering


def test_the_best_order_is_the_critical_quantile():
    """(price - cost)/price = 0.8: at least 80 % of demands are met, one piece less meets fewer."""
    world = Ordering()
    best = world.profits.argmax(1)
    # P(demand ≤ middle + 1) = 0.9 and P(demand ≤ middle) = 0.7.
    assert best.tolist() == (world.middles + 1).tolist()


def test_the_clerk_earns_what_is_said():
    world = Ordering(seed=1)
    earned = [episode.actions[-1].reward for episode in world.log(4000)]
    assert np.mean(earned) == pytest.approx(world.quality, abs=4 * np.std(earned) / 4000**0.5)
    assert world.quality < world.optimum


def test_propensities_are_those_of_the_habit():
    world = Ordering()
    for episode in world.log(50):
        week_ago = int(episode.prompt.split()[1])
        reply = episode.actions[-1]
        chance = {-1: 0.2, 0: 0.6, 1: 0.2}[int(reply.text) - week_ago]
        assert reply.logprobs == (pytest.approx(math.log(chance)), 0.0)


def test_a_reward_is_the_day_s_profit():
    world = Ordering()
    world.reset(seed=3)
    _, earned, over, cut, facts = world.step("4")
    assert earned == 5 * min(4, facts["asked"]) - 4
    assert (over, cut) == (True, False)
    world.reset(seed=3)
    assert world.step("a lot")[1] == 0.0


def test_settings_without_a_profit_are_refused():
    with pytest.raises(SettingsError, match="cost"):
        Ordering(price=1, cost=2)
