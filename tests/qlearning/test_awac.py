import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import LENGTHS, SEEDS, ahead, over_places, places, shapes
from trees import fit, learner_of, worst

from speaq.core.errors import SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.awac import AWAC


def random_critic(algorithm, seed):
    critic = algorithm.extra_modules(1, 5)["critic"]
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream))
    return critic


@shapes
@given(SEEDS, LENGTHS, st.integers(0, 6), st.sampled_from([0.0, 0.5]))
def test_loss_is_its_definition(ragged, random_head, view_of, seed, lengths, steps, beta):
    batch, hidden = ragged(seed, lengths)
    batch.member_mask[:] = True
    algorithm = AWAC(discount=0.9, beta=beta, limit=3.0, steps=steps)
    critic, head = random_critic(algorithm, seed), random_head("linear", 1)
    table = head.output_table
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head, extra={"critic": critic}))

    def q_values(b, k):
        with torch.no_grad():
            value = critic.state_values(hidden[b, k][None])[0, 0]
            return (value + table @ (critic.projection[0] @ hidden[b, k])).tolist()

    def value(b, k):
        policy = torch.softmax(table @ hidden[b, k], 0).tolist()
        return sum(p * q for p, q in zip(policy, q_values(b, k), strict=True))

    def critic_term(_, b, k):
        target = ahead(
            batch, b, k, steps, lambda j: float(batch.rewards[b, j]), lambda j: value(b, j)
        )
        return (q_values(b, k)[batch.actions[b, k]] - target) ** 2 / 2

    def actor_term(b, k):
        logprob = float(torch.log_softmax(table @ hidden[b, k], 0)[batch.actions[b, k]])
        advantage = q_values(b, k)[batch.actions[b, k]] - value(b, k)
        return -min(math.exp(beta * advantage), 3.0) * logprob

    taken = places(batch, 0)
    expected = over_places(batch, 1, critic_term)
    expected += sum(actor_term(b, k) for b, k in taken) / len(taken)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("answers", [0, 2])
def test_settles_where_it_says(answers):
    """π ∝ π_log exp(β A_π), found here by iterating it."""
    tree = TokenTree(3, 3, answers=answers, answers_after=(1,))
    log = tree.in_proportion(tree.uniform())
    expected = tree.uniform()
    for _ in range(100):
        q = tree.of_policy(expected, 0.9)
        weighted = tree.uniform() * np.exp(q - (expected * q).sum(1, keepdims=True))
        expected = weighted / weighted.sum(1, keepdims=True).clip(1e-300)
    algorithm = AWAC(discount=0.9, limit=1e6)
    learner = fit(learner_of(tree, tree.policy, algorithm, log, train_policy=True))
    found = torch.softmax(learner.model.output_table.detach().T, -1).numpy()
    assert worst(tree, found, expected) < 1e-2
    assert worst(tree, tree.uniform(), expected) > 0.1


def test_critic_and_actor_train_only_themselves(ragged, random_head, view_of):
    batch, hidden = ragged(0, [3, 2])
    batch.member_mask[:] = True
    hidden.requires_grad_()
    algorithm = AWAC()
    table = torch.randn(7, 5, requires_grad=True)
    critic = random_critic(algorithm, 0)
    view = view_of(
        algorithm,
        batch,
        hidden,
        random_head("linear", 1),
        extra={"critic": critic},
        output_table=table,
    )
    _, figures = algorithm.loss(view)
    assert set(figures) == {"critic", "actor", "errors"}
    algorithm.loss(view)[0].backward()
    trunk = hidden.grad.clone(), table.grad.clone()
    hidden.grad = table.grad = None
    with torch.no_grad():
        critic.state_values.offset += 5.0  # moves Q and V alike: the critic errs, no weight moves
    algorithm.loss(view)[0].backward()
    torch.testing.assert_close(hidden.grad, trunk[0])
    torch.testing.assert_close(table.grad, trunk[1])
    assert float(critic.projection.grad.abs().sum()) > 0


@pytest.mark.parametrize("wrong", [{"beta": -1.0}, {"limit": 0.0}, {"steps": -1}], ids=str)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        AWAC(**wrong)
