"""A shop: what orders earn, what could be earned, and a log of a policy that is a day late."""

from itertools import product
from math import exp

import numpy as np
import pytest

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.environment import BringsLog, BringsModel
from speaq.environments.inventory import SHELF, Inventory
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes


def played(shop, order, seed=0):
    """What was heard and earned in one episode; `order` maps what was heard last to a number."""
    heard, facts = shop.reset(seed=seed)
    told, rewards, over = [heard], [], False
    while not over:
        heard, reward, over, cut, _ = shop.step(f"q{order(heard, len(rewards), facts['phase'])}")
        told.append(heard)
        rewards.append(reward)
        assert not cut
    return told, rewards


def test_a_day_by_hand():
    shop = Inventory(price=3, cost=1, holding=0.5)
    shop.reset(seed=1)
    demand = shop._demands[0]
    heard, reward, *_ = shop.step("q9")
    sold = min(9, demand)
    assert heard == f"d{demand} s{9 - sold}"
    assert reward == pytest.approx((3 * sold - 9 - 0.5 * (9 - sold)) / 10)


def test_what_is_said_changes_no_demand_and_nonsense_orders_nothing():
    shop = Inventory(seed=3)
    orders = played(shop, lambda heard, day, phase: 5, seed=7)[0]
    shop.reset(seed=7)
    heard, reward, *_ = shop.step("please")
    assert heard.split()[0] == orders[1].split()[0]
    assert heard.endswith("s0") and reward == 0.0


def test_the_shelf_has_an_end():
    shop = Inventory(days=4)
    shop.reset(seed=0)
    shop._demands = [0, 0, 0, 0]
    for _ in range(4):
        heard, *_ = shop.step("q9")
    assert heard == f"d0 s{SHELF}"


def test_the_optimum_is_that_of_trying_everything():
    shop = Inventory(season=2, days=2, seed=1)
    best = []
    for phase in range(2):
        first, second = (int(shop.levels[(phase + day) % 2]) for day in (0, 1))
        values = []
        for one in range(10):
            total = 0.0
            for luck in (-1, 0, 1):
                profit, left = shop._day(0, one, first + luck)
                after = [
                    np.mean([shop._day(left, two, second + more)[0] for more in (-1, 0, 1)])
                    for two in range(10)
                ]
                total += (profit + max(after)) / 3
            values.append(total)
        best.append(max(values))
    assert shop.optimum == pytest.approx(np.mean(best))


def test_no_simple_rule_earns_more_than_the_optimum():
    shop = Inventory(seed=2)
    rules = [lambda heard, day, phase, n=n: n for n in range(10)]
    rules.append(lambda heard, day, phase: shop.levels[(phase + day) % shop.season])
    earned = [np.mean([sum(played(shop, rule, s)[1]) for s in range(200)]) for rule in rules]
    assert max(earned) <= shop.optimum + 0.05
    assert np.argmax(earned) == len(rules) - 1  # who knows the season beats every constant


def test_the_seasons_words_repeat_with_their_phase():
    shop = Inventory(seed=4)
    heard, facts = shop.reset(seed=9)
    past = [int(word[1:]) for word in heard.split()[:-1]]
    usual = [shop.levels[(facts["phase"] + day) % shop.season] for day in range(shop.season)]
    assert max(abs(a - b) for a, b in zip(past, usual, strict=True)) <= 1


def test_the_log_has_the_propensities_of_its_policy():
    shop = Inventory(seed=0)
    log = shop.log(300)
    assert log == Inventory(seed=0).log(300)
    for episode, turn in product(log[:20], range(0, 12, 2)):
        *_, demand, stock = (int(w[1:]) for w in episode.turns[turn].text.split())
        order = int(episode.turns[turn + 1].text[1:])
        orders = [min(9, max(0, demand + shift - stock)) for shift in (-2, -1, 0, 1, 2, 3)]
        share = orders.count(order) / 6
        assert exp(episode.turns[turn + 1].logprobs[0]) == pytest.approx(share)
    assert np.mean([sum(feedback(each)) for each in log]) < shop.optimum


def test_the_environment_is_registered_and_its_log_encodes_for_its_model():
    shop = load("environments", "inventory")(days=2)
    assert isinstance(shop, BringsLog) and isinstance(shop, BringsModel)
    encoded = encode_episodes(shop.model(), shop.log(3), feedback)
    assert [len(each.actions) for each in encoded] == [4, 4, 4]


def test_step_before_reset_and_settings_that_cannot_be():
    with pytest.raises(RuntimeError, match="reset"):
        Inventory().step("q1")
    with pytest.raises(SettingsError, match="price"):
        Inventory(price=1.0, cost=2.0)
