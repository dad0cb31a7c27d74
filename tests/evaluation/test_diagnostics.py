"""The arithmetic of a diagnosis."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.evaluation.diagnostics import (
    accounts,
    binned,
    calibrate,
    effective_number,
    lag,
    returns_to_go,
)


def test_returns_and_accounts_by_hand():
    rewards = np.array([[1.0, 0.0, 4.0], [2.0, 0.0, 0.0]])
    assert returns_to_go(rewards, 0.5).tolist() == [[2.0, 2.0, 4.0], [2.0, 0.0, 0.0]]
    advantages = np.array([[1.0, 2.0, -4.0]])
    assert accounts(np.array([3.0]), advantages, 0.5).tolist() == [[4.0, 5.0, 4.0]]


@given(st.integers(0, 1000), st.floats(0.2, 3), st.floats(-2, 2))
def test_a_straight_line_is_found(seed, slope, shift):
    received = np.random.default_rng(seed).normal(size=50)
    found = calibrate((received - shift) / slope, received, range(50))
    assert found.slope == pytest.approx(slope)
    assert found.correlation == pytest.approx(1.0)
    error = (received - shift) / slope - received
    assert found.gap == pytest.approx(error.mean(), abs=1e-9)
    assert found.gap_error == pytest.approx(error.std() / math.sqrt(50))
    assert found.explained == pytest.approx(1 - (error**2).mean() / received.var())


def test_what_never_varies_has_no_slope():
    found = calibrate(np.ones(4), np.array([0.0, 1.0, 2.0, 3.0]), range(4))
    assert (found.slope, found.correlation, found.gap) == (0.0, 0.0, -0.5)
    found = calibrate(np.array([0.0, 1.0]), np.ones(2), range(2))
    assert (found.correlation, found.explained) == (0.0, 0.0)


def test_replies_to_one_prompt_count_once():
    predicted, received = np.array([1.0, 1.0, 0.0, 0.0]), np.zeros(4)
    apart = calibrate(predicted, received, ["a", "b", "c", "d"]).gap_error
    together = calibrate(predicted, received, ["a", "a", "b", "b"]).gap_error
    assert apart == pytest.approx(0.25) and together == pytest.approx(0.25 * math.sqrt(2))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 8))
def test_bins_hold_every_token_once_and_keep_equals_together(by, bins):
    values = np.array(by, float)
    found = binned(values, values * 2, values * 3, bins)
    assert sum(each.tokens for each in found) == len(by) and len(found) <= bins
    for one, other in pairwise(found):
        assert one.low <= one.high < other.low
    total = sum(each.tokens * each.predicted for each in found)
    assert total == pytest.approx(2 * values.sum())
    for each in found:
        inside = values[(values >= each.low) & (values <= each.high)]
        assert each.received == pytest.approx(3 * inside.mean())
        if len(inside) > 1:
            assert each.error == pytest.approx(3 * inside.std(ddof=1) / math.sqrt(len(inside)))


def test_effective_numbers():
    assert effective_number(np.array([5, 5, 0, 5])) == pytest.approx(3.0)
    assert effective_number(np.array([7])) == pytest.approx(1.0)
    assert 1 < effective_number(np.array([99, 1])) < 1.1


def test_lag_by_hand():
    found = lag(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    assert (found.distance, found.share) == (1.0, 1.0)
    assert lag(np.ones(3), np.zeros(3)).share == 0.0
