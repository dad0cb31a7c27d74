"""The rate rises, then decays as it says, to its floor."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.training.schedules import SCHEDULES, factor


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", [1, 1, 1]),
        ("linear", [1, 0.55, 0.1]),
        ("cosine", [1, 0.55, 0.1]),
        ("exponential", [1, 0.1**0.5, 0.1]),
    ],
)
def test_by_hand(schedule, wanted):
    found = [factor(schedule, step, 10, 0, 0.1) for step in (0, 5, 10)]
    assert found == pytest.approx(wanted)


def test_warm_up_multiplies_by_hand():
    assert [factor("constant", step, 10, 4, 0.1) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    assert factor("linear", 1, 10, 4, 0.0) == pytest.approx(0.5 * 0.9)


def test_cosine_is_above_the_line_first_and_below_it_later():
    assert factor("cosine", 2, 10, 0, 0) > factor("linear", 2, 10, 0, 0)
    assert factor("cosine", 8, 10, 0, 0) < factor("linear", 8, 10, 0, 0)


@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 1000),
    st.integers(0, 1000),
    st.floats(0.001, 1),
)
def test_after_the_warm_up_it_never_rises_and_ends_at_its_floor(schedule, steps, warmup, floor):
    rates = [factor(schedule, step, steps, warmup, floor) for step in range(steps + 1)]
    assert all(0 < rate <= 1 for rate in rates)
    late = rates[warmup:]
    assert all(a >= b - 1e-12 for a, b in pairwise(late))
    if schedule != "constant" and warmup <= steps:
        assert rates[-1] == pytest.approx(floor)
