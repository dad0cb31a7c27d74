"""Estimators against slow definitions, and exact on trees whose every episode is enumerated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from speaq.environments.token_tree import TokenTree
from speaq.evaluation.intervals import of_sums
from speaq.evaluation.off_policy import (
    direct,
    doubly_robust,
    effective_size,
    inverse_propensity,
    self_normalised,
    weights,
)

TREES = [
    TokenTree(vocabulary=3, depth=3, seed=1),
    TokenTree(vocabulary=4, depth=2, answers=2, answers_after=(1,), noise=0.5, seed=5),
]


def value(terms):
    return float(of_sums(terms.above.sum(0), terms.below.sum(0)))


def test_one_reply_stands_for_at_most_e_to_the_fourth():
    found = weights(np.array([[3.0, 3.0, -4.0], [-900.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, [[math.e**3, math.e**4, math.e**2], [0, 0, 0]])


def test_weights_need_not_be_clipped():
    assert weights(np.array([[3.0, 3.0]]), math.inf)[0, 1] == pytest.approx(math.e**6)


def test_effective_size_by_hand():
    assert effective_size(np.array([1.0, 1.0, 1.0])) == pytest.approx(3)
    assert effective_size(np.array([1.0, 2.0, 4.0, 1.0, 2.0])) == pytest.approx(100 / 26)
    assert effective_size(np.array([0.0, 7.0, 0.0])) == pytest.approx(1)
    assert effective_size(np.zeros(3)) == 0
    assert effective_size(np.array([1e-200, 1e-200])) == pytest.approx(2)


SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 4))
LOGS = SHAPES.flatmap(
    lambda shape: st.tuples(
        arrays(float, shape, elements=st.floats(-2, 2)),
        *(arrays(float, shape, elements=st.floats(-5, 5)) for _ in range(3)),
    )
)


@settings(max_examples=60, deadline=None)
@given(LOGS)
def test_every_estimator_is_its_definition(log):
    ratios, rewards, q, v = log
    N, J = ratios.shape
    w = [[math.exp(sum(ratios[i, : j + 1])) for j in range(J)] for i in range(N)]
    ips = snips = robust = normal = 0.0
    for j in range(J):
        total = sum(w[i][j] for i in range(N))
        ips += sum(w[i][j] * rewards[i, j] for i in range(N)) / N
        snips += sum(w[i][j] * rewards[i, j] for i in range(N)) / total
        gaps = [rewards[i, j] + (v[i, j + 1] if j + 1 < J else 0.0) - q[i, j] for i in range(N)]
        robust += sum(w[i][j] * gaps[i] for i in range(N)) / N
        normal += sum(w[i][j] * gaps[i] for i in range(N)) / total
    first = sum(v[i, 0] for i in range(N)) / N
    found = weights(ratios, math.inf)
    assert value(inverse_propensity(found, rewards)) == pytest.approx(ips, abs=1e-9)
    assert value(self_normalised(found, rewards)) == pytest.approx(snips, abs=1e-9)
    assert value(direct(v[:, 0])) == pytest.approx(first, abs=1e-9)
    assert value(doubly_robust(found, rewards, q, v)) == pytest.approx(first + robust, abs=1e-9)
    whole = doubly_robust(found, rewards, q, v, normalise=True)
    assert value(whole) == pytest.approx(first + normal, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(LOGS)
def test_jiang_and_li_s_recursion_gives_the_same(log):
    """V_DR(k) = v_k + ρ_k (r_k + V_DR(k+1) - q_k), from the last decision back."""
    ratios, rewards, q, v = log
    backed = np.zeros(len(ratios))
    for k in reversed(range(ratios.shape[1])):
        backed = v[:, k] + np.exp(ratios[:, k]) * (rewards[:, k] + backed - q[:, k])
    found = doubly_robust(weights(ratios, math.inf), rewards, q, v)
    assert value(found) == pytest.approx(backed.mean(), abs=1e-9)


def enumerated(tree, candidate, q_values, behaviour=None):
    """Every walk under the tree's policy: chances, ratios, rewards, q and v, padded with 0.

    `behaviour` is what the log claims to have been drawn from, if not the truth.
    """
    claimed = tree.policy if behaviour is None else behaviour
    walks = list(tree.every_walk(tree.policy))
    K = max(len(walk.actions) for walk, _ in walks)
    ratios, rewards, q, v = np.zeros((4, len(walks), K))
    state_values = (candidate * q_values).sum(1)
    for i, (walk, _) in enumerate(walks):
        node, k = 0, 0
        for token in walk.tokens[1:]:
            if tree.decisions[node]:
                ratios[i, k] = np.log(candidate[node, token] / claimed[node, token])
                rewards[i, k] = walk.rewards[k]
                q[i, k], v[i, k] = q_values[node, token], state_values[node]
                k += 1
            node = tree.children[node, token]
    return np.array([chance for _, chance in walks]), ratios, rewards, q, v


def another(tree, seed=0):
    """A policy that is neither the log's nor its best."""
    scores = np.random.default_rng(seed).normal(size=tree.policy.shape)
    shares = np.where(tree.decisions[:, None], tree.policy * np.exp(scores), 0.0)
    total = shares.sum(1, keepdims=True)
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)


def anything(tree):
    stream = np.random.default_rng(9)
    return np.where(tree.decisions[:, None], 5 * stream.normal(size=tree.policy.shape), 0.0)


def moments(terms, chances):
    """Mean and variance of the single-episode estimate; the columns of `below` are all 1."""
    assert (terms.below == 1).all()
    each = terms.above.sum(1)
    mean = chances @ each
    return float(mean), float(chances @ (each - mean) ** 2)


@pytest.mark.parametrize("tree", TREES, ids=["one turn", "answers and noise"])
def test_expectations_over_every_episode_are_the_truth(tree):
    """IPS and DR are unbiased, DR whatever its model; the model must only be consistent in v."""
    candidate = another(tree)
    truth = tree.expected_return(candidate)
    assert abs(truth - tree.expected_return(tree.policy)) > 0.1
    chances, ratios, rewards, q, v = enumerated(tree, candidate, anything(tree))
    w = weights(ratios, math.inf)
    assert moments(inverse_propensity(w, rewards), chances)[0] == pytest.approx(truth, abs=1e-9)
    assert moments(doubly_robust(w, rewards, q, v), chances)[0] == pytest.approx(truth, abs=1e-9)
    # Self-normalised ones are right as the log grows: both sums approach their expectations.
    for terms in (
        self_normalised(w, rewards),
        doubly_robust(w, rewards, q, v, normalise=True),
    ):
        assert of_sums(chances @ terms.above, chances @ terms.below) == pytest.approx(truth)


@pytest.mark.parametrize("tree", TREES, ids=["one turn", "answers and noise"])
def test_a_right_model_needs_no_right_propensities(tree):
    candidate = another(tree)
    truth = tree.expected_return(candidate)
    told = enumerated(tree, candidate, tree.of_policy(candidate), behaviour=another(tree, 6))
    chances, ratios, rewards, q, v = told
    w = weights(ratios, math.inf)
    assert moments(inverse_propensity(w, rewards), chances)[0] != pytest.approx(truth, abs=0.05)
    assert moments(doubly_robust(w, rewards, q, v), chances)[0] == pytest.approx(truth, abs=1e-9)
    assert chances @ direct(v[:, 0]).above[:, 0] == pytest.approx(truth)


def test_a_right_model_is_quiet_and_a_wrong_one_is_not():
    tree = TREES[0]  # nothing is left to luck but the log's own choices
    candidate = another(tree)
    spread = {}
    for name, q_values in (("right", tree.of_policy(candidate)), ("wrong", anything(tree))):
        chances, ratios, rewards, q, v = enumerated(tree, candidate, q_values)
        w = weights(ratios, math.inf)
        spread[name] = moments(doubly_robust(w, rewards, q, v), chances)[1]
        spread["none"] = moments(inverse_propensity(w, rewards), chances)[1]
    assert spread["right"] == pytest.approx(0, abs=1e-12)
    assert spread["none"] > 0.1
    assert spread["wrong"] > spread["none"]
