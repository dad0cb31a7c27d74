"""The sum tree against adding up all priorities, one after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.experience import sum_tree
from speaq.experience.sum_tree import SumTree

WHOLE = st.integers(0, 9)
"""Whole priorities: their sums are exact, so leaves are told apart exactly."""
ANY = st.floats(0, 1e6, allow_subnormal=False)
sized = settings(max_examples=60, deadline=None)


@pytest.fixture(params=[16, 2, 4], autouse=True)
def shape(request, monkeypatch):
    """Trees of two levels, and narrow ones of many."""
    if request.param != 16:
        monkeypatch.setattr(sum_tree, "WIDTH", request.param)
        monkeypatch.setattr(sum_tree, "TOP", 3)


def slow_find(priorities, place):
    """The first leaf whose end lies beyond `place`, else the last one that is not 0."""
    end, last = 0.0, None
    for leaf, priority in enumerate(priorities):
        end += priority
        if priority > 0:
            last = leaf
            if place < end:
                return leaf
    return last


def shuffled(values, seed):
    """A tree that came by `values` through appending, and updates in random order."""
    stream = np.random.default_rng(seed)
    tree = SumTree()
    for part in np.array_split(np.array(values, float), 3):
        tree.append(stream.random(len(part)))
    for _ in range(3):
        some = stream.integers(0, len(values), len(values))
        tree.update(some, stream.random(len(some)) * 1e3)
    order = stream.permutation(len(values))
    for part in np.array_split(order, 4):
        tree.update(part, np.array(values, float)[part])
    return tree


@given(st.lists(WHOLE, min_size=1, max_size=300).filter(any), st.integers(0, 99))
@sized
def test_every_place_is_found_exactly(values, seed):
    tree = shuffled(values, seed)
    total = sum(values)
    places = np.concatenate([np.arange(total), np.arange(total) + 0.5, [total, total + 7.0]])
    assert tree.find(places).tolist() == [slow_find(values, place) for place in places]
    assert tree.total == total
    assert tree.least == min(value for value in values if value)
    assert tree.priorities.tolist() == values
    assert len(tree) == len(values)


@given(st.lists(ANY, min_size=1, max_size=200).filter(any), st.integers(0, 99))
@sized
def test_any_priorities_are_found_to_the_last_bits(values, seed):
    tree = shuffled(values, seed)
    ends = np.cumsum(values)
    assert tree.total == pytest.approx(ends[-1], rel=1e-12)
    uniforms = np.append(np.random.default_rng(seed).random(50), [0.0, np.nextafter(1, 0)])
    places = uniforms * ends[-1]
    found = tree.find(places)
    slack = 1e-12 * ends[-1]
    assert (np.array(values)[found] > 0).all()
    assert (places <= ends[found] + slack).all()
    assert (places >= ends[found] - np.array(values)[found] - slack).all()


@given(st.lists(ANY, min_size=1, max_size=200), st.integers(0, 99))
@sized
def test_a_tree_does_not_remember_how_it_came_about(values, seed):
    one, other = shuffled(values, seed), shuffled(values, seed + 1)
    built = SumTree(values)
    places = np.random.default_rng(seed).random(64) * built.total
    for tree in (one, other):
        assert tree.total == built.total
        assert tree.least == built.least
        if built.total:
            assert tree.find(places).tolist() == built.find(places).tolist()


@given(st.lists(WHOLE, min_size=1, max_size=100).filter(any), st.integers(1, 40))
@sized
def test_strips_give_each_leaf_its_share_within_two(values, draws):
    uniforms = np.random.default_rng(draws).random(draws)
    found = SumTree(values).draw(uniforms)
    assert (np.diff(found) >= 0).all()
    counts = np.bincount(found, minlength=len(values))
    share = draws * np.array(values) / sum(values)
    # A leaf overlaps its share of strips; only the two at its ends are a matter of luck.
    assert (np.abs(counts - share) < 2).all()
    assert not counts[np.array(values) == 0].any()


def test_drawing_is_unbiased():
    """The mean over an even grid of uniforms is the integral, up to the grid."""
    values = np.array([3.0, 0.0, 1.0, 2.5, 0.5])
    grid = (np.arange(1000) + 0.5) / 1000
    tree = SumTree(values)
    counts = sum(np.bincount(tree.draw(np.full(3, uniform)), minlength=5) for uniform in grid)
    np.testing.assert_allclose(counts / 1000, 3 * values / values.sum(), atol=2e-3)


@given(
    st.lists(WHOLE, min_size=1, max_size=40),
    st.lists(st.lists(st.tuples(st.integers(0, 39), WHOLE), max_size=4), max_size=8),
)
@sized
def test_the_least_is_known_after_every_update(values, updates):
    tree, now = SumTree(values), list(values)
    for pairs in updates:
        assert tree.least == min([value for value in now if value], default=np.inf)
        for place, value in pairs:
            now[place % len(now)] = value
        places = np.array([place % len(now) for place, _ in pairs], np.int64)
        tree.update(places, [value for _, value in pairs])
    tree.append([0.0, 0.5])
    assert tree.least == 0.5
    assert tree.priorities.tolist() == [*now, 0.0, 0.5]


def test_of_equal_indices_the_last_counts():
    tree = SumTree([3.0, 1.0])
    assert tree.least == 1.0
    tree.update(np.array([0, 0, 0]), [5.0, 0.5, 2.0])
    assert tree.least == 1.0
    assert tree.priorities.tolist() == [2.0, 1.0]
    assert tree.total == 3.0
    assert tree.at(np.array([1, 0])).tolist() == [1.0, 2.0]


def test_empty_trees_and_empty_batches():
    tree = SumTree()
    assert (len(tree), tree.total, tree.least) == (0, 0.0, np.inf)
    with pytest.raises(ValueError, match="every priority is 0"):
        tree.find(np.zeros(1))
    with pytest.raises(ValueError, match="every priority is 0"):
        SumTree([0.0, 0.0]).draw(np.zeros(2))
    tree.append([])
    tree.append([2.0])
    nothing = np.array([], np.int64)
    tree.update(nothing, [])
    assert tree.draw(np.array([])).tolist() == []
    assert tree.at(nothing).tolist() == []
    assert tree.draw(np.array([0.3])).tolist() == [0]


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_priorities_that_are_none_are_refused_and_change_nothing(bad):
    tree = SumTree([1.0, 2.0])
    for attempt in (
        lambda: SumTree([1.0, bad]),
        lambda: tree.append([bad]),
        lambda: tree.update(np.array([0, 1]), [1.0, bad]),
    ):
        with pytest.raises(ValueError, match="finite numbers from 0"):
            attempt()
    assert tree.priorities.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("index", [-1, 2, 100])
def test_leaves_that_are_not_there_are_refused(index):
    tree = SumTree([1.0, 2.0])
    with pytest.raises(IndexError, match="leaves 0 to 1"):
        tree.update(np.array([index]), [1.0])
    with pytest.raises(IndexError, match="leaves 0 to 1"):
        tree.at(np.array([index]))
