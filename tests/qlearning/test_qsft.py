import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import GAMMA, LENGTHS, SEEDS, another, log_mean_exp, over_places, scores, shapes
from trees import fit, learner_of, worst

from speaq.core.errors import DataError, SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.qsft import QSFT, log_norm


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 2), st.sampled_from(["tied", "linear"]))
def test_loss_is_its_definition(ragged, random_head, view_of, seed, lengths, members, kind):
    """Written with probabilities over V + 1 tokens, less ln π of the action."""
    batch, hidden = ragged(seed, lengths, members)
    algorithm = QSFT(discount=0.9, ridge=0)
    head = random_head(kind, members)
    slow = another(head)
    view = replace(view_of(algorithm, batch, hidden, head), target=slow)
    loss, _ = algorithm.loss(view)

    def ratios(which, m, b, k):
        """p(a)/π(a) of every token, and p(failure)."""
        failure, advantages = scores(which, m, hidden[b, k])
        mean = math.exp(log_mean_exp(head.output_table, hidden[b, k], advantages, 1.0))
        norm = mean + math.exp(failure)
        return [math.exp(a) / norm for a in advantages], math.exp(failure) / norm

    def term(m, b, k):
        count = int(batch.action_mask[b].sum())
        weight = float(batch.rewards[b, k])
        if k + 1 < count or batch.truncated[b]:
            weight += GAMMA * max(ratios(slow, m, b, k + 1)[0])
        weight = min(max(weight, 0.0), 1.0)
        ratio, failure = ratios(head, m, b, k)
        chosen = ratio[batch.actions[b, k]]
        return -weight * math.log(chosen) - (1 - weight) * math.log(failure)

    expected = over_places(batch, members, term)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("answers", [0, 2])
def test_the_ratio_to_the_policy_becomes_q(answers):
    """Q* of returns in [0, 1], whatever the answers in between; p/π, not p."""
    tree = TokenTree(3, 3, answers=answers, answers_after=(1,), final_only=True)
    algorithm = QSFT(discount=0.9, ridge=0, target_every=1, target_rate=1.0)
    log = tree.in_proportion(tree.uniform())
    learner = fit(learner_of(tree, tree.uniform(), algorithm, log))
    states = torch.eye(tree.nodes)
    with torch.no_grad():
        norm = log_norm(learner.head, states)[0][:, None]
        ratio = torch.exp(learner.head.member_advantages(states, 0) - norm).numpy()
    assert worst(tree, ratio, tree.optimal(0.9)) < 1e-2
    assert worst(tree, ratio * tree.uniform(), tree.optimal(0.9)) > 0.3


def test_the_form_with_other_tokens_would_be_off():
    """Why it is not offered: with V = 3 its optimum p/π of a worthless token is far above 0."""
    policy, q = np.full(3, 1 / 3), np.array([1.0, 0.5, 0.0])
    weight = policy * q + (policy @ (1 - q) - policy * (1 - q)) / 2
    assert (weight / policy)[2] == pytest.approx(0.25)


def test_returns_that_are_no_probabilities_are_refused():
    assert QSFT().select(np.array([0.0, 0.5, 1.0], np.float32)).all()
    for bad in (-0.5, 1.5):
        with pytest.raises(DataError, match=f"{bad}.*rescale"):
            QSFT().select(np.array([0.5, bad], np.float32))


def test_refuses_settings_by_name():
    with pytest.raises(SettingsError, match="target_rate"):
        QSFT(target_rate=2.0)
