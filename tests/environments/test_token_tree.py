"""The tree's own arithmetic, against walking every path."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.environments.tabular import tabular_model
from speaq.environments.token_tree import TokenTree, soft_value

TREES = st.builds(
    TokenTree,
    vocabulary=st.integers(2, 3),
    depth=st.integers(1, 3),
    answers=st.integers(0, 1),
    answers_after=st.sampled_from([(), (1,), (1, 2)]),
    noise=st.sampled_from([0.0, 0.5]),
    final_only=st.booleans(),
    seed=st.integers(0, 99),
)
few = settings(max_examples=25, deadline=None)


def discounted(walk, discount):
    return sum(discount**k * reward for k, reward in enumerate(walk.rewards))


@few
@given(TREES, st.sampled_from([1.0, 0.5]))
def test_values_of_a_policy_are_the_mean_over_every_walk(tree, discount):
    walks = list(tree.every_walk(tree.policy))
    assert sum(chance for _, chance in walks) == pytest.approx(1)
    mean = sum(chance * discounted(walk, discount) for walk, chance in walks)
    assert tree.expected_return(tree.policy, discount) == pytest.approx(mean)
    for token in range(tree.vocabulary):
        there = [(discounted(w, discount), p) for w, p in walks if w.tokens[1] == token]
        expected = sum(p * z for z, p in there) / sum(p for _, p in there)
        assert tree.of_policy(tree.policy, discount)[0, token] == pytest.approx(expected)


@few
@given(TREES, st.sampled_from([1.0, 0.5]))
def test_nobody_earns_more_than_the_greedy_policy_of_the_optimum(tree, discount):
    best = tree.optimal(discount)
    greedy = np.where(tree.decisions[:, None], best == best.max(1, keepdims=True), 0.0)
    greedy /= greedy.sum(1, keepdims=True).clip(1)
    assert tree.expected_return(greedy, discount) == pytest.approx(best[0].max())
    assert (tree.of_policy(tree.policy, discount) <= best + 1e-9).all()


@few
@given(TREES)
def test_soft_values_lie_between_the_mean_and_the_best(tree):
    mean, best = tree.of_policy(tree.policy), tree.optimal()
    soft = tree.soft(tree.policy, 0.5)
    assert (mean - 1e-9 <= soft).all() and (soft <= best + 1e-9).all()
    np.testing.assert_allclose(tree.soft(tree.policy, 1e4), mean, atol=1e-2)
    np.testing.assert_allclose(tree.soft(tree.policy, 1e-3), best, atol=2e-2)


def test_soft_value_by_hand():
    half = np.array([0.5, 0.5])
    assert soft_value(half, np.array([0.0, 1.0]), 1.0) == pytest.approx(np.log((1 + np.e) / 2))


@few
@given(TREES)
def test_looking_ahead_goes_from_the_optimum_to_the_policy(tree):
    np.testing.assert_allclose(tree.ahead(tree.policy, 1, 0.9), tree.optimal(0.9))
    np.testing.assert_allclose(
        tree.ahead(tree.policy, tree.depth, 0.9), tree.of_policy(tree.policy, 0.9)
    )


def test_answers_come_between_actions_and_are_not_actions():
    tree = TokenTree(3, 3, answers=2, answers_after=(1,))
    for walk, _ in tree.every_walk(tree.uniform()):
        if walk.tokens[1] == tree.end:
            assert walk.actions == (1,) and len(walk.tokens) == 2
        else:
            assert walk.actions[:2] == (1, 3) and walk.tokens[2] in (0, 1)
        assert len(walk.rewards) == len(walk.actions)


@few
@given(TREES)
def test_a_log_in_proportion_has_no_sampling_error(tree):
    walks = tree.in_proportion(tree.uniform())
    mean = np.mean([sum(walk.rewards) for walk in walks])
    assert tree.expected_return(tree.uniform()) == pytest.approx(mean)


def test_a_drawn_log_has_the_stated_policy_and_propensities():
    tree = TokenTree(3, 2)
    log = tree.log(tree.policy, 4000, seed=1)
    assert log == tree.log(tree.policy, 4000, seed=1) != tree.log(tree.policy, 4000, seed=2)
    firsts = Counter(walk.tokens[1] for walk in log)
    for token in range(3):
        assert firsts[token] / 4000 == pytest.approx(tree.policy[0, token], abs=0.03)
    assert log[0].logprobs[0] == pytest.approx(np.log(tree.policy[0, log[0].tokens[1]]))


def test_a_policy_without_a_small_denominator_is_refused():
    tree = TokenTree(3, 3)
    odd = np.where(tree.decisions[:, None], np.array([0.1234, 0.3, 0.5766]), 0.0)
    with pytest.raises(ValueError, match="in proportion"):
        tree.in_proportion(odd)


def test_the_tabular_model_is_the_policy_and_tells_every_prefix_apart():
    tree = TokenTree(3, 3, answers=2, answers_after=(1,))
    model = tabular_model(tree, tree.policy)
    seen = {}
    for walk, chance in tree.every_walk(tree.policy):
        tokens = torch.tensor([walk.tokens])
        with torch.no_grad():
            hidden = model.hidden_states(tokens)[0]
            logprobs = torch.log_softmax(model.causal(input_ids=tokens).logits[0], -1)
        for place in range(len(walk.tokens)):
            prefix = walk.tokens[: place + 1]
            assert seen.setdefault(int(hidden[place].argmax()), prefix) == prefix
        spoken = [float(logprobs[place - 1, walk.tokens[place]]) for place in walk.actions]
        assert spoken == pytest.approx(list(walk.logprobs), abs=1e-5)
        assert chance == pytest.approx(np.exp(sum(spoken)) / 2 ** (len(walk.actions) > 1))
    assert len(seen) == tree.nodes


def test_with_a_head_it_passes_the_check_of_plain_logits():
    tree = TokenTree(3, 2)
    from speaq.models.head import HeadSettings

    model = tabular_model(tree, tree.policy).with_head(HeadSettings(kind="linear", value_width=0))
    assert model.require_head().members == 1


@pytest.mark.parametrize("wrong", [{"vocabulary": 1}, {"depth": 7}, {"answers": 4}, {"noise": -1}])
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        TokenTree(**wrong)
