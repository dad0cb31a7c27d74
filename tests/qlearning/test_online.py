"""Learning while playing: when is played, what is drawn, and that stopping changes nothing."""

import numpy as np
import pytest
import torch

from speaq.core.errors import DataError, SettingsError
from speaq.environments.randomwalks import RandomWalks
from speaq.experience.episode import Episode, Turn
from speaq.experience.replay_memory import ReplayMemory
from speaq.models.decoding import Decoding
from speaq.models.sampling import sample
from speaq.qlearning.dqn import DQN
from speaq.qlearning.online import OnlineReplay, OnlineSettings, learn_online
from speaq.training.encoding import Encoded
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

QUICK = LoopSettings(steps=12, batch_size=6, checkpoint_every=4, lr=1e-3)


class NextLetter:
    """One letter is shown; saying the one after it earns 1."""

    letters = "bcdefgh"

    def reset(self, *, seed=None, options=None):
        self.shown = self.letters[seed % (len(self.letters) - 1)]
        return self.shown, {}

    def step(self, action):
        wanted = self.letters[self.letters.index(self.shown) + 1]
        return "", float(action[:1] == wanted), True, False, {}


def fake(number):
    """An episode whose one action is `number`."""
    return Encoded(
        id=str(number),
        group="",
        tokens=np.array([0, number], np.int64),
        actions=np.array([1], np.int64),
        turn_ids=np.zeros(1, np.int64),
        rewards=np.ones(1, np.float32),
        behaviour_logprobs=np.zeros(1, np.float32),
        truncated=False,
    )


class Recorder:
    """What a replay asks of a learner."""

    def __init__(self, logged):
        self.encoded = [fake(number) for number in range(logged)]

    def extend(self, encoded):
        self.encoded += encoded


def replay_of(tmp_path, logged=4, played=3, kind="uniform", **settings):
    rounds = []

    def play(step):
        rounds.append(step)
        return [fake(100 * step + n) for n in range(played)]

    learner = Recorder(logged)
    replay = OnlineReplay(
        learner,
        play,
        ReplayMemory(tmp_path / "played"),
        OnlineSettings(**{"every": 5, **settings}),
        ReplaySettings(kind=kind),
        steps=20,
        seed=0,
    )
    return replay, learner, rounds


def test_a_round_is_played_when_it_is_due_and_once(tmp_path):
    replay, learner, rounds = replay_of(tmp_path)
    for step in [*range(6), 5, 6, 7]:
        replay.draw(step, 4)
    assert rounds == [0, 5]
    assert len(learner.encoded) == 4 + 2 * 3
    assert [each.id for each in learner.encoded[7:]] == ["500", "501", "502"]


@pytest.mark.parametrize("kind", ["uniform", "prioritised"])
@pytest.mark.parametrize(("share", "from_log"), [(0.0, 0), (0.25, 2), (0.5, 4)])
def test_a_set_share_comes_from_the_log(tmp_path, kind, share, from_log):
    replay, _, _ = replay_of(tmp_path, kind=kind, logged_share=share)
    for step in range(12):
        drawn = replay.draw(step, 8)
        assert sum(index < 4 for index in drawn.indices) == from_log
        replay.learned(drawn.indices, torch.ones(8))


def test_without_a_log_everything_was_played(tmp_path):
    replay, _, _ = replay_of(tmp_path, logged=0)
    assert set(replay.draw(0, 50).indices) == {0, 1, 2}


def test_only_recent_episodes_are_drawn_if_asked(tmp_path):
    replay, learner, _ = replay_of(tmp_path, recent=4, logged_share=0.0)
    drawn = {index for step in range(20) for index in replay.draw(step, 20).indices if step == 19}
    assert drawn == set(range(len(learner.encoded) - 4, len(learner.encoded)))


def test_priorities_follow_what_was_learnt(tmp_path):
    replay, _, _ = replay_of(tmp_path, kind="prioritised", logged_share=0.0)
    first = replay.draw(0, 6)
    errors = torch.tensor([9.0 if index == 5 else 1e-9 for index in first.indices])
    replay.learned(first.indices, errors)
    counts = np.bincount(
        [index for step in range(1, 5) for index in replay.draw(step, 50).indices], minlength=7
    )
    assert counts[5] > 150


def test_nothing_to_learn_from_is_said(tmp_path):
    replay, _, _ = replay_of(tmp_path, played=0)
    with pytest.raises(DataError, match="no episode could be played"):
        replay.draw(0, 4)


def test_epsilon_falls_in_a_straight_line():
    settings = OnlineSettings(epsilon=1.0, last_epsilon=0.2, decay=0.5)
    found = [settings.exploration(step, 100).epsilon for step in (0, 25, 50, 99)]
    assert found == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert OnlineSettings(explore="boltzmann").exploration(0, 10).kind == "boltzmann"
    assert OnlineSettings(explore="guided").exploration(0, 10) is None


@pytest.mark.parametrize("name", ["every", "decay", "temperature", "most_turns"])
def test_wrong_settings_are_named(name):
    with pytest.raises(SettingsError, match=f"online setting {name} = 0"):
        OnlineSettings(**{name: 0})


def learnt(folder, **rest):
    walks = RandomWalks(1000)
    return learn_online(
        walks.model(1),
        [NextLetter() for _ in range(12)],
        rest.pop("algorithm", "dqn"),
        **{
            "settings": OnlineSettings(every=4, max_new_tokens=2, top_k=0),
            "options": {"cql": 0.0, "cloning": 0.0},
            "loop": QUICK,
            "folder": folder,
            "seed": 3,
            **rest,
        },
    )


@pytest.mark.parametrize("kind", ["uniform", "prioritised"])
def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path, monkeypatch, kind):
    class StoppedError(Exception):
        pass

    whole = learnt(tmp_path / "whole", replay=ReplaySettings(kind=kind))
    real, steps = DQN.loss, []

    def stopping(self, view):
        steps.append(1)
        if len(steps) == 7:
            raise StoppedError
        return real(self, view)

    monkeypatch.setattr(DQN, "loss", stopping)
    with pytest.raises(StoppedError):
        learnt(tmp_path / "killed", replay=ReplaySettings(kind=kind))
    monkeypatch.undo()
    resumed = learnt(tmp_path / "killed", replay=ReplaySettings(kind=kind))
    assert whole.metrics == resumed.metrics
    for name, weight in whole.model.causal.state_dict().items():
        assert torch.equal(weight, resumed.model.causal.state_dict()[name]), name
    for one, other in zip(
        whole.model.require_head().parameters(),
        resumed.model.require_head().parameters(),
        strict=True,
    ):
        assert torch.equal(one, other)
    memories = [ReplayMemory(run.folder / "played") for run in (whole, resumed)]
    assert len(memories[0]) == len(memories[1]) == 36
    for index in range(36):
        for name, piece in memories[0].row(index).items():
            np.testing.assert_array_equal(piece, memories[1].row(index)[name])


def test_it_learns_what_earns(tmp_path):
    run = learnt(
        tmp_path,
        loop=LoopSettings(steps=120, batch_size=32, lr=1e-3, head_lr=5e-3, checkpoint_every=120),
        settings=OnlineSettings(every=2, max_new_tokens=1, top_k=0, decay=0.6),
    )
    starts = NextLetter.letters[:-1]
    prompts = [run.model.encode(letter) for letter in starts]
    drawn = sample(run.model, prompts, 1, Decoding(temperature=0, max_new_tokens=1), seed=0, beta=9)
    said = "".join(run.model.decode(each.token_ids) for each in drawn)
    assert said == NextLetter.letters[1:]
    returns = [row["return"] for row in run.metrics if "return" in row]
    assert np.mean(returns[-5:]) > np.mean(returns[:5]) + 0.5


def test_a_log_helps_from_the_first_step(tmp_path):
    log = [
        Episode(
            turns=(Turn("observation", "b"), Turn("action", "c")),
            id=str(n),
            time=0.0,
            reward=1.0,
        )
        for n in range(3)
    ]
    run = learnt(tmp_path, log=log)
    assert len(ReplayMemory(run.folder / "played")) == 36
    assert run.model.origin.history[-1]["episodes"] == 39


def test_cloning_plays_the_policy_itself(tmp_path):
    run = learnt(tmp_path, algorithm="bc", options={})
    assert run.model.head is None
    assert len(ReplayMemory(run.folder / "played")) == 36


def test_no_environment_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no environment"):
        learn_online(RandomWalks(1000).model(), [], folder=tmp_path)
