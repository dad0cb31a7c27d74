import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import EvidenceError
from speaq.evaluation.intervals import Bootstrap, expanded, of_sums, student
from speaq.evaluation.off_policy import Terms


@pytest.mark.parametrize(
    ("z", "degrees", "table"),
    [
        (1.6449, 5, 2.015),
        (1.6449, 10, 1.812),
        (1.6449, 30, 1.697),
        (1.96, 5, 2.571),
        (1.96, 10, 2.228),
        (-1.96, 60, -2.000),
    ],
)
def test_student_is_the_table(z, degrees, table):
    assert student(z, degrees) == pytest.approx(table, rel=0.005)


@given(st.floats(0.005, 0.3), st.floats(0, 1e5))
def test_less_is_cut_off_the_fewer_groups_there_are(tail, degrees):
    assert expanded(tail, degrees) < tail
    assert expanded(tail, degrees) <= expanded(tail, degrees + 10)
    assert expanded(tail, 1e7) == pytest.approx(tail, rel=1e-4)


def test_of_five_groups_the_outermost_draws_are_taken():
    """t of 4 degrees at 95 % is 2.776; times √(5/4) it is the normal's 0.1 %."""
    assert expanded(0.025, 4) == pytest.approx(0.001, rel=0.1)


def test_sums_of_draws_give_one_estimate_each():
    """(draws, turns) sums -> (draws,) estimates, a turn without weight counting for nothing."""
    found = of_sums(np.array([[1.0, 1.0], [3.0, 0.0]]), np.array([[2.0, 4.0], [1.0, 0.0]]))
    np.testing.assert_allclose(found, [0.75, 3.0])


def test_groups_are_drawn_whole():
    """Each draw's estimate from its own counts, one group and one episode at a time."""
    groups = ["b", "a", "b", "c", "d", "e", "a"]
    stream = np.random.default_rng(0)
    terms = Terms(stream.normal(size=(7, 2)), stream.random((7, 2)) + 0.5)
    bootstrap = Bootstrap.over(groups, 20, 3)
    value, drawn = bootstrap.estimate(terms)
    assert value == pytest.approx((terms.above.sum(0) / terms.below.sum(0)).sum())
    assert (bootstrap.counts.sum(1) == 5).all()
    names = sorted(set(groups))
    for counts, found in zip(bootstrap.counts, drawn, strict=True):
        times = np.array([counts[names.index(group)] for group in groups])[:, None]
        expected = ((times * terms.above).sum(0) / (times * terms.below).sum(0)).sum()
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("side", [1, -1])
def test_the_further_of_two_bootstraps_is_taken_at_either_end(side):
    """By definition, one draw and one group at a time; skewed to this side and to that."""
    stream = np.random.default_rng(1)
    terms = Terms(side * stream.normal(size=(12, 2)) ** 3, stream.random((12, 2)) + 0.5)
    bootstrap = Bootstrap.over(list("abcdefabcdef"), 300, 3)
    above, below = (each[:6] + each[6:] for each in terms)

    def estimate(counts):
        """Value and standard error."""
        a, b = counts @ above, counts @ below
        moved = [sum((above[p] - a / b * below[p]) / b) for p in range(6)]
        return (a / b).sum(), sum(n * m * m for n, m in zip(counts, moved, strict=True)) ** 0.5

    value, error = estimate(np.ones(6))
    drawn = [estimate(counts) for counts in bootstrap.counts]
    plain = np.quantile([each for each, _ in drawn], [0.1, 0.9])
    near, far = np.quantile([(each - value) / own for each, own in drawn if own > 0], [0.1, 0.9])
    found = bootstrap.interval(terms, 0.1)
    assert found.value == pytest.approx(value)
    assert found.low == pytest.approx(min(plain[0], value - far * error))
    assert found.high == pytest.approx(max(plain[1], value - near * error))
    assert value - far * error != pytest.approx(plain[0], rel=0.01)


def test_what_does_not_vary_has_no_width():
    terms = Terms(np.full((10, 1), 0.1), np.ones((10, 1)))
    found = Bootstrap.over(list("abcdeabcde"), 50, 0).interval(terms, 0.05)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_a_difference_is_drawn_together():
    stream = np.random.default_rng(2)
    one, other = (Terms(stream.normal(size=(9, 2)), np.ones((9, 2))) for _ in range(2))
    bootstrap = Bootstrap.over(list("abcdefghi"), 40, 0)
    value, drawn = bootstrap.estimate(one.minus(other))
    assert value == pytest.approx(bootstrap.estimate(one)[0] - bootstrap.estimate(other)[0])
    apart = bootstrap.estimate(one)[1] - bootstrap.estimate(other)[1]
    np.testing.assert_allclose(drawn, apart)


def test_degrees_count_groups_by_their_weight():
    bootstrap = Bootstrap.over(list("aabbccddee"), 1, 0)
    assert bootstrap.degrees(np.ones(10)) == pytest.approx(4)
    alone = np.array([3.0, 1.0, *[0.0] * 8])
    assert bootstrap.degrees(alone) == pytest.approx(0)


def test_fewer_than_five_groups_allow_no_interval():
    with pytest.raises(EvidenceError, match="4 different prompts"):
        Bootstrap.over(list("abcdabcd"), 10, 0)
