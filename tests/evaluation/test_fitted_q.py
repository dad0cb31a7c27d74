import numpy as np
import pytest

from speaq.environments.token_tree import TokenTree
from speaq.evaluation.fitted_q import fitted_q

TREE = TokenTree(vocabulary=3, depth=3, answers=2, answers_after=(1,), seed=4)


def one_hot(tree, walks, candidate):
    """Features that hold any Q: one number for each node and token."""
    K = max(len(walk.actions) for walk in walks)
    F = tree.nodes * tree.vocabulary
    taken, expected = np.zeros((2, len(walks), K, F))
    rewards, mask = np.zeros((len(walks), K)), np.zeros((len(walks), K), bool)
    places = {}
    for i, walk in enumerate(walks):
        node, k = 0, 0
        for token in walk.tokens[1:]:
            if tree.decisions[node]:
                start = node * tree.vocabulary
                taken[i, k, start + token] = 1
                expected[i, k, start : start + tree.vocabulary] = candidate[node]
                rewards[i, k], mask[i, k] = walk.rewards[k], True
                places[i, k] = node, token
                k += 1
            node = tree.children[node, token]
    return taken, expected, rewards, mask, places


def test_with_features_for_everything_it_is_the_policy_s_own_q():
    candidate = TREE.policy
    assert not np.allclose(
        TREE.of_policy(candidate)[0], TREE.of_policy(TREE.uniform())[0], atol=0.02
    )
    walks = TREE.in_proportion(TREE.uniform())
    walks = [walk for walk in walks for _ in range(2)]  # so that both folds hold every walk
    taken, expected, rewards, mask, places = one_hot(TREE, walks, candidate)
    folds = np.arange(len(walks)) % 2
    q, v = fitted_q(taken, expected, rewards, mask, folds, ridge=1e-9)
    truth = TREE.of_policy(candidate)
    for (i, k), (node, token) in places.items():
        assert q[i, k] == pytest.approx(truth[node, token], abs=1e-6)
        assert v[i, k] == pytest.approx(candidate[node] @ truth[node], abs=1e-6)
    assert (q[~mask] == 0).all()
    assert (v[~mask] == 0).all()


def some(seed=0, episodes=12, K=3, F=2):
    stream = np.random.default_rng(seed)
    taken, expected = stream.normal(size=(2, episodes, K, F))
    mask = np.arange(K) < stream.integers(1, K + 1, episodes)[:, None]
    return taken, expected, stream.normal(size=(episodes, K)), mask, np.arange(episodes) % 3


def test_it_is_its_definition():
    """Sweeps of ridge regression on the other folds, one decision at a time."""
    taken, expected, rewards, mask, folds = some()
    q, v = fitted_q(taken, expected, rewards, mask, folds, ridge=0.5)
    for fold in range(3):
        learn = [(i, k) for i in range(12) for k in range(3) if mask[i, k] and folds[i] != fold]
        x = np.array([taken[i, k] for i, k in learn])
        prior = 0.5 * np.diag((x**2).mean(0))
        theta = np.zeros(2)
        for _ in range(3):
            y = [
                rewards[i, k]
                + (expected[i, k + 1] @ theta if k + 1 < 3 and mask[i, k + 1] else 0.0)
                for i, k in learn
            ]
            theta = np.linalg.solve(x.T @ x + prior, x.T @ np.array(y))
        for i in np.flatnonzero(folds == fold):
            for k in range(int(mask[i].sum())):
                assert q[i, k] == pytest.approx(taken[i, k] @ theta)
                assert v[i, k] == pytest.approx(expected[i, k] @ theta)


def test_no_episode_is_valued_by_its_own_rewards():
    taken, expected, rewards, mask, folds = some()
    before = fitted_q(taken, expected, rewards, mask, folds)
    rewards[folds == 1] += 100
    after = fitted_q(taken, expected, rewards, mask, folds)
    np.testing.assert_array_equal(before[0][folds == 1], after[0][folds == 1])
    assert not np.allclose(before[0][folds == 0], after[0][folds == 0])


def test_what_stands_on_padding_is_not_read():
    taken, expected, rewards, mask, folds = some()
    clean = fitted_q(taken, expected, rewards, mask, folds)
    for each in (taken, expected, rewards):
        each[~mask] = np.nan
    np.testing.assert_array_equal(clean, fitted_q(taken, expected, rewards, mask, folds))


def test_features_that_say_the_same_share_it():
    """A singular fit gives finite numbers: the same feature twice, and one that is always 0."""
    taken, expected, rewards, mask, folds = some(F=1)
    single = fitted_q(taken, expected, rewards, mask, folds, ridge=0.0)

    def twice(features):
        return np.concatenate([features, features, np.zeros_like(features)], -1)

    double = fitted_q(twice(taken), twice(expected), rewards, mask, folds, ridge=0.0)
    np.testing.assert_allclose(single, double, atol=1e-9)
