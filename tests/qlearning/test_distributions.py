"""Distributions of returns: their mathematics, and the switch of deep Q-learning that uses them."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow import GAMMA, LENGTHS, SEEDS, ahead, another, over_places, scores, shapes
from trees import fit, learner_of, q_table, worst

from speaq.core.errors import DataError, SettingsError
from speaq.environments.token_tree import TokenTree
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.distributions import project, quantile_loss, require_within
from speaq.qlearning.dqn import DQN
from speaq.training.batch import collate

EXACT = {"cql": 0.0, "ridge": 0.0, "huber": 0.0, "target_every": 1, "target_rate": 1.0}
NUMBERS = st.floats(-5, 5, width=32)
ATOMS = [-9.0, -3.0, 3.0, 9.0]


def slowly_projected(places, shares, atoms):
    made = [0.0] * len(atoms)
    for place, share in zip(places, shares, strict=True):
        place = min(max(place, atoms[0]), atoms[-1])
        below = max(i for i in range(len(atoms) - 1) if i == 0 or atoms[i] <= place)
        up = (place - atoms[below]) / (atoms[below + 1] - atoms[below])
        made[below] += share * (1 - up)
        made[below + 1] += share * up
    return made


@given(
    st.lists(st.tuples(NUMBERS, st.floats(0.01, 1)), min_size=1, max_size=5),
    st.integers(2, 7),
    st.floats(-3, 0),
    st.floats(1, 3),
)
def test_projection_is_its_definition(parts, count, low, high):
    places, weights = zip(*parts, strict=True)
    shares = [weight / sum(weights) for weight in weights]
    atoms = [low + (high - low) * i / (count - 1) for i in range(count)]
    found = project(
        torch.tensor(places, dtype=torch.float64),
        torch.tensor(shares, dtype=torch.float64),
        torch.tensor(atoms, dtype=torch.float64),
    )
    assert found.tolist() == pytest.approx(slowly_projected(places, shares, atoms), abs=1e-6)
    assert float(found.sum()) == pytest.approx(1)
    inside = [min(max(place, low), high) for place in places]
    mean = sum(s * p for s, p in zip(shares, inside, strict=True))
    assert float(found @ torch.tensor(atoms, dtype=torch.float64)) == pytest.approx(mean, abs=1e-6)


def test_a_place_on_an_atom_gives_it_everything():
    atoms = torch.linspace(-1, 1, 5)
    found = project(atoms[:, None], torch.ones(5, 1), atoms)
    torch.testing.assert_close(found, torch.eye(5))


def test_quantile_loss_by_hand():
    """Quantiles 0 and 2 (levels ¼ and ¾) of the samples 1 and 4."""
    quantiles, samples = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 4.0])
    plain = 0.25 * (1 + 4) / 2 + (0.25 * 1 + 0.75 * 2) / 2
    assert float(quantile_loss(quantiles, samples, 0.0)) == pytest.approx(plain)
    # δ = 2: |u| ≤ 2 gives u²/4, beyond it |u| - 1.
    smooth = 0.25 * (0.25 + 3) / 2 + (0.25 * 0.25 + 0.75 * 1) / 2
    assert float(quantile_loss(quantiles, samples, 2.0)) == pytest.approx(smooth)
    tiny = quantile_loss(quantiles, samples, 1e-6)
    assert float(tiny) == pytest.approx(plain, abs=1e-4)


def test_minimiser_of_the_quantile_loss_is_the_quantiles():
    samples = torch.tensor([5.0, -1.0, 0.0, 9.0, 2.0, 3.0, 7.0, 1.0, 4.0])
    quantiles = torch.zeros(3, requires_grad=True)
    for step in range(1500):
        (slope,) = torch.autograd.grad(quantile_loss(quantiles, samples, 0.0), quantiles)
        with torch.no_grad():
            quantiles -= 20 * 0.995**step * slope
    expected = np.quantile(samples.numpy(), [1 / 6, 1 / 2, 5 / 6], method="inverted_cdf")
    assert quantiles.tolist() == pytest.approx(expected.tolist(), abs=0.05)


@shapes
@given(SEEDS, st.integers(1, 3), st.integers(1, 4), st.integers(1, 60), st.booleans())
def test_a_critic_read_at_tokens_is_the_critic(seed, members, outputs, states, own):
    """Few distinct tokens and many are read in two ways."""
    stream = torch.Generator().manual_seed(seed)
    critic = random_critic(members, outputs, seed)
    table = torch.randn(80, 5, generator=stream)
    hidden = torch.randn(states, 5, generator=stream)
    tokens = torch.randint(80, (members, states) if own else (states,), generator=stream)
    found = critic.at(hidden, table, tokens)
    for m, each in enumerate(tokens.expand(members, -1)):
        torch.testing.assert_close(found[m], critic(hidden, table[each])[m])


def test_a_critic_read_in_chunks_is_the_same(monkeypatch):
    critic, stream = random_critic(2, 5, 0), torch.Generator().manual_seed(0)
    table, hidden = torch.randn(4, 5, generator=stream), torch.randn(6, 5, generator=stream)
    tokens, grads = torch.tensor([0, 1, 1, 3, 0, 2]), []
    for elements in (1 << 24, 60):
        monkeypatch.setattr("speaq.qlearning.critics.CHUNK_ELEMENTS", elements)
        made = critic.at(hidden, table, tokens)
        grads.append((made, *torch.autograd.grad(made.square().sum(), critic.parameters())))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def random_critic(members, outputs, seed):
    critic, stream = TiedCritic(members, outputs, 5), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in critic.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream))
    return critic


def views(view_of, random_head, algorithm, batch, hidden, members):
    """A view whose slow head and slow critic are others than those that learn."""
    head = random_head("linear", members)
    view = view_of(algorithm, batch, hidden, head)
    slow = {name: random_critic(members, algorithm.atoms, 8) for name in view.extra}
    fast = {name: random_critic(members, algorithm.atoms, 7) for name in view.extra}
    return replace(view, target=another(head), extra=fast, target_extra=slow)


@torch.no_grad()
def outputs(critic, m, state, vector):
    return critic(state[None], vector[None])[m, 0].tolist()


@shapes
@given(
    SEEDS,
    LENGTHS,
    st.integers(1, 2),
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from(["categorical", "quantile"]),
)
def test_loss_is_its_definition(
    ragged, random_head, view_of, seed, lengths, members, steps, double, kind
):
    batch, hidden = ragged(seed, lengths, members)
    algorithm = DQN(
        discount=GAMMA, steps=steps, double=double, distribution=kind, atoms=4,
        low=-9.0, high=9.0, huber=0.5, cql=0, ridge=0,
    )  # fmt: skip
    view = views(view_of, random_head, algorithm, batch, hidden, members)
    table, counts = view.head.output_table, batch.action_mask.sum(1).tolist()

    def taken(m, b, k):
        return outputs(view.extra["returns"], m, hidden[b, k], table[batch.actions[b, k]])

    def arrived(m, b, k):
        """Scores of the greedy token where the look-ahead of action k ends; 0 after the end."""
        k = min(k + (steps or counts[b]), counts[b])
        if k == counts[b] and not batch.truncated[b]:
            return [0.0] * 4
        _, liked = scores(view.head if double else view.target, m, hidden[b, k])
        return outputs(view.target_extra["returns"], m, hidden[b, k], table[int(np.argmax(liked))])

    def moved(b, k, place):
        return ahead(batch, b, k, steps, lambda j: float(batch.rewards[b, j]), lambda _: place)

    def distribution(m, b, k):
        late = arrived(m, b, k)
        if kind == "quantile":
            samples = [moved(b, k, place) for place in late]
            return sum(
                np.mean([abs(level - (z < q)) * smooth(z - q) / 0.5 for z in samples])
                for q, level in zip(taken(m, b, k), (0.125, 0.375, 0.625, 0.875), strict=True)
            )
        goal = slowly_projected([moved(b, k, place) for place in ATOMS], softmax(late), ATOMS)
        return -np.dot(goal, np.log(softmax(taken(m, b, k))))

    def head(m, b, k):
        found = taken(m, b, k)
        mean = np.mean(found) if kind == "quantile" else np.dot(softmax(found), ATOMS)
        value, advantages = scores(view.head, m, hidden[b, k])
        return smooth(value + advantages[batch.actions[b, k]] - mean)

    _, figures = algorithm.loss(view)
    for name, term in ((kind, distribution), ("q", head)):
        expected = over_places(batch, members, term)
        assert float(figures[name]) == pytest.approx(expected, rel=2e-4, abs=2e-5)


def softmax(scores):
    return np.exp(scores) / np.exp(scores).sum()


def smooth(gap):
    """Huber's loss at δ = ½."""
    return 0.5 * (abs(gap) - 0.25) if abs(gap) > 0.5 else gap * gap / 2


SILENT = TokenTree(vocabulary=3, depth=3)
FINAL = TokenTree(vocabulary=3, depth=3, final_only=True)
NOISY = TokenTree(vocabulary=3, depth=2, answers=2, answers_after=(1,), final_only=True, noise=0.5)


def learnt(tree, algorithm, kind="linear", steps=400):
    log = tree.in_proportion(tree.uniform())
    return fit(learner_of(tree, tree.uniform(), algorithm, log, kind=kind), steps=steps)


@pytest.mark.parametrize("kind", ["linear", "tied"])
@pytest.mark.parametrize(
    ("tree", "discount", "settings"),
    [
        (FINAL, 1.0, {"distribution": "categorical", "atoms": 3}),
        (SILENT, 0.9, {"distribution": "categorical", "atoms": 61, "low": -6.0, "high": 6.0}),
        (SILENT, 0.9, {"distribution": "quantile", "atoms": 4, "huber": 0.5}),
    ],
    ids=["returns on atoms", "fine atoms", "quantiles"],
)
def test_the_mean_reaches_the_optimum(tree, discount, settings, kind):
    learner = learnt(tree, DQN(discount=discount, **{**EXACT, **settings}), kind)
    assert worst(tree, q_table(tree, learner.head), tree.optimal(discount)) < 1e-2


def returns_of(tree, node, token, best):
    """How the return of an action is distributed if `best` follows: {return: probability}."""
    found, after = Counter(), int(tree.children[node, token])
    follow = [after]
    if not tree.decisions[after]:
        follow = [int(child) for child in tree.children[after] if child >= 0]
    parts = [
        returns_of(tree, child, int(best[child].argmax()), best)
        if tree.decisions[child]
        else {0.0: 1.0}
        for child in follow or [after]
    ]
    for part, luck in itertools.product(parts, (-tree.noise, tree.noise)):
        for z, p in part.items():
            found[round(float(tree.rewards[node, token]) + luck + z, 6)] += p / len(parts) / 2
    return found


@torch.no_grad()
def distribution_at(tree, learner, node, token):
    state = torch.eye(tree.nodes)[node : node + 1]
    return learner.extra["returns"].at(state, learner.head.output_table, torch.tensor([token]))[
        0, 0
    ]


def test_categories_are_the_distribution_of_a_noisy_tree():
    algorithm = DQN(discount=1.0, distribution="categorical", atoms=9, low=-2.0, high=2.0, **EXACT)
    learner = learnt(NOISY, algorithm)
    assert worst(NOISY, q_table(NOISY, learner.head), NOISY.optimal()) < 1e-2
    spreads = set()
    for node, token in itertools.product(np.flatnonzero(NOISY.decisions), range(3)):
        exact = returns_of(NOISY, node, token, NOISY.optimal())
        found = torch.softmax(distribution_at(NOISY, learner, node, token), 0).tolist()
        expected = [exact.get(-2 + i / 2, 0.0) for i in range(9)]
        assert sum(expected) == pytest.approx(1)
        assert found == pytest.approx(expected, abs=1e-2)
        spreads.add(len(exact))
    assert spreads > {2}


def test_quantiles_are_those_of_a_noisy_tree():
    """What ends the episode is worth its mean plus or minus the noise, and nothing in between."""
    learner = learnt(NOISY, DQN(discount=1.0, distribution="quantile", atoms=4, **EXACT))
    for node, token in itertools.product(np.flatnonzero(NOISY.decisions), range(3)):
        if len(returns_of(NOISY, node, token, NOISY.optimal())) == 2:
            mean = NOISY.rewards[node, token]
            expected = [mean - 0.5, mean - 0.5, mean + 0.5, mean + 0.5]
            found = distribution_at(NOISY, learner, node, token).tolist()
            assert found == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("kind", ["categorical", "quantile"])
def test_gradients_reach_the_actions_taken_and_nothing_else(kind, ragged, random_head, view_of):
    batch, hidden = ragged(3, [3, 2])
    batch = replace(batch, member_mask=torch.tensor([[True, False]]))
    hidden.requires_grad_(True)
    algorithm = DQN(distribution=kind, atoms=4, low=-9.0, high=9.0, cql=0, ridge=0)
    view = views(view_of, random_head, algorithm, batch, hidden, 1)
    loss, _ = algorithm.loss(view)
    loss.backward()
    touched = view.head.table.grad[0].abs().sum(1).nonzero()[:, 0].tolist()
    assert touched == sorted(set(batch.actions[0, :3].tolist()))
    assert (hidden.grad.abs().sum(-1) > 0).tolist() == [[True] * 3 + [False], [False] * 4]
    assert all(weight.grad is None for weight in view.target.parameters())
    assert all(weight.grad is None for weight in view.target_extra["returns"].parameters())


def test_the_head_follows_the_distribution_and_does_not_pull_it(ragged, random_head, view_of):
    batch, hidden = ragged(3, [3, 2])
    batch.member_mask.fill_(True)
    algorithm = DQN(distribution="quantile", atoms=4, double=False, cql=0, ridge=0)
    slopes = []
    for shift in (0.0, 3.0):
        view = views(view_of, random_head, algorithm, batch, hidden, 1)
        view.head.table.data += shift
        algorithm.loss(view)[0].backward()
        assert view.head.table.grad.any()
        slopes.append([weight.grad for weight in view.extra["returns"].parameters()])
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", ["", "categorical", "quantile"])
def test_without_dueling_nothing_is_learnt_or_read_of_state_values(
    kind, ragged, random_head, view_of
):
    batch, hidden = ragged(3, [3, 2])
    batch.member_mask.fill_(True)
    algorithm = DQN(dueling=False, distribution=kind, atoms=4, low=-9.0, high=9.0, ridge=0)
    head = random_head("linear", 1)
    found = []
    for offset in (0.0, 3.0):
        view = view_of(algorithm, batch, hidden, head)
        view = replace(view, target=another(head), target_extra=view.extra)
        for each in (view.head, view.target):
            each.state_values.offset.data.fill_(offset)
        loss, _ = algorithm.loss(view)
        loss.backward()
        found.append(float(loss.detach()))
        assert all(weight.grad is None for weight in head.state_values.parameters())
        for critic in view.extra.values():
            assert all(weight.grad is None for weight in critic.state_values.parameters())
    assert found[0] == found[1]


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("kind", ["", "categorical"])
def test_without_dueling_the_optimum_is_the_same(kind, double):
    algorithm = DQN(discount=1.0, double=double, dueling=False, distribution=kind, atoms=3, **EXACT)
    learner = learnt(FINAL, algorithm)
    assert worst(FINAL, q_table(FINAL, learner.head), FINAL.optimal()) < 1e-2
    assert not any(weight.any() for weight in learner.head.state_values.parameters())


def test_returns_outside_the_support_are_refused(encoded, random_head, view_of):
    require_within("dqn", torch.tensor([0.0, 1.0]), 0, 1)
    episode = encoded([0, 1, 2], [1, 2], [3.0, -2.0])  # 1 in all, and -2 from the second on
    batch = collate([episode], 1.0, torch.ones(1, 1, dtype=torch.bool))
    algorithm = DQN(discount=1.0, distribution="categorical", low=-1.0, high=2.0)
    view = view_of(algorithm, batch, torch.ones(1, 3, 5), random_head("linear", 1))
    view = replace(view, target_extra=view.extra)
    with pytest.raises(DataError, match="a return is -2, outside dqn's low = -1 to high = 2"):
        algorithm.loss(view)
    algorithm.loss(replace(view, batch=replace(batch, rewards=batch.rewards.clamp(min=-1))))


@pytest.mark.parametrize(
    "wrong", [{"atoms": 1}, {"high": 0.0}, {"distribution": "gaussian"}], ids=str
)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        DQN(**wrong)
