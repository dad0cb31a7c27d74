"""Encoded episodes in a replay memory: what comes out is what went in."""

from dataclasses import fields, replace

import numpy as np
import pytest

from speaq.experience.replay_memory import ReplayMemory
from speaq.training.encoding import Encoded
from speaq.training.rows import encoded_of, row_of

PLAIN = Encoded(
    id="e1",
    group="好的 👍 \ud83d",
    tokens=np.array([5, 6, 7, 8]),
    actions=np.array([1, 3]),
    turn_ids=np.array([0, 1]),
    rewards=np.array([0.1, -2.0], np.float32),
    behaviour_logprobs=np.array([-0.5, np.nan], np.float32),
    truncated=True,
)


@pytest.mark.parametrize(
    "episode", [PLAIN, replace(PLAIN, id="", group="", truncated=False, tokens=PLAIN.tokens[:2])]
)
def test_every_field_survives_the_disk(tmp_path, episode):
    ReplayMemory(tmp_path).append([row_of(PLAIN), row_of(episode)])
    found = encoded_of(ReplayMemory(tmp_path).row(1))
    for each in fields(Encoded):
        one, other = getattr(found, each.name), getattr(episode, each.name)
        assert type(one) is type(other)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other
