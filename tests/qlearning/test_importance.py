"""Prioritised replay and the algorithms: who can be trained with it, and what its weights do."""

import copy
from dataclasses import replace
from importlib.metadata import entry_points

import pytest
import torch

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.core.runs import RunFolder
from speaq.experience.episode import Episode, Turn
from speaq.models.head import HeadSettings
from speaq.qlearning.dqn import DQN
from speaq.qlearning.learn import learn
from speaq.qlearning.learner import Learner
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

NAMES = sorted(point.name for point in entry_points(group="speaq.algorithms"))
TELLING = [name for name in NAMES if load("algorithms", name).gives_errors]
SILENT = [name for name in NAMES if name not in TELLING]
PRIORITISED = ReplaySettings(kind="prioritised")


@pytest.fixture
def terms(ragged, random_head, view_of):
    """`terms(name)`: a function from importance weights to the figures of an algorithm's loss."""

    def build(name):
        algorithm = load("algorithms", name)()
        batch, hidden = ragged(3, [3, 1, 4, 2])
        batch = replace(batch, member_mask=torch.ones_like(batch.member_mask))
        head = random_head("linear", algorithm.heads_per_member)
        view = view_of(algorithm, batch, hidden, head)
        for module in view.extra.values():
            torch.manual_seed(1)
            for weight in module.parameters():
                torch.nn.init.normal_(weight)

        def figures(importance):
            torch.manual_seed(0)
            weights = None if importance is None else torch.tensor(importance)
            return algorithm.loss(replace(view, importance=weights))[1]

        return figures

    return build


@pytest.mark.parametrize("name", NAMES)
def test_an_algorithm_tells_errors_if_it_says_so(terms, name):
    figures = terms(name)(None)
    assert ("errors" in figures) == (name in TELLING)
    if name in TELLING:
        assert figures["errors"].shape == (4, 4)
        assert (figures["errors"] >= 0).all() and figures["errors"].any()


@pytest.mark.parametrize("name", TELLING)
def test_importance_weighs_the_error_and_nothing_else(terms, name):
    """Terms are linear in the weights of the episodes, or do not know of them."""
    figures = terms(name)
    plain, ones = figures(None), figures([1.0, 1.0, 1.0, 1.0])
    one, other = figures([1.0, 0.0, 0.5, 0.0]), figures([0.0, 2.0, 0.25, 1.5])
    both = figures([1.0, 2.0, 0.75, 1.5])
    alone = [figures([float(i == j) for j in range(4)]) for i in range(4)]
    weighed = []
    for term in plain.keys() - {"errors"}:
        torch.testing.assert_close(ones[term], plain[term])
        if torch.equal(one[term], both[term]):
            assert all(torch.equal(each[term], plain[term]) for each in alone)
            continue
        torch.testing.assert_close(one[term] + other[term], both[term])
        torch.testing.assert_close(sum(each[term] for each in alone), plain[term])
        assert sum(bool(each[term] != 0) for each in alone) > 1
        weighed.append(term)
    assert weighed
    assert not {"ridge", "cql", "cloning", "actor"} & set(weighed)
    for each in (ones, both, *alone):
        torch.testing.assert_close(each["errors"], plain["errors"])


def test_members_by_hand(ragged, random_head, view_of):
    algorithm = load("algorithms", "mc")()
    batch, hidden = ragged(3, [3, 1])
    batch = replace(batch, member_mask=torch.tensor([[True, True], [False, True]]))
    view = view_of(algorithm, batch, hidden, random_head("linear", 2))
    weights = replace(view, importance=torch.tensor([0.5, 2.0])).members
    expected = [[[0.125] * 3, [0.5, 0, 0]], [[0.0] * 3, [2.0, 0, 0]]]
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_the_learner_hands_the_weights_on(tiny, encoded):
    episodes = [encoded([9, 5, 6], [1, 2], [0.0, 3.0]), encoded([9, 7], [1], [-1.0])]
    model = copy.copy(tiny)
    model.causal = copy.deepcopy(tiny.causal).requires_grad_(False)
    model.with_head(HeadSettings(kind="linear"))
    task = Learner(model, DQN(cql=0, ridge=0), episodes, None, torch.ones(1, 2, dtype=torch.bool))

    def loss(*weights):
        return task.loss([0, 1], torch.tensor(weights) if weights else None)[0].item()

    alone = loss(1.0, 0.0), loss(0.0, 1.0)
    assert min(alone) > 0
    assert loss() == pytest.approx(sum(alone))
    assert loss(0.25, 2.0) == pytest.approx(0.25 * alone[0] + 2 * alone[1])


@pytest.fixture
def log():
    return [
        Episode(
            (Turn("observation", f"say {i % 6}"), Turn("action", "yes" if i % 2 else "no")),
            id=f"e{i}",
            time=0.0,
            reward=float(i % 2),
        )
        for i in range(24)
    ]


@pytest.mark.parametrize("name", SILENT)
def test_algorithms_without_errors_are_refused_before_any_work(tiny, log, tmp_path, name):
    with pytest.raises(SettingsError, match=f"which algorithm {name} does not"):
        learn(tiny, log, name, replay=PRIORITISED, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_killed_run_with_prioritised_replay_ends_with_the_same_bits(
    tiny, log, tmp_path, monkeypatch
):
    loop = LoopSettings(steps=9, batch_size=5, checkpoint_every=3, log_every=1)
    drawn = []
    plain = Learner.loss

    def call(folder, stop=0):
        calls = []

        def loss(self, indices, weights=None):
            calls.append(1)
            if len(calls) == stop:
                raise InterruptedError
            drawn.append((list(indices), weights))
            return plain(self, indices, weights)

        with monkeypatch.context() as patch:
            patch.setattr(Learner, "loss", loss)
            return learn(
                tiny, log, "dqn", loop=loop, replay=PRIORITISED, folder=tmp_path / folder, seed=2
            )

    def state(folder):
        [last] = RunFolder.reopen(tmp_path / folder).checkpoints()
        return (last / "state.safetensors").read_bytes()

    call("whole")
    assert all(len(indices) == len(weights) == 5 for indices, weights in drawn)
    assert any(weights.unique().numel() > 1 for _, weights in drawn)
    for stop in (8, 2):
        with pytest.raises(InterruptedError):
            call("cut", stop)
    call("cut")
    assert state("cut") == state("whole")
    learn(tiny, log, "dqn", loop=loop, folder=tmp_path / "uniform", seed=2)
    assert state("uniform") != state("whole")
