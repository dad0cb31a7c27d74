import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import LENGTHS, SEEDS, over_places, scores, shapes
from trees import fit, learner_of, q_table, worst

from speaq.core.errors import DataError, SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.qsharp import QSharp, soft_moment, two_hot


def random_critic(algorithm, members, seed):
    critic = algorithm.extra_modules(members, 5)["returns"]
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream))
    return critic


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 2), st.integers(2, 4))
def test_loss_is_its_definition(ragged, random_head, view_of, seed, lengths, members, atoms):
    batch, hidden = ragged(seed, lengths, members)
    algorithm = QSharp(eta=0.5, atoms=atoms, low=-9.0, high=9.0, ridge=0)
    head, critic = random_head("linear", members), random_critic(algorithm, members, seed)
    view = view_of(algorithm, batch, hidden, head, extra={"returns": critic})
    loss, _ = algorithm.loss(view)
    received = batch.returns()
    places = [-9 + 18 * i / (atoms - 1) for i in range(atoms)]

    def term(m, b, k):
        state, token = hidden[b, k], batch.actions[b, k]
        with torch.no_grad():
            logits = []
            for o in range(m * atoms, (m + 1) * atoms):
                value = critic.state_values(state[None])[o, 0]
                logits.append(value + critic.projection[o] @ state @ head.output_table[token])
            logp = torch.log_softmax(torch.stack(logits), 0).tolist()
        z = float(received[b, k])
        below = min(int((z + 9) / 18 * (atoms - 1)), atoms - 2)
        up = (z - places[below]) / (places[below + 1] - places[below])
        entropy = -(1 - up) * logp[below] - up * logp[below + 1]
        moment = sum(math.exp(p + place / 0.5) for p, place in zip(logp, places, strict=True))
        value, advantages = scores(head, m, state)
        return entropy + (value + advantages[token] - 0.5 * math.log(moment)) ** 2 / 2

    expected = over_places(batch, members, term)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kind", ["linear", "tied"])
def test_reaches_the_soft_optimum_without_bootstrapping(kind):
    tree = TokenTree(3, 3, final_only=True)
    log = tree.in_proportion(tree.uniform())
    learner = learner_of(tree, tree.uniform(), QSharp(eta=0.5, atoms=3, ridge=0), log, kind=kind)
    found = q_table(tree, fit(learner).head)
    assert worst(tree, found, tree.soft(tree.uniform(), 0.5)) < 1e-2


def test_with_answers_in_between_it_is_the_moment_it_says():
    """η ln E exp(Z/η), which then is above the KL-regularised optimum."""
    tree = TokenTree(3, 3, answers=2, answers_after=(1,), final_only=True)
    log = tree.in_proportion(tree.uniform())
    learner = learner_of(tree, tree.uniform(), QSharp(eta=0.5, atoms=3, ridge=0), log)
    found = q_table(tree, fit(learner).head)[0]
    walks = list(tree.every_walk(tree.uniform()))
    for token in range(tree.vocabulary):
        there = [(sum(w.rewards), p) for w, p in walks if w.tokens[1] == token]
        moment = sum(p * math.exp(z / 0.5) for z, p in there) / sum(p for _, p in there)
        assert found[token] == pytest.approx(0.5 * math.log(moment), abs=1e-2)
        assert found[token] > tree.soft(tree.uniform(), 0.5)[0, token] - 1e-2


def test_moment_by_hand():
    """A coin between 0 and 1 at η = 1: ln((1 + e)/2)."""
    found = soft_moment(torch.log(torch.tensor([0.5, 0.5])), torch.tensor([0.0, 1.0]), 1.0)
    assert float(found) == pytest.approx(math.log((1 + math.e) / 2))


@given(st.floats(-1, 3, width=32))
def test_shares_keep_the_mean(value):
    atoms = torch.linspace(-1.0, 3.0, 5)
    shares = two_hot(torch.tensor([[value]]), atoms)[0, 0]
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert float(shares @ atoms) == pytest.approx(value, abs=1e-5)
    assert int((shares > 0).sum()) <= 2


def test_returns_outside_the_support_are_refused():
    assert QSharp().select(np.array([0.0, 1.0], np.float32)).all()
    with pytest.raises(DataError, match="a return is 2, outside"):
        QSharp().select(np.array([0.0, 2.0], np.float32))


@pytest.mark.parametrize("wrong", [{"eta": 0.0}, {"atoms": 1}, {"high": 0.0}], ids=str)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        QSharp(**wrong)
