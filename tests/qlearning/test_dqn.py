from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import LENGTHS, SEEDS, ahead, another, over_places, scores, shapes
from trees import fit, learner_of, q_table, worst

from speaq.core.errors import SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.bootstrap import conservative_penalty, live_states, look_ahead
from speaq.qlearning.dqn import DQN
from speaq.training.batch import collate

EXACT = {"cql": 0.0, "ridge": 0.0, "huber": 0.0, "target_every": 1, "target_rate": 1.0}


def views(view_of, random_head, algorithm, batch, hidden, kind, members):
    """A view whose target is another head than the one that learns."""
    head = random_head(kind, members)
    return replace(view_of(algorithm, batch, hidden, head), target=another(head))


@shapes
@given(
    SEEDS,
    LENGTHS,
    st.integers(1, 2),
    st.sampled_from(["tied", "linear", "low-rank"]),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from([0.0, 0.5]),
)
def test_loss_is_its_definition(
    ragged, random_head, view_of, seed, lengths, members, kind, steps, double, huber
):
    batch, hidden = ragged(seed, lengths, members)
    algorithm = DQN(discount=0.9, steps=steps, double=double, huber=huber, cql=0, ridge=0)
    view = views(view_of, random_head, algorithm, batch, hidden, kind, members)
    loss, _ = algorithm.loss(view)

    def bootstrap(m, b, k):
        value, target = scores(view.target, m, hidden[b, k])
        _, chooser = scores(view.head if double else view.target, m, hidden[b, k])
        return value + target[int(np.argmax(chooser))]

    def term(m, b, k):
        value, advantages = scores(view.head, m, hidden[b, k])
        target = ahead(
            batch, b, k, steps, lambda j: float(batch.rewards[b, j]), lambda j: bootstrap(m, b, j)
        )
        error = abs(value + advantages[batch.actions[b, k]] - target)
        return huber * (error - huber / 2) if huber and error > huber else error**2 / 2

    assert float(loss.detach()) == pytest.approx(
        over_places(batch, members, term), rel=2e-4, abs=2e-5
    )


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 2), st.booleans())
def test_conservative_term_is_its_definition(
    ragged, random_head, view_of, seed, lengths, members, trains_policy
):
    batch, hidden = ragged(seed, lengths, members)
    head = random_head("linear", members)
    view = view_of(DQN(), batch, hidden, head, trains_policy=trains_policy)

    def term(m, b, k):
        advantages = torch.tensor(scores(head, m, hidden[b, k])[1])
        policy = torch.log_softmax(head.output_table @ hidden[b, k], 0)
        outside = torch.zeros_like(policy) if trains_policy else policy
        return float(torch.logsumexp(outside + advantages, 0) - advantages[batch.actions[b, k]])

    expected = over_places(batch, members, term)
    found = float(conservative_penalty(view, 0).detach())
    assert found == pytest.approx(expected, rel=2e-4, abs=2e-5)


def test_look_ahead_by_hand():
    """Three episodes of 3, 3 and 1 actions: ended, cut off, ended."""
    rewards = torch.tensor([[1.0, 2, 4], [1, 2, 4], [8, 0, 0]])
    discounts = torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0.5], [0, 0, 0]])
    mask = torch.tensor([[True] * 3, [True] * 3, [True, False, False]])
    values = torch.tensor([[[10.0, 20, 30, 0], [10, 20, 30, 40], [10, 0, 0, 0]]])
    one = [[[11, 17, 4], [11, 17, 24], [8, 0, 0]]]
    two = [[[9.5, 4, 4], [9.5, 14, 24], [8, 0, 0]]]
    end = [[[3, 4, 4], [8, 14, 24], [8, 0, 0]]]
    for steps, expected in ((1, one), (2, two), (3, end), (7, end), (0, end)):
        found = look_ahead(rewards, discounts, mask, values, steps)
        torch.testing.assert_close(found[:, mask], torch.tensor(expected)[:, mask].float())


def test_only_a_cut_episode_lives_on_after_its_last_action(encoded):
    ended = encoded([0, 1, 2, 3], [1, 2, 3], [0, 0, 1])
    cut = encoded([0, 1, 2], [1, 2], [0, 1], truncated=True)
    batch = collate([ended, cut], 1.0, torch.ones(1, 2, dtype=torch.bool))
    assert live_states(batch).tolist() == [[True] * 3 + [False], [True] * 3 + [False]]


def test_n_steps_cross_turns_and_skip_what_others_say(encoded, random_head, view_of):
    """The words between two turns are inside a state; they take no step and no discount."""
    together = encoded([0, 1, 2], [1, 2], [1.0, 1.0], truncated=True)
    apart = encoded([0, 1, 5, 6, 2], [1, 4], [1.0, 1.0], truncated=True, turns=[0, 1])
    algorithm = DQN(steps=2, discount=0.9, cql=0, ridge=0)
    hidden = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(0))
    losses = []
    for each in (together, apart):
        batch = collate([each], 0.9, torch.ones(1, 1, dtype=torch.bool))
        assert batch.states.tolist()[0] == [i - 1 for i in each.actions] + [each.actions[-1]]
        losses.append(
            algorithm.loss(view_of(algorithm, batch, hidden, random_head("linear", 1)))[0]
        )
    torch.testing.assert_close(*losses, rtol=0, atol=0)


def test_gradients_reach_the_actions_taken_and_nothing_else(ragged, random_head, view_of):
    batch, hidden = ragged(3, [3, 2])
    batch = replace(batch, member_mask=torch.tensor([[True, False]]))
    algorithm = DQN(cql=0, ridge=0)
    view = views(view_of, random_head, algorithm, batch, hidden, "linear", 1)
    loss, _ = algorithm.loss(view)
    loss.backward()
    touched = view.head.table.grad[0].abs().sum(1).nonzero()[:, 0].tolist()
    assert touched == sorted(set(batch.actions[0, :3].tolist()))
    assert all(weight.grad is None for weight in view.target.parameters())


def test_padding_changes_nothing(ragged, random_head, view_of, encoded):
    """An episode beside a longer one counts as it does alone."""
    short, long = encoded([0, 1, 2], [1, 2], [1.0, 2.0]), encoded([0, 1, 2, 3], [1, 2, 3], [0] * 3)
    algorithm = DQN(steps=2, cql=0, ridge=0)
    states = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    head = random_head("tied", 1)
    alone = collate([short], 0.99, torch.tensor([[True]]))
    beside = collate([short, long], 0.99, torch.tensor([[True, False]]))
    one = algorithm.loss(view_of(algorithm, alone, states[:1, :3], head))[0]
    states[0, 3] = 1e4
    other = algorithm.loss(view_of(algorithm, beside, states, head))[0]
    torch.testing.assert_close(one, other)


SILENT = TokenTree(vocabulary=3, depth=3)
TALKING = TokenTree(vocabulary=3, depth=3, answers=2, answers_after=(1,), noise=0.5)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("tree", [SILENT, TALKING], ids=["silent", "talking"])
def test_one_step_reaches_the_optimum(tree, double):
    algorithm = DQN(discount=0.9, double=double, **EXACT)
    log = tree.in_proportion(tree.uniform())
    learner = fit(learner_of(tree, tree.uniform(), algorithm, log))
    assert worst(tree, q_table(tree, learner.head), tree.optimal(0.9)) < 1e-2


@pytest.mark.parametrize("steps", [2, 0])
def test_n_steps_reach_the_fixed_point_they_claim(steps):
    algorithm = DQN(discount=0.9, steps=steps, **EXACT)
    log = TALKING.in_proportion(TALKING.uniform())
    learner = fit(learner_of(TALKING, TALKING.uniform(), algorithm, log), steps=250)
    found = q_table(TALKING, learner.head)
    assert worst(TALKING, found, TALKING.ahead(TALKING.uniform(), steps or 3, 0.9)) < 1e-2
    assert worst(TALKING, found, TALKING.optimal(0.9)) > 0.1


def test_a_tied_head_reaches_it_too():
    algorithm = DQN(discount=0.9, **EXACT)
    log = SILENT.in_proportion(SILENT.uniform())
    learner = fit(learner_of(SILENT, SILENT.uniform(), algorithm, log, kind="tied"))
    assert worst(SILENT, q_table(SILENT, learner.head), SILENT.optimal(0.9)) < 1e-2


def test_a_cut_off_log_still_finds_what_follows_elsewhere_in_it():
    """Episodes cut after one action learn their value from the others."""
    whole = SILENT.in_proportion(SILENT.uniform())
    cut = [
        replace(
            walk,
            tokens=walk.tokens[:2],
            actions=walk.actions[:1],
            rewards=walk.rewards[:1],
            logprobs=walk.logprobs[:1],
            truncated=True,
        )
        for walk in whole
        if len(walk.actions) > 1
    ]
    learner = fit(learner_of(SILENT, SILENT.uniform(), DQN(discount=0.9, **EXACT), whole + cut))
    assert worst(SILENT, q_table(SILENT, learner.head), SILENT.optimal(0.9)) < 1e-2


@pytest.mark.parametrize(
    "wrong",
    [{"discount": 1.5}, {"steps": -1}, {"huber": -1.0}, {"target_every": 0}, {"target_rate": 0.0}],
    ids=str,
)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        DQN(**wrong)
