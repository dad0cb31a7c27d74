"""Cross-fitting: half of the members see an episode, the other half may judge it."""

from math import comb

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.qlearning.crossfit import CrossFit, plan

GROUPS = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=40)


@given(GROUPS, st.sampled_from([2, 4, 6, 8]), st.integers(0, 50))
def test_half_of_the_members_see_each_episode(groups, folds, seed):
    split = CrossFit(folds, seed)
    seen = split.seen(groups)
    assert seen.shape == (comb(folds, folds // 2), len(groups))
    assert (2 * seen.sum(0) == split.members).all()


@given(GROUPS, st.sampled_from([0, 2, 4]), st.integers(0, 50))
def test_a_prompt_is_never_split_and_never_depends_on_the_others(groups, folds, seed):
    split = CrossFit(folds, seed)
    seen = split.seen(groups)
    for place, group in enumerate(groups):
        assert torch.equal(seen[:, place], seen[:, groups.index(group)])
        assert torch.equal(seen[:, place], split.seen([group])[:, 0])


@given(GROUPS, st.sampled_from([0, 2, 4]), st.integers(1, 3))
def test_unseen_heads_are_the_complement(groups, folds, heads):
    split = CrossFit(folds, 0, heads_per_member=heads)
    seen, unseen = split.seen(groups), split.unseen_heads(groups)
    assert unseen.shape == (split.members * heads, len(groups))
    for head in range(len(unseen)):
        assert torch.equal(unseen[head], ~seen[head // heads])


def test_two_members_never_see_the_same_folds():
    groups = [f"prompt {i}" for i in range(200)]
    seen = CrossFit(4, 0).seen(groups)
    assert len({tuple(row.tolist()) for row in seen}) == 6
    # Opposite halves: what one member saw, its complement did not.
    assert torch.equal(seen[0], ~seen[5])


def test_another_seed_is_another_split():
    groups = [f"prompt {i}" for i in range(200)]
    assert not torch.equal(CrossFit(4, 0).seen(groups), CrossFit(4, 1).seen(groups))


def test_without_folds_everything_is_seen_and_nothing_may_be_judged():
    split = CrossFit(0)
    assert split.members == 1
    assert split.seen(["a", "b"]).all()
    assert not split.unseen_heads(["a", "b"]).any()


def test_few_prompts_are_split_by_episode():
    assert plan(["a"] * 30, 4, 0, 1).by == "episode"
    assert plan([str(i) for i in range(8)], 4, 0, 1).by == "prompt"


def test_a_split_returns_from_its_facts():
    split = CrossFit(4, 9, 2, "episode")
    assert CrossFit(**split.facts()) == split


@pytest.mark.parametrize("folds", [-2, 3, 10])
def test_folds_must_be_even_and_few(folds):
    with pytest.raises(SettingsError, match=f"folds = {folds}"):
        CrossFit(folds)
