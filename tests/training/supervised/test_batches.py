from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.training.supervised.batches import Buckets, Row, by_length, collate, padded_targets


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_a_pass_meets_every_row_once(lengths, size, seed):
    batches = -(-len(lengths) // size)
    replay = Buckets([lengths], seed, steps=3 * batches)
    for epoch in range(3):
        met = Counter(
            row
            for step in range(epoch * batches, (epoch + 1) * batches)
            for row in replay.draw(step, size).indices
        )
        assert met == Counter(range(len(lengths)))


def test_rows_of_a_batch_are_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 100, 640).tolist()
    replay = Buckets([lengths], 0, steps=20)
    spread = [np.ptp([lengths[row] for row in replay.draw(step, 32).indices]) for step in range(20)]
    assert max(spread) < 25
    means = [np.mean([lengths[row] for row in replay.draw(step, 32).indices]) for step in range(20)]
    # Not sorted over the pass.
    assert means != sorted(means)


def test_draws_depend_on_seed_and_step_alone():
    lengths = [[3, 1, 2] * 9, [5] * 8]
    first, again = Buckets(lengths, 4, steps=40), Buckets(lengths, 4, steps=40)
    forwards = [first.draw(step, 4).indices for step in range(40)]
    backwards = [again.draw(step, 4).indices for step in reversed(range(40))]
    assert forwards == backwards[::-1]
    assert forwards != [Buckets(lengths, 5, 40).draw(step, 4).indices for step in range(40)]


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.9), (2.0, 0.75), (1e9, 0.5)])
def test_tasks_are_drawn_by_temperature(temperature, share):
    replay = Buckets([[1] * 900, [1] * 100], 0, steps=4000, temperature=temperature)
    assert replay.shares[0] == pytest.approx(share, abs=1e-6)
    groups = []
    for step in range(4000):
        indices = replay.draw(step, 10).indices
        assert len({replay.group_of(index) for index in indices}) == 1
        groups.append(replay.group_of(indices[0]))
    assert np.mean(np.array(groups) == 0) == pytest.approx(share, abs=0.03)


def test_padding_stands_on_the_right_and_is_masked():
    rows = [
        Row(0, np.array([5, 6, 7]), np.array([0, 0, 1]), np.array([2, 1]), np.array([0, 2])),
        Row(1, np.array([8]), np.array([0]), np.array([3]), np.array([0])),
    ]
    batch = collate(rows, 99, torch.device("cpu"))
    assert batch.tokens.tolist() == [[5, 6, 7], [8, 99, 99]]
    assert batch.segments.tolist() == [[0, 0, 1], [0, 0, 0]]
    assert batch.mask.tolist() == [[True] * 3, [True, False, False]]
    assert batch.places.tolist() == [[0, 2], [0, 0]]
    assert batch.place_mask.tolist() == [[True, True], [True, False]]
    assert padded_targets(batch, -100).tolist() == [[2, 1], [3, -100]]


def test_reading_takes_every_row_once_longest_first():
    batches = by_length([1, 9, 4, 4, 2], 2)
    assert batches == [[1, 2], [3, 4], [0]]
