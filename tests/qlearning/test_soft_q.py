from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import LENGTHS, SEEDS, ahead, another, log_mean_exp, over_places, scores, shapes
from trees import fit, learner_of, q_table, worst

from speaq.core.errors import SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.soft_q import SoftQ

TALKING = TokenTree(vocabulary=3, depth=3, answers=2, answers_after=(1,), noise=0.5)


@shapes
@given(
    SEEDS,
    LENGTHS,
    st.integers(1, 2),
    st.sampled_from(["tied", "linear"]),
    st.integers(0, 6),
    st.sampled_from([0.5, 2.0]),
)
def test_loss_is_its_definition(
    ragged, random_head, view_of, seed, lengths, members, kind, steps, eta
):
    batch, hidden = ragged(seed, lengths, members)
    algorithm = SoftQ(discount=0.9, steps=steps, eta=eta, ridge=0)
    head = random_head(kind, members)
    slow = another(head)
    view = replace(view_of(algorithm, batch, hidden, head), target=slow)
    loss, _ = algorithm.loss(view)

    def q_and_v(m, b, k):
        value, advantages = scores(slow, m, hidden[b, k])
        soft = eta * log_mean_exp(head.output_table, hidden[b, k], advantages, 1 / eta)
        return value + advantages[batch.actions[b, k]], value + soft

    def state_value(m, b, k):
        value, advantages = scores(slow, m, hidden[b, k])
        return value + eta * log_mean_exp(head.output_table, hidden[b, k], advantages, 1 / eta)

    def term(m, b, k):
        def received(j):
            spent = 0.0
            if j > k:
                q, v = q_and_v(m, b, j)
                spent = q - v
            return float(batch.rewards[b, j]) - spent

        value, advantages = scores(head, m, hidden[b, k])
        target = ahead(batch, b, k, steps, received, lambda j: state_value(m, b, j))
        return (value + advantages[batch.actions[b, k]] - target) ** 2 / 2

    assert float(loss.detach()) == pytest.approx(
        over_places(batch, members, term), rel=1e-3, abs=1e-4
    )


@pytest.mark.parametrize("steps", [1, 2, 0])
def test_reaches_the_soft_optimum_on_somebody_elses_log(steps):
    """The log is uniform, the reference is not, answers are random: no weights are needed."""
    algorithm = SoftQ(discount=0.9, eta=0.5, steps=steps, ridge=0, target_every=1, target_rate=1.0)
    log = TALKING.in_proportion(TALKING.uniform())
    learner = fit(learner_of(TALKING, TALKING.policy, algorithm, log), steps=250)
    expected = TALKING.soft(TALKING.policy, 0.5, 0.9)
    assert worst(TALKING, q_table(TALKING, learner.head), expected) < 1e-2


def test_guided_by_one_over_eta_the_policy_is_the_best_one():
    """π exp(A/η), normalised, earns most after its KL is paid for."""
    tree, eta = TokenTree(vocabulary=3, depth=2), 0.5
    algorithm = SoftQ(discount=1.0, eta=eta, ridge=0, target_every=1, target_rate=1.0)
    learner = fit(learner_of(tree, tree.policy, algorithm, tree.in_proportion(tree.uniform())))
    guided = tree.policy * np.exp(q_table(tree, learner.head) / eta)
    guided /= guided.sum(1, keepdims=True).clip(1e-300)

    def score(policy):
        """E[Σ r - η ln policy/reference], by walking every path."""
        total = 0.0
        for walk, chance in tree.every_walk(policy):
            there = next(p for w, p in tree.every_walk(tree.policy) if w.tokens == walk.tokens)
            total += chance * (sum(walk.rewards) - eta * np.log(chance / there))
        return total

    best = score(guided)
    stream = np.random.default_rng(0)
    for scale in (0.05, 0.3, 1.0):
        for _ in range(5):
            other = guided * np.exp(scale * stream.normal(size=guided.shape))
            other /= other.sum(1, keepdims=True).clip(1e-300)
            assert score(other) < best + 1e-6
    assert best > score(tree.policy) + 0.05


def test_gradients_stop_at_the_target_and_at_the_reference(ragged, random_head, view_of):
    batch, hidden = ragged(0, [3, 1])
    batch = replace(batch, member_mask=torch.ones(1, 2, dtype=torch.bool))
    algorithm = SoftQ(ridge=0)
    table = torch.randn(7, 5, requires_grad=True)
    view = view_of(algorithm, batch, hidden, random_head("linear", 1), output_table=table)
    algorithm.loss(view)[0].backward()
    assert table.grad is None
    assert all(weight.grad is None for weight in view.target.parameters())
    assert float(view.head.table.grad.abs().sum()) > 0


@pytest.mark.parametrize("wrong", [{"eta": 0.0}, {"steps": -1}, {"discount": -0.1}], ids=str)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SoftQ(**wrong)
