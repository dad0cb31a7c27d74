"""Each loss teaches what it should, and nothing else."""

import copy

import pytest
import torch

from speaq.models.head import HeadSettings
from speaq.qlearning.bc import Cloning
from speaq.qlearning.dae import DirectAdvantage
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.learner import Learner
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.operations import cloning
from speaq.training.batch import collate

VALUE_LEARNERS = [
    MonteCarlo(ridge=0),
    DirectAdvantage(ridge=0),
    ILQL(cql=0.1, cql_states=0, ridge=0),
]


def members_of(algorithm, pairs):
    return pairs * algorithm.heads_per_member


def touched(hidden):
    """(B, K+1) bool: states that got any gradient."""
    return hidden.grad.abs().sum(-1) > 0


@pytest.mark.parametrize("algorithm", VALUE_LEARNERS, ids=lambda a: type(a).__name__)
def test_padding_takes_no_gradient(algorithm, ragged, random_head, view_of):
    lengths = [2, 5, 1]
    batch, hidden = ragged(0, lengths)
    batch.member_mask.fill_(True)
    head = random_head("linear", members_of(algorithm, 1))
    hidden.requires_grad_(True)
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head))
    loss.backward()
    for row, count in enumerate(lengths):
        assert touched(hidden)[row, :count].all()
        # The state after the last action is only ever looked at, for its value.
        assert not touched(hidden)[row, count:].any()


def test_padding_takes_no_gradient_from_cloning(ragged, random_head, view_of):
    batch, hidden = ragged(0, [2, 5, 1])
    hidden.requires_grad_(True)
    loss, _ = Cloning().loss(view_of(Cloning(), batch, hidden, random_head("linear", 1)))
    loss.backward()
    assert touched(hidden)[:, :-1].tolist() == batch.action_mask.tolist()


@pytest.mark.parametrize("algorithm", VALUE_LEARNERS, ids=lambda a: type(a).__name__)
def test_a_member_learns_nothing_from_an_episode_kept_from_it(
    algorithm, ragged, random_head, view_of
):
    batch, hidden = ragged(0, [2, 3], members=2)
    batch.member_mask.copy_(torch.tensor([[True, False], [False, True]]))
    head = random_head("linear", members_of(algorithm, 2))
    hidden.requires_grad_(True)
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head))
    loss.backward()
    tokens = [set(batch.actions[row, :count].tolist()) for row, count in enumerate([2, 3])]
    each = head.table.grad.view(2, -1, *head.table.shape[1:]).abs().sum((1, 3)) > 0  # (2, V)
    if isinstance(algorithm, ILQL):
        return  # its conservative term reaches every token; see the next test
    assert set(torch.nonzero(each[0]).flatten().tolist()) == tokens[0]
    assert set(torch.nonzero(each[1]).flatten().tolist()) == tokens[1]


def test_an_unseen_episode_changes_nothing_for_the_member(ragged, random_head, view_of):
    """Other rewards, other actions in an episode kept from member 0: the same gradient."""
    algorithm = ILQL(cql=0.5, cql_states=0, ridge=0)
    found = []
    for other in (0, 1):
        batch, hidden = ragged(0, [2, 3], members=2)
        batch.member_mask.copy_(torch.tensor([[True, False], [True, True]]))
        if other:
            batch.rewards[1] += 7
            batch.actions[1] = (batch.actions[1] + 1) % 7
            hidden[1] *= -2
        head = random_head("linear", 4)
        view = view_of(algorithm, batch, hidden, head)
        loss, _ = algorithm.loss(view)
        loss.backward()
        value = view.extra["expectile_value"].offset.grad
        found.append((head.table.grad.clone(), head.state_values.offset.grad.clone(), value))
    for one, two in zip(*found, strict=True):
        members = len(one) // 2
        torch.testing.assert_close(one[:members], two[:members])
        assert not torch.allclose(one[members:], two[members:])


def test_targets_take_no_gradient(ragged, random_head, view_of):
    batch, hidden = ragged(0, [2, 5, 1])
    batch.member_mask.fill_(True)
    algorithm = ILQL(cql=0.1, ridge=0)
    head = random_head("linear", 2)
    view = view_of(algorithm, batch, hidden, head)
    loss, _ = algorithm.loss(view)
    loss.backward()
    assert all(weight.grad is None for weight in view.target.parameters())
    assert not any(weight.requires_grad for weight in view.target.parameters())
    assert all(weight.requires_grad for weight in head.parameters())


def test_td_error_does_not_pull_the_value_it_bootstraps_from(ragged, random_head, view_of):
    """With V at the expectile of Q̄ its own loss is flat; the Q loss must not move it either."""
    batch, hidden = ragged(0, [3, 4])
    batch.member_mask.fill_(True)
    algorithm = ILQL(cql=0, ridge=0)
    head = random_head("linear", 2)
    view = view_of(algorithm, batch, hidden, head)
    with torch.no_grad():  # Q̄ = 0 = V
        for weight in view.target.parameters():
            weight.zero_()
    loss, figures = algorithm.loss(view)
    loss.backward()
    assert float(figures["v"]) == 0 and float(figures["q"]) > 0
    assert all(not w.grad.any() for w in view.extra["expectile_value"].parameters())
    assert head.table.grad.any()


def test_expectile_does_not_pull_the_q_it_follows(ragged, random_head, view_of):
    batch, hidden = ragged(0, [3, 4])
    batch.member_mask.fill_(True)
    batch.rewards.zero_()
    batch.discounts.zero_()
    algorithm = ILQL(cql=0, ridge=0)
    head = random_head("linear", 2)
    view = view_of(algorithm, batch, hidden, head)
    with torch.no_grad():  # the online twins are exactly right, the targets are not
        for weight in head.parameters():
            weight.zero_()
    loss, figures = algorithm.loss(view)
    loss.backward()
    assert float(figures["q"]) == 0 and float(figures["v"]) > 0
    assert not head.table.grad.any() and not head.state_values.offset.grad.any()
    assert view.extra["expectile_value"].offset.grad.any()


def test_advantage_weights_of_cloning_take_no_gradient(ragged, random_head, view_of):
    batch, hidden = ragged(0, [3, 4])
    batch.member_mask.fill_(True)
    algorithm = ILQL(cql=0, awac=1, awac_beta=0.5)
    head = random_head("linear", 2)
    table = head.output_table.clone().requires_grad_(True)
    view = view_of(algorithm, batch, hidden, head, output_table=table, trains_policy=True)
    _, plain = algorithm.loss(view)
    only = cloning(view, view.advantages(head).mean(0))
    only.backward()
    assert table.grad.any()
    assert head.table.grad is None
    assert set(plain) == {"q", "v", "awac", "errors"}


def test_frozen_policy_skips_the_policy_term(ragged, random_head, view_of):
    batch, hidden = ragged(0, [3, 4])
    view = view_of(ILQL(), batch, hidden, random_head("linear", 2), trains_policy=False)
    assert "awac" not in ILQL().loss(view)[1]


@pytest.mark.parametrize("algorithm", VALUE_LEARNERS, ids=lambda a: type(a).__name__)
def test_what_a_user_says_between_turns_is_never_credited(algorithm, tiny, encoded):
    """Tokens 11 and 12 are observations between two replies; only 1, 2, 3, 4 are actions."""
    episode = encoded(
        [10, 1, 2, 11, 12, 3, 4], [1, 2, 5, 6], [1.0, 1.0, 1.0, 2.0], turns=[0, 0, 1, 1]
    )
    batch = collate([episode], 0.5, torch.ones(1, 1, dtype=torch.bool))
    assert batch.states.tolist() == [[0, 1, 4, 5, 6]]
    assert batch.actions.tolist() == [[1, 2, 3, 4]]
    model = copy.copy(tiny)
    model.causal = copy.deepcopy(tiny.causal).requires_grad_(False)
    model.with_head(HeadSettings(kind="linear", members=algorithm.heads_per_member))
    if isinstance(algorithm, ILQL):
        algorithm = ILQL(cql=0, ridge=0)
    learner = Learner(model, algorithm, [episode], None, torch.ones(1, 1, dtype=torch.bool))
    loss, _ = learner.loss([0])
    loss.backward()
    rows = torch.nonzero(model.head.table.grad.abs().sum((0, 2)))[:, 0].tolist()
    assert rows == [1, 2, 3, 4]
