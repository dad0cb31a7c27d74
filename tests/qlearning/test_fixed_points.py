"""On small enumerated token trees every loss reaches the optimum it claims, to a hundredth.

A state is the whole prefix; hidden states are one-hot, so that a linear head is a table and a
linear state value too. What is learnt can then only be wrong if the loss is.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from speaq.models.head import HeadSettings, StateValues, ValueHead
from speaq.qlearning.dae import DirectAdvantage
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.targets import update
from speaq.training.batch import collate
from speaq.training.encoding import Encoded

TOLERANCE = 1e-2


@dataclass
class Tree:
    """All replies of `depth` tokens over `width`; token 0 may end a reply early."""

    seed: int = 0
    width: int = 3
    depth: int = 3
    episodes: list = field(default_factory=list)
    states: dict = field(default_factory=dict)

    def __post_init__(self):
        stream = np.random.default_rng(self.seed)
        self.policy, self.reward = {}, {}
        for prefix in self.prefixes():
            self.states[prefix] = len(self.states)
            if not self.ended(prefix):
                counts = stream.permutation([1, 2, 3][: self.width])
                self.policy[prefix] = counts / counts.sum()
                for a in range(self.width):
                    self.reward[(*prefix, a)] = float(np.round(stream.normal(), 1))
        for prefix in self.prefixes():
            if self.ended(prefix):
                times = round(self.weight(prefix) * 6**self.depth)
                self.episodes += [self.episode(prefix)] * times

    def prefixes(self):
        for length in range(self.depth + 1):
            for prefix in itertools.product(range(self.width), repeat=length):
                if 0 not in prefix[:-1]:
                    yield prefix

    def ended(self, prefix):
        return len(prefix) == self.depth or (prefix and prefix[-1] == 0)

    def weight(self, prefix):
        """Probability that π writes this reply."""
        return np.prod([self.policy[prefix[:i]][prefix[i]] for i in range(len(prefix))])

    def episode(self, reply, truncated=False):
        count = len(reply)
        return Encoded(
            id=str(reply),
            group="",
            tokens=np.array([0, *reply], np.int64),
            actions=np.arange(1, count + 1),
            turn_ids=np.zeros(count, np.int64),
            rewards=np.array([self.reward[reply[: i + 1]] for i in range(count)], np.float32),
            behaviour_logprobs=np.full(count, np.nan, np.float32),
            truncated=truncated,
        )

    def values(self, gamma, best):
        """Q^π, or Q* if `best`, by recursion: {(prefix, action): value}."""
        q = {}

        def value(prefix):
            if self.ended(prefix):
                return 0.0
            row = [
                self.reward[(*prefix, a)] + gamma * value((*prefix, a)) for a in range(self.width)
            ]
            q.update({(prefix, a): row[a] for a in range(self.width)})
            return max(row) if best else float(np.dot(self.policy[prefix], row))

        value(())
        return q

    def view(self, algorithm, view_of, head, centred=False):
        """The whole tree as one batch."""
        batch = collate(
            self.episodes,
            algorithm.discount,
            torch.ones(1, len(self.episodes), dtype=torch.bool),
        )
        B, K = batch.actions.shape
        size = len(self.states)
        hidden = torch.zeros(B, K + 1, size)
        centres = torch.zeros(B, K, size)
        for b, each in enumerate(self.episodes):
            reply = tuple(each.action_tokens.tolist())
            for k in range(len(reply) + 1):
                hidden[b, k, self.states[reply[:k]]] = 1
            for k in range(len(reply)):
                centres[b, k, : self.width] = torch.tensor(self.policy[reply[:k]])
        extra = {}
        if isinstance(algorithm, ILQL):
            extra = {"expectile_value": StateValues(1, size, 0)}
        return view_of(
            algorithm, batch, hidden, head, centres=centres if centred else None, extra=extra
        )


def table_head(tree, members=1, kind="linear"):
    size = len(tree.states)
    return ValueHead(
        HeadSettings(kind=kind, members=members, value_width=0), torch.eye(size)[: tree.width]
    )


def fit(algorithm, view, steps, rate=0.05, every=1, polyak=1.0):
    """Full batch, Adam; the target follows as a learner would have it."""
    weights = [*view.head.parameters()]
    weights += [w for module in view.extra.values() for w in module.parameters()]
    optimiser = torch.optim.Adam(weights, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        optimiser.zero_grad()
        loss, _ = algorithm.loss(view)
        loss.backward()
        optimiser.step()
        schedule.step()
        if view.target is not None and (step + 1) % every == 0:
            update(view.target, view.head, polyak)


@torch.no_grad()
def learnt_q(tree, head):
    """Q of the first member at every state and action."""
    eye = torch.eye(len(tree.states))
    q = head.values(eye)[0][:, None] + head.member_advantages(eye, 0)
    return {(s, a): float(q[tree.states[s], a]) for s in tree.policy for a in range(tree.width)}


def assert_same(found, expected):
    for place, value in expected.items():
        assert found[place] == pytest.approx(value, abs=TOLERANCE), place


@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_monte_carlo_reaches_the_values_of_the_policy(view_of, gamma):
    tree = Tree()
    algorithm = MonteCarlo(discount=gamma, ridge=0)
    view = tree.view(algorithm, view_of, table_head(tree))
    fit(algorithm, view, 400)
    assert_same(learnt_q(tree, view.head), tree.values(gamma, best=False))


@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_direct_advantage_reaches_the_advantages_of_the_policy(view_of, gamma):
    tree = Tree(seed=1)
    algorithm = DirectAdvantage(discount=gamma, ridge=0)
    view = tree.view(algorithm, view_of, table_head(tree, kind="tied"), centred=True)
    fit(algorithm, view, 1200)
    q = tree.values(gamma, best=False)
    with torch.no_grad():
        eye = torch.eye(len(tree.states))
        scores = view.head.member_advantages(eye, 0)
        start = float(view.head.values(eye[:1])[0, 0])
    for prefix, policy in tree.policy.items():
        row = scores[tree.states[prefix]].numpy()
        row = row - policy @ row
        true = np.array([q[(prefix, a)] for a in range(tree.width)])
        np.testing.assert_allclose(row, true - policy @ true, atol=TOLERANCE)
    first = np.array([q[((), a)] for a in range(tree.width)])
    assert start == pytest.approx(float(tree.policy[()] @ first), abs=TOLERANCE)


@pytest.mark.parametrize("gamma", [0.99, 0.5])
def test_ilql_reaches_the_optimum_as_the_expectile_rises(view_of, gamma):
    tree = Tree(seed=2)
    algorithm = ILQL(discount=gamma, expectile=0.999, cql=0, ridge=0)
    view = tree.view(algorithm, view_of, table_head(tree, members=2))
    fit(algorithm, view, 1500, every=5, polyak=0.5)
    assert_same(learnt_q(tree, view.head), tree.values(gamma, best=True))


def test_ilql_at_one_half_is_the_policy_again(view_of):
    """τ = 0.5 is the mean over the log's actions: SARSA, so Q^π and not Q*."""
    tree = Tree(seed=2)
    algorithm = ILQL(discount=0.9, expectile=0.5, cql=0, ridge=0)
    view = tree.view(algorithm, view_of, table_head(tree, members=2))
    fit(algorithm, view, 800, every=5, polyak=0.5)
    assert_same(learnt_q(tree, view.head), tree.values(0.9, best=False))
    best = tree.values(0.9, best=True)
    assert max(abs(best[p] - v) for p, v in tree.values(0.9, best=False).items()) > 0.3


def test_the_optimum_changes_with_the_discount():
    """Else the tests above could not see a missing γ."""
    tree = Tree()
    near, far = tree.values(0.5, best=True), tree.values(1.0, best=True)
    assert max(abs(near[place] - far[place]) for place in near) > 0.2


def test_truncation_bootstraps_and_termination_does_not(view_of):
    """From the state after 'ab' some go on and earn 4; others were cut there, or ended there."""
    tree = Tree(width=2, depth=2)
    tree.states = {(): 0, (1,): 1, (1, 1): 2, (1, 0): 3}
    tree.reward = {(1,): 0.0, (1, 1): 4.0}
    tree.policy = {(): np.array([0, 1.0]), (1,): np.array([0, 1.0])}

    def q_of_first_action(episodes):
        tree.episodes = episodes
        algorithm = ILQL(discount=0.5, expectile=0.5, cql=0, ridge=0)
        view = tree.view(algorithm, view_of, table_head(tree, members=2))
        fit(algorithm, view, 800, every=5, polyak=0.5)
        return learnt_q(tree, view.head)[((), 1)]

    whole, cut = tree.episode((1, 1)), tree.episode((1,), truncated=True)
    ended = tree.episode((1,))
    assert q_of_first_action([whole, cut, cut]) == pytest.approx(2.0, abs=TOLERANCE)
    assert q_of_first_action([whole, ended, ended]) == pytest.approx(2 / 3, abs=TOLERANCE)


def test_conservatism_lowers_what_the_log_never_did(view_of):
    tree = Tree()
    tree.episodes = [each for each in tree.episodes if 2 not in each.action_tokens]
    values = {}
    for weight in (0.0, 0.5):
        algorithm = ILQL(discount=0.9, cql=weight, cql_states=0)
        view = tree.view(algorithm, view_of, table_head(tree, members=2))
        fit(algorithm, view, 300, every=5, polyak=0.5)
        q = learnt_q(tree, view.head)
        values[weight] = q[((), 2)] - max(q[((), 0)], q[((), 1)])
    assert values[0.5] < values[0.0] - 0.5
