"""Every loss equals its definition written as slow loops, whatever the shapes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speaq.qlearning.bc import Cloning
from speaq.qlearning.bootstrap import conservatism
from speaq.qlearning.dae import DirectAdvantage, dae_loss
from speaq.qlearning.filtered_bc import FilteredCloning
from speaq.qlearning.ilql import (
    ILQL,
    expectile_loss,
    q_loss,
    td_target,
    twin_minimum,
)
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.operations import (
    cloning,
    masked_mean,
    policy_logprobs,
    ridge,
    weighted_mean,
)
from speaq.training.batch import collate

LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)
SEEDS = st.integers(0, 10_000)
shapes = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def close(found, expected):
    assert float(found) == pytest.approx(expected, rel=2e-4, abs=2e-5)


def advantage(head, member, hidden, token):
    """A of one member at one place, by its own formula."""
    if head.settings.kind == "tied":
        return float(head.projection[member] @ hidden @ head.output_table[token])
    if head.settings.kind == "linear":
        return float(head.table[member, token] @ hidden)
    raise AssertionError(head.settings.kind)


def state_value(network, member, hidden):
    inner = torch.relu(network.inner[member] @ hidden + network.inner_bias[member, 0])
    return float(inner @ network.outer[member, 0] + network.offset[member, 0])


def places(batch, member):
    """(row, action) of everything a member may learn from."""
    return [
        (b, k)
        for b in range(len(batch.lengths))
        if batch.member_mask[member, b]
        for k in range(batch.actions.shape[1])
        if batch.action_mask[b, k]
    ]


def return_from(batch, b, k):
    """Σ_j γ^j r_{k+j}, by its own formula: γ is 0.9 in these batches."""
    count = int(batch.action_mask[b].sum())
    return sum(0.9**j * float(batch.rewards[b, k + j]) for j in range(count - k))


def mean_over(members):
    return sum(members) / len(members)


def average(terms):
    return sum(terms) / len(terms) if terms else 0.0


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 3), st.sampled_from(["tied", "linear"]))
def test_monte_carlo(ragged, random_head, view_of, seed, lengths, members, kind):
    batch, hidden = ragged(seed, lengths, members)
    head = random_head(kind, members)
    loss, _ = MonteCarlo(discount=0.9, ridge=0).loss(
        view_of(MonteCarlo(ridge=0), batch, hidden, head)
    )
    slow = []
    for m in range(members):
        errors = []
        for b, k in places(batch, m):
            q = state_value(head.state_values, m, hidden[b, k])
            q += advantage(head, m, hidden[b, k], batch.actions[b, k])
            errors.append(0.5 * (q - return_from(batch, b, k)) ** 2)
        slow.append(average(errors))
    close(loss, mean_over(slow))


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 3))
def test_direct_advantage(ragged, random_head, view_of, seed, lengths, members):
    batch, hidden = ragged(seed, lengths, members)
    head = random_head("tied", members)
    centres = torch.randn(
        *batch.actions.shape, hidden.shape[-1], generator=torch.Generator().manual_seed(seed)
    )
    algorithm = DirectAdvantage(discount=0.9, ridge=0)
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head, centres=centres))
    slow = []
    for m in range(members):
        errors = []
        for b in range(len(lengths)):
            if not batch.member_mask[m, b]:
                continue
            gap = -state_value(head.state_values, m, hidden[b, 0])
            for k in range(lengths[b]):
                vector = head.output_table[batch.actions[b, k]] - centres[b, k]
                a = float(head.projection[m] @ hidden[b, k] @ vector)
                gap += 0.9**k * (float(batch.rewards[b, k]) - a)
            errors.append(0.5 * gap**2)
        slow.append(average(errors))
    close(loss, mean_over(slow))


@shapes
@given(SEEDS, LENGTHS, st.integers(1, 2), st.floats(0.05, 0.95))
def test_ilql(ragged, random_head, view_of, seed, lengths, members, expectile):
    batch, hidden = ragged(seed, lengths, members)
    head = random_head("linear", 2 * members)
    algorithm = ILQL(expectile=expectile, cql=0.3, cql_states=0, awac=0, ridge=0)
    view = view_of(algorithm, batch, hidden, head, trains_policy=True)
    network = view.extra["expectile_value"]
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in [*view.target.parameters(), *network.parameters()]:
            weight.copy_(torch.randn(weight.shape, generator=stream))
    _, figures = algorithm.loss(view)

    def q_value(of, member, b, k):
        value = state_value(of.state_values, member, hidden[b, k])
        return value + advantage(of, member, hidden[b, k], batch.actions[b, k])

    q_terms, v_terms, cql_terms = [], [], []
    for m in range(members):
        q_errors, v_errors, penalties = [], [], []
        for b, k in places(batch, m):
            last = k + 1 == lengths[b]
            follows = 0.0 if last and not batch.truncated[b] else 0.9
            target = float(batch.rewards[b, k]) + follows * state_value(
                network, m, hidden[b, k + 1]
            )
            pair = (2 * m, 2 * m + 1)
            q_errors.append(sum((q_value(head, i, b, k) - target) ** 2 for i in pair))
            u = min(q_value(view.target, i, b, k) for i in pair)
            u -= state_value(network, m, hidden[b, k])
            v_errors.append((expectile if u > 0 else 1 - expectile) * u * u)
            everything = [[advantage(head, i, hidden[b, k], v) for v in range(7)] for i in pair]
            penalties.append(
                sum(
                    math.log(sum(math.exp(a) for a in row)) - row[batch.actions[b, k]]
                    for row in everything
                )
            )
        q_terms.append(average(q_errors))
        v_terms.append(average(v_errors))
        cql_terms.append(average(penalties))
    close(figures["q"], mean_over(q_terms))
    close(figures["v"], mean_over(v_terms))
    close(figures["cql"], 0.3 * mean_over(cql_terms))


@shapes
@given(SEEDS, LENGTHS, st.sampled_from([Cloning(), FilteredCloning()]))
def test_cloning(ragged, random_head, view_of, seed, lengths, algorithm):
    batch, hidden = ragged(seed, lengths)
    head = random_head("linear", 1)
    loss, _ = algorithm.loss(view_of(algorithm, batch, hidden, head))
    slow = []
    for b, count in enumerate(lengths):
        for k in range(count):
            logits = [float(hidden[b, k] @ row) for row in head.output_table]
            norm = math.log(sum(math.exp(each) for each in logits))
            slow.append(norm - logits[batch.actions[b, k]])
    close(loss, average(slow))


@shapes
@given(SEEDS, LENGTHS)
def test_advantage_weighted_cloning(ragged, random_head, view_of, seed, lengths):
    batch, hidden = ragged(seed, lengths)
    batch.member_mask.fill_(True)
    head = random_head("linear", 2)
    algorithm = ILQL(cql=0, awac=0.5, awac_beta=0.3)
    view = view_of(algorithm, batch, hidden, head, trains_policy=True)
    network = view.extra["expectile_value"]
    _, figures = algorithm.loss(view)
    slow = []
    for b, k in places(batch, 0):
        q = min(
            state_value(head.state_values, i, hidden[b, k])
            + advantage(head, i, hidden[b, k], batch.actions[b, k])
            for i in (0, 1)
        )
        weight = math.exp(0.3 * (q - state_value(network, 0, hidden[b, k])))
        logprobs = torch.log_softmax(head.output_table @ hidden[b, k], 0)
        slow.append(-weight * float(logprobs[batch.actions[b, k]]))
    close(figures["awac"], 0.5 * average(slow))


@shapes
@given(SEEDS, LENGTHS)
def test_returns_by_their_own_formula(ragged, seed, lengths):
    batch, _ = ragged(seed, lengths)
    found = batch.returns()
    for b, count in enumerate(lengths):
        for k in range(found.shape[1]):
            close(found[b, k], return_from(batch, b, k) if k < count else 0.0)


def test_returns_by_hand(encoded):
    rows = [encoded([1, 2, 3], [1, 2], [1.0, 10.0]), encoded([1, 2], [1], [5.0], truncated=True)]
    batch = collate(rows, 0.5, torch.ones(1, 2, dtype=torch.bool))
    assert batch.returns().tolist() == [[6.0, 10.0], [5.0, 0.0]]
    assert batch.discounts.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_td_target_by_hand():
    rewards = torch.tensor([[1.0, 2.0]])
    values = torch.tensor([[[10.0, 20.0, 30.0]]])
    ended, cut = torch.tensor([[0.5, 0.0]]), torch.tensor([[0.5, 0.5]])
    assert td_target(rewards, ended, values).tolist() == [[[11.0, 2.0]]]
    assert td_target(rewards, cut, values).tolist() == [[[11.0, 17.0]]]


def test_expectile_by_hand():
    q, v = torch.tensor([[[3.0, 1.0]]]), torch.tensor([[[1.0, 2.0]]])
    half = torch.tensor([[[0.5, 0.5]]])
    # above by 2: 0.8 · 4; below by 1: 0.2 · 1
    close(expectile_loss(q, v, half, 0.8), (0.8 * 4 + 0.2 * 1) / 2)


def test_twins_by_hand():
    twins = torch.tensor([[[1.0]], [[4.0]], [[7.0]], [[-2.0]]])
    assert twin_minimum(twins).flatten().tolist() == [1.0, -2.0]
    target, weights = torch.tensor([[[2.0]], [[0.0]]]), torch.ones(2, 1, 1)
    # (1-2)² + (4-2)² for the first pair, 49 + 4 for the second; mean over pairs
    close(q_loss(twins, target, weights), (5 + 53) / 2)


def test_direct_advantage_by_hand():
    accounts, values = torch.tensor([[1.0 + 0.5 * 2.0, 5.0]]), torch.tensor([[0.5, 100.0]])
    returns = torch.tensor([0.5 * 8.0, 0.0])
    seen = torch.tensor([[True, False]])
    # gap = 4 - 2 - 0.5 = 1.5
    close(dae_loss(accounts, values, returns, seen), 0.5 * 1.5**2)


@torch.enable_grad()
@pytest.mark.parametrize("kind", ["tied", "low-rank"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("largest", [0, 1 << 26])
def test_accounts_are_sums_of_advantages(
    ragged, random_head, view_of, monkeypatch, kind, centred, largest
):
    """Values, and gradients of head and states, by whichever way they are summed."""
    monkeypatch.setattr("speaq.qlearning.algorithm.OUTER_ELEMENTS", largest)
    batch, hidden = ragged(4, [3, 1, 5], members=2)
    hidden.requires_grad_(True)
    head = random_head(kind, 2)
    centres = torch.randn(3, 5, 5) if centred and kind == "tied" else None
    view = view_of(MonteCarlo(), batch, hidden, head, centres=centres)
    powers = torch.tensor([1.0, 0.5, 0.25, 0.125, 0.1])
    slow = (view.advantages(head) * powers * batch.action_mask).sum(-1)
    fast = view.accounts(head, powers)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    leaves, weights = [hidden, *head.advantage_parameters()], torch.randn(2, 3)
    found = torch.autograd.grad((weights * fast).sum(), leaves)
    expected = torch.autograd.grad((weights * slow).sum(), leaves)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_conservatism_is_the_log_of_the_vocabulary_when_all_are_alike(random_head):
    head = random_head("linear", 2)
    with torch.no_grad():
        head.table.zero_()
    states, actions = torch.randn(3, 5), torch.tensor([0, 3, 6])
    found = conservatism(head, states, actions, relative=False)
    torch.testing.assert_close(found.detach(), torch.full((2, 3), math.log(7)))


def test_conservatism_prefers_what_the_log_did(random_head):
    head = random_head("linear", 2)
    states, actions = torch.eye(5)[:3], torch.tensor([0, 3, 6])  # none moves another's scores
    with torch.enable_grad():
        conservatism(head, states, actions, relative=False).mean().backward()
    with torch.no_grad():
        before = head.member_advantages(states, 0)
        head.table -= 0.01 * head.table.grad
        after = head.member_advantages(states, 0)
    moved = (after - before) - (after - before).mean(1, keepdim=True)
    assert (moved[torch.arange(3), actions] > 0).all()


def test_conservative_states_are_a_sample_of_the_seen_ones(ragged, random_head, view_of):
    batch, hidden = ragged(1, [6, 6, 6, 6])
    batch.member_mask.fill_(True)
    head = random_head("linear", 2)
    few, every = ILQL(cql=1, cql_states=3, ridge=0), ILQL(cql=1, cql_states=0, ridge=0)
    torch.manual_seed(0)
    view = view_of(every, batch, hidden, head)
    exact = float(every.loss(view)[1]["cql"])
    draws = [float(few.loss(view)[1]["cql"]) for _ in range(400)]
    assert len(set(draws)) > 300
    assert sum(draws) / len(draws) == pytest.approx(exact, rel=0.1)


def test_means_ignore_what_carries_no_weight():
    values = torch.tensor([[[1.0, float("nan")], [3.0, float("inf")]]])
    weights = torch.tensor([[[0.25, 0.0], [0.75, 0.0]]])
    close(weighted_mean(values, weights), 2.5)
    close(masked_mean(values[0], weights[0] > 0), 2.0)
    assert float(masked_mean(values[0], weights[0] > 9)) == 0.0


def test_members_weigh_their_own_actions(ragged, random_head, view_of):
    batch, hidden = ragged(3, [1, 4, 2], members=3)
    batch.member_mask.copy_(torch.tensor([[1, 1, 0], [0, 0, 0], [1, 1, 1]]).bool())
    weights = view_of(MonteCarlo(), batch, hidden, random_head("tied", 3)).members
    assert weights.sum((1, 2)).tolist() == pytest.approx([1, 0, 1])
    assert weights[0, 1].tolist() == pytest.approx([0.2] * 4)
    assert not weights[0, 2].any()
    assert not weights[2, 0, 1:].any()


def test_policy_logprobs_are_those_of_the_softmax():
    hidden, table = torch.randn(2, 3, 5), torch.randn(7, 5)
    actions = torch.randint(0, 7, (2, 3))
    expected = torch.log_softmax(hidden @ table.T, -1).gather(-1, actions[..., None])[..., 0]
    torch.testing.assert_close(policy_logprobs(hidden, table, actions), expected)


def test_cloning_is_the_weighted_cross_entropy_of_the_actions(ragged, random_head, view_of):
    batch, hidden = ragged(3, [2, 4, 1])
    table = torch.randn(7, 5)
    view = view_of(Cloning(), batch, hidden, random_head("tied", 1), output_table=table)
    weights = torch.rand(batch.actions.shape)
    slow = [
        float(weights[b, k] * torch.log_softmax(table @ hidden[b, k], -1)[batch.actions[b, k]])
        for b, count in enumerate([2, 4, 1])
        for k in range(count)
    ]
    close(cloning(view, weights), -average(slow))


@torch.enable_grad()
@pytest.mark.parametrize("kind", ["tied", "linear"])
@pytest.mark.parametrize("relative", [False, True])
def test_conservatism_equals_the_full_scores(random_head, kind, relative):
    """Values, and gradients of head and states; the policy's own share takes none."""
    head = random_head(kind, 3)
    states = torch.randn(4, 5, requires_grad=True)
    actions = torch.tensor([0, 6, 2, 2])
    weights = torch.randn(3, 4)
    leaves = [states, *head.advantage_parameters()]
    policy = torch.softmax(states.detach() @ head.output_table.T, -1) if relative else 1.0
    scores = torch.stack([head.member_advantages(states, m) for m in range(3)])  # (M, N, V)
    slow = (policy * scores.exp()).sum(-1).log() - scores[:, torch.arange(4), actions]
    fast = conservatism(head, states, actions, relative=relative)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-4)
    found = torch.autograd.grad((weights * fast).sum(), leaves)
    expected = torch.autograd.grad((weights * slow).sum(), leaves)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["tied", "linear"])
def test_ridge_counts_as_one_episode_without_advantage(kind, ragged, random_head, view_of):
    """In one dimension of θ, N episodes with features φ and one more that says 0."""
    batch, hidden = ragged(5, [3, 1, 2], members=2)
    batch.member_mask.fill_(True)
    head = random_head(kind, 2)
    view = view_of(MonteCarlo(), batch, hidden, head)
    sizes = []
    for b, count in enumerate([3, 1, 2]):
        per = [float(hidden[b, k].square().sum()) for k in range(count)]
        if kind == "tied":
            tokens = batch.actions[b, :count]
            per = [
                p * float(head.output_table[t].square().sum())
                for p, t in zip(per, tokens, strict=True)
            ]
        sizes.append(sum(per))
    squares = sum(float(p.square().sum()) for p in head.advantage_parameters()) / 2
    close(ridge(view), 0.5 * squares * average(sizes) / 3)


def test_ridge_shrinks_with_the_log(ragged, random_head, view_of):
    batch, hidden = ragged(5, [3, 1, 2])
    batch.member_mask.fill_(True)
    view = view_of(MonteCarlo(), batch, hidden, random_head("tied", 1))
    assert float(ridge(replace(view, episodes=30.0))) == pytest.approx(float(ridge(view)) / 10)


def test_filtered_cloning_keeps_the_best_and_their_ties():
    returns = np.array([0.0, 1.0, 2.0, 3.0, 3.0], np.float32)
    assert FilteredCloning(top=0.2).select(returns).tolist() == [False] * 3 + [True] * 2
    assert FilteredCloning(top=1.0).select(returns).all()
    assert Cloning().select(returns).all()


@torch.enable_grad()
@pytest.mark.parametrize("kind", ["tied", "linear"])
@pytest.mark.parametrize("relative", [False, True])
def test_conservatism_where_it_is_wanted(random_head, kind, relative):
    head, states = random_head(kind, 3), torch.randn(4, 5)
    actions, wanted = torch.tensor([0, 6, 2, 2]), torch.rand(3, 4) < 0.5
    wanted[1] = False  # a member that sees nothing
    leaves = head.advantage_parameters()
    whole = conservatism(head, states, actions, relative=relative)[wanted].sum()
    some = conservatism(head, states, actions, relative=relative, wanted=wanted)[wanted].sum()
    torch.testing.assert_close(some, whole)
    found, expected = (torch.autograd.grad(each, leaves) for each in (some, whole))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    with torch.autocast("cpu", torch.bfloat16):
        half = conservatism(head, states, actions, relative=relative, wanted=wanted)[wanted].sum()
    torch.testing.assert_close(half, whole, atol=0.5, rtol=0.1)
    nobody = torch.zeros_like(wanted)
    assert conservatism(head, states, actions, relative=relative, wanted=nobody).shape == (3, 4)


@torch.enable_grad()
@pytest.mark.parametrize("kind", ["tied", "linear"])
def test_conservatism_beside_a_policy_is_at_rest_where_the_log_is_the_policys(random_head, kind):
    """As long as the head says nothing."""
    head, states = random_head(kind, 2), torch.randn(6, 5)
    with torch.no_grad():
        for weight in head.advantage_parameters():
            weight.zero_()
    policy = torch.softmax(states @ head.output_table.T, dim=-1)  # (N, V)
    # The expected penalty over actions drawn from the policy, by enumeration.
    total = torch.stack(
        [
            (policy[:, a] * conservatism(head, states, torch.full((6,), a), relative=True)).sum()
            for a in range(7)
        ]
    ).sum()
    total.backward()
    for weight in head.advantage_parameters():
        torch.testing.assert_close(weight.grad, torch.zeros_like(weight), atol=1e-5, rtol=0)
    torch.testing.assert_close(total.detach(), torch.tensor(0.0), atol=1e-5, rtol=0)
