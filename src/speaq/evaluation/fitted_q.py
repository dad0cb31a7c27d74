"""Fitted Q evaluation (Le, Voloshin and Yue 2019): the values of a policy from a log of another.

Q(s, a) = φ(s, a)·θ is linear in given features, and each sweep regresses it on what one step and
the Q of the sweep before promise,

    Q(s_k, a_k) ← r_k + V(s_{k+1}),        V(s) = Σ_a π(a|s) Q(s, a) = (Σ_a π(a|s) φ(s, a))·θ,

so the policy enters through its mean features alone. One sweep for each decision of the longest
episode: then a reward has reached the first state. No episode is valued by numbers fitted to it.

Differences from the paper: ridge regression in place of a general class, which makes a sweep one
product of small matrices; a finite number of sweeps, so that nothing can diverge.
"""

import numpy as np
from numpy.typing import NDArray

from speaq.evaluation.off_policy import Floats


def fitted_q(
    taken: Floats,
    expected: Floats,
    rewards: Floats,
    mask: NDArray[np.bool_],
    folds: NDArray[np.int64],
    *,
    ridge: float = 1.0,
) -> tuple[Floats, Floats]:
    """Q of every action taken and V of every state, (N, K) each, 0 on padding.

    Args:
        taken: (N, K, F) features φ(s_k, a_k).
        expected: (N, K, F) their mean Σ_a π(a|s_k) φ(s_k, a) under the policy to be valued.
        rewards: (N, K).
        mask: (N, K) which decisions there are.
        folds: (N,) the fold of each episode, at least two of them; valued by the other folds.
        ridge: how many decisions' worth the belief weighs that every weight is 0.
    """
    rewards = np.where(mask, rewards, 0.0)
    taken, expected = (np.where(mask[..., None], each, 0.0) for each in (taken, expected))
    q, v = np.zeros_like(rewards), np.zeros_like(rewards)
    for fold in np.unique(folds):
        held = folds == fold
        theta = _regress(taken[~held], expected[~held], rewards[~held], mask[~held], ridge)
        q[held], v[held] = taken[held] @ theta, expected[held] @ theta
    return q, v


def _regress(
    taken: Floats, expected: Floats, rewards: Floats, mask: NDArray[np.bool_], ridge: float
) -> Floats:
    """θ (F,) after as many sweeps as there are decisions, K."""
    after = np.zeros_like(expected)
    after[:, :-1] = expected[:, 1:]
    now = taken[mask]  # (decisions, F)
    gram = now.T @ now
    # The prior weighs as so many decisions would, whatever the scale of a feature.
    prior = ridge * gram.diagonal() / max(1, len(now))
    solve = np.linalg.pinv(gram + np.diag(prior), hermitian=True)
    earned, ahead = solve @ (now.T @ rewards[mask]), solve @ (now.T @ after[mask])
    theta = np.zeros(len(gram))
    for _ in range(mask.shape[1]):
        theta = earned + ahead @ theta
    return theta
