from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import GAMMA, LENGTHS, SEEDS, log_mean_exp, over_places, places, scores, shapes
from trees import fit, learner_of, q_table, worst

from speaq.core.errors import SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.shiq import ShiQ

TREE = TokenTree(vocabulary=3, depth=3)


@shapes
@given(
    SEEDS,
    LENGTHS,
    st.integers(1, 2),
    st.sampled_from(["tied", "linear"]),
    st.sampled_from(["all", "first"]),
)
def test_loss_is_its_definition(ragged, random_head, view_of, seed, lengths, members, kind, starts):
    batch, hidden = ragged(seed, lengths, members)
    algorithm = ShiQ(discount=0.9, eta=0.5, starts=starts, ridge=0)
    head = random_head(kind, members)
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head))

    def term(m, b, k):
        count = int(batch.action_mask[b].sum())

        def value(j):
            advantages = scores(head, m, hidden[b, j])[1]
            return 0.5 * log_mean_exp(head.output_table, hidden[b, j], advantages, 2.0)

        total = 0.0
        for j in range(k, count):
            ratio = scores(head, m, hidden[b, j])[1][batch.actions[b, j]] - value(j)
            total += GAMMA ** (j - k) * (float(batch.rewards[b, j]) - ratio)
        if batch.truncated[b]:
            total += GAMMA ** (count - k) * value(count)
        return (total - value(k)) ** 2 / 2

    if starts == "all":
        expected = over_places(batch, members, term)
    else:
        firsts = [[term(m, b, k) for b, k in places(batch, m) if k == 0] for m in range(members)]
        expected = sum(sum(f) / len(f) if f else 0.0 for f in firsts) / members
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_the_advantage_alone_becomes_the_soft_optimum(discount):
    algorithm = ShiQ(discount=discount, eta=0.5, ridge=0)
    log = TREE.in_proportion(TREE.uniform())
    learner = fit(learner_of(TREE, TREE.policy, algorithm, log), steps=250)
    assert worst(TREE, q_table(TREE, learner.head), TREE.soft(TREE.policy, 0.5, discount)) < 1e-2
    assert all(not weight.any() for weight in learner.head.state_values.parameters())


def test_residuals_from_the_start_alone_fix_the_policy_but_not_the_values():
    log = TREE.in_proportion(TREE.uniform())
    learner = fit(learner_of(TREE, TREE.policy, ShiQ(eta=0.5, starts="first", ridge=0), log), 250)
    found, best = q_table(TREE, learner.head), TREE.soft(TREE.policy, 0.5)
    policies = [TREE.policy * np.exp(q / 0.5) for q in (found, best)]
    found_policy, best_policy = (p / p.sum(1, keepdims=True).clip(1e-300) for p in policies)
    assert worst(TREE, found_policy, best_policy) < 1e-2
    assert worst(TREE, found, best) > 0.1


def test_gradients_pass_through_the_whole_residual(ragged, random_head, view_of):
    """Also through the value of a state and the ratios after it; not into the reference."""
    batch, hidden = ragged(1, [3])
    batch = replace(batch, member_mask=torch.ones(1, 1, dtype=torch.bool))
    algorithm = ShiQ(starts="first", ridge=0)
    head = random_head("linear", 1)
    algorithm.loss(view_of(algorithm, batch, hidden, head))[0].backward()
    touched = head.table.grad[0].abs().sum(1) > 0
    assert bool(touched.all())  # every token is in some state's value
    assert head.output_table.grad is None


def test_refuses_settings_by_name():
    with pytest.raises(SettingsError, match="starts"):
        ShiQ(starts="last")
    with pytest.raises(SettingsError, match="eta"):
        ShiQ(eta=-1.0)
