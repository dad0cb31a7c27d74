"""Playing episodes: what is noted is what was said, earned and drawn."""

import numpy as np

from speaq.environments.randomwalks import RandomWalks
from speaq.environments.rollout import roll_out
from speaq.experience.rewards import feedback
from speaq.models.decoding import Decoding
from speaq.training.encoding import encode_episodes


class Counting:
    """Answers each reply with how many there were; over after `turns`, or cut off there."""

    def __init__(self, turns, cut=False):
        self.turns, self.cut = turns, cut

    def reset(self, *, seed=None, options=None):
        self.said = []
        self.first = f"begin {seed % 10}"
        return self.first, {}

    def step(self, action):
        self.said.append(action)
        last = len(self.said) == self.turns
        over, cut = last and not self.cut, last and self.cut
        return f"that was {len(self.said)}", float(len(self.said)), over, cut, {}


def play(model, environments, **rest):
    return roll_out(model, environments, Decoding(max_new_tokens=4), seed=3, **rest)


def test_every_episode_says_what_happened(tiny):
    environments = [Counting(1), Counting(3), Counting(2, cut=True)]
    episodes = play(tiny, environments)
    assert [len(each.actions) for each in episodes] == [1, 3, 2]
    assert [each.truncated for each in episodes] == [False, False, True]
    for episode, environment in zip(episodes, environments, strict=True):
        assert episode.prompt == environment.first
        assert [turn.text for turn in episode.actions] == environment.said
        assert [turn.reward for turn in episode.actions] == [
            float(n + 1) for n in range(len(environment.said))
        ]
        heard = [turn.text for turn in episode.turns if turn.role == "observation"]
        # A cut-off episode keeps what was heard last: what might have followed depends on it.
        answered = len(environment.said) - (0 if episode.truncated else 1)
        assert heard[1:] == [f"that was {n + 1}" for n in range(answered)]


def test_what_was_played_is_encoded_as_it_was_read(tiny):
    """The tokens of the log are those the model was given: its propensities are found again."""
    import torch

    from speaq.qlearning.operations import policy_logprobs

    episodes = play(tiny, [Counting(3), Counting(2)])
    for encoded in encode_episodes(tiny, episodes, feedback):
        with torch.no_grad():
            hidden = tiny.hidden_states(torch.from_numpy(encoded.tokens)[None])
            states = hidden[:, encoded.states[:-1]]
            actions = torch.from_numpy(encoded.action_tokens)[None]
            found = policy_logprobs(states, tiny.output_table, actions)[0]
        np.testing.assert_allclose(found, encoded.behaviour_logprobs, atol=1e-4)


def test_the_same_seed_plays_the_same_episodes_whoever_plays_beside(tiny):
    alone = play(tiny, [Counting(2)])
    beside = play(tiny, [Counting(2), Counting(3)])
    assert [turn.text for turn in alone[0].turns] == [turn.text for turn in beside[0].turns]
    assert alone[0].id == beside[0].id
    other = roll_out(tiny, [Counting(2)], Decoding(max_new_tokens=4), seed=4)
    assert other[0].turns != alone[0].turns


def test_an_episode_that_outgrows_the_context_is_cut(tiny, monkeypatch):
    monkeypatch.setattr(tiny.causal.config, "max_position_embeddings", 90)
    [episode] = play(tiny, [Counting(50)])
    assert episode.truncated
    assert 1 < len(episode.actions) < 10


def test_turns_can_be_limited(tiny):
    [episode] = play(tiny, [Counting(9)], most_turns=2)
    assert len(episode.actions) == 2 and episode.truncated
    assert episode.turns[-1].text == "that was 2"


def test_walks_earn_their_optimality():
    walks = RandomWalks(1000)
    model = walks.model()
    episodes = roll_out(
        model, [RandomWalks(1000) for _ in range(30)], Decoding(max_new_tokens=9), seed=0
    )
    assert len({each.prompt for each in episodes}) > 5
    for each in episodes:
        assert each.actions[0].reward == walks.optimality(each.prompt + each.reply)
        assert each.turns[-1].role == "action" and not each.truncated


def test_a_play_without_room_is_left_out(tiny):
    class Long(Counting):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return "x" * 10_000, {}

    assert play(tiny, [Long(1)]) == []
    assert len(play(tiny, [Counting(1)])) == 1
