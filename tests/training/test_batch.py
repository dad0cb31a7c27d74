"""Batches: padding, and passes over the log."""

from collections import Counter

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from speaq.training.batch import collate
from speaq.training.encoding import Encoded
from speaq.training.replay import batch_indices


def encoded(tokens, actions, rewards, truncated=False):
    return Encoded(
        id="e",
        group="g",
        tokens=np.array(tokens, np.int64),
        actions=np.array(actions, np.int64),
        turn_ids=np.arange(len(actions)),
        rewards=np.array(rewards, np.float32),
        behaviour_logprobs=np.full(len(actions), -1.5, np.float32),
        truncated=truncated,
    )


def test_collate_by_hand():
    rows = [
        encoded([5, 6, 7, 8], [1, 3], [1, 2]),
        encoded([9, 4], [1], [3], truncated=True),
        encoded([9, 3], [1], [4]),
    ]
    seen = torch.tensor([[True, False, True]])
    batch = collate(rows, 0.5, seen)
    assert batch.tokens.tolist() == [[5, 6, 7, 8], [9, 4, 0, 0], [9, 3, 0, 0]]
    assert batch.lengths.tolist() == [4, 2, 2]
    assert batch.states.tolist() == [[0, 2, 3], [0, 1, 0], [0, 1, 0]]
    assert batch.actions.tolist() == [[6, 8], [4, 0], [3, 0]]
    assert batch.action_mask.tolist() == [[True, True], [True, False], [True, False]]
    assert batch.rewards.tolist() == [[1, 2], [3, 0], [4, 0]]
    assert batch.discounts.tolist() == [[0.5, 0], [0.5, 0], [0, 0]]
    assert batch.truncated.tolist() == [False, True, False]
    assert batch.turn_ids.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert torch.isnan(batch.behaviour_logprobs[1:, 1]).all()
    assert batch.behaviour_logprobs[:, 0].tolist() == [-1.5] * 3
    assert batch.member_mask is seen


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 1000))
def test_collate_loses_and_invents_nothing(lengths, seed):
    stream = np.random.default_rng(seed)
    rows = []
    for count in lengths:
        places = np.sort(stream.choice(np.arange(1, count + 4), count, replace=False))
        tokens = stream.integers(1, 50, int(places[-1]) + 1)
        rows.append(encoded(tokens, places, stream.normal(size=count)))
    batch = collate(rows, 0.9, torch.ones(1, len(rows), dtype=torch.bool))
    for b, row in enumerate(rows):
        mask = batch.action_mask[b]
        assert int(mask.sum()) == lengths[b]
        assert batch.tokens[b, : batch.lengths[b]].tolist() == row.tokens.tolist()
        assert not batch.tokens[b, batch.lengths[b] :].any()
        assert batch.actions[b][mask].tolist() == row.action_tokens.tolist()
        assert batch.rewards[b][mask].tolist() == row.rewards.tolist()
        # The token after each state, but the last, is one the episode went on with.
        states = batch.states[b, : lengths[b]]
        assert batch.tokens[b, states + 1].tolist() == row.action_tokens.tolist()
        assert batch.states[b, lengths[b]] == row.actions[-1]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_each_pass_takes_each_episode_once(episodes, batch_size, seed):
    taken = [i for step in range(40) for i in batch_indices(seed, step, batch_size, episodes)]
    assert len(taken) == 40 * batch_size
    for start in range(0, len(taken) - episodes + 1, episodes):
        assert sorted(taken[start : start + episodes]) == list(range(episodes))
    spread = Counter(taken).values()
    assert max(spread) - min(spread) <= 1 or len(taken) < episodes


def test_passes_differ_in_order_and_by_seed():
    def one_pass(seed, number):
        return batch_indices(seed, number, 20, 20)

    assert one_pass(0, 0) != one_pass(0, 1)
    assert one_pass(0, 0) != one_pass(1, 0)
    assert one_pass(0, 1) == one_pass(0, 1)


def test_batches_move_together():
    batch = collate([encoded([5, 6], [1], [1])], 0.5, torch.ones(1, 1, dtype=torch.bool))
    moved = batch.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in moved.__slots__} == {"meta"}
