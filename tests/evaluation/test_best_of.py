from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.evaluation.best_of import best_of, expected_best
from speaq.models.decoding import Decoding


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6), st.data())
def test_the_best_of_some_is_the_mean_over_all_choices(rewards, data):
    count = data.draw(st.integers(1, len(rewards)))
    slow = np.mean([max(chosen) for chosen in combinations(rewards, count)])
    assert expected_best(np.array([rewards]), count)[0] == pytest.approx(slow, abs=1e-9)


def test_more_choice_is_never_worse_and_its_divergence_is_the_known_bound(tiny):
    rows = best_of(
        tiny,
        ["one", "two", "three"],
        lambda episode: float(len(set(episode.reply))),
        counts=(1, 2, 4),
        decoding=Decoding(max_new_tokens=6),
    )
    assert rows[1].reward <= rows[2].reward <= rows[4].reward
    assert rows[1].reward < rows[4].reward
    assert rows[1].kl == 0 and rows[4].kl == pytest.approx(log(4) - 0.75)
    assert rows[4].replies == 12 and rows[4].low <= rows[4].reward <= rows[4].high


@pytest.mark.parametrize("counts", [(), (0, 2)])
def test_refuses_counts_it_cannot_draw(tiny, counts):
    with pytest.raises(SettingsError, match="counts"):
        best_of(tiny, ["one", "two"], lambda _: 0.0, counts=counts)
