"""Nim: the values against a search that plays out every game, the log against its stated skill."""

import numpy as np
import pytest

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.nim import LETTERS, Nim, likelihoods, moves, read, told
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes


def slow_value(heaps, opponent, own):
    """Chance to win for the side to move, every game played out, with no table and no cache."""

    def after(left):
        if not any(left):
            return 1.0
        replies = likelihoods(left, opponent)
        total = 0.0
        for (heap, count), share in replies.items():
            then = list(left)
            then[heap] -= count
            if any(then):
                total += share * slow_value(tuple(then), opponent, own)
        return total

    worth = {}
    for heap, count in moves(heaps):
        left = list(heaps)
        left[heap] -= count
        worth[heap, count] = after(tuple(left))
    if own is None:
        return max(worth.values())
    return sum(share * worth[move] for move, share in likelihoods(heaps, own).items())


@pytest.mark.parametrize("skill", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("heaps", [(1,), (2, 1), (2, 2), (1, 2, 2)])
@pytest.mark.parametrize("own", [None, 0.3])
def test_values_are_those_of_every_game_played_out(heaps, skill, own):
    assert Nim(skill=skill).value(heaps, own) == pytest.approx(slow_value(heaps, skill, own))


def test_against_a_perfect_opponent_the_theory_of_nim_decides():
    game = Nim(heaps=(3, 3, 3), skill=1.0)
    for start in game.starts:
        balance = start[0] ^ start[1] ^ start[2]
        assert game.value(start) == pytest.approx(float(balance != 0))


def test_a_player_of_skill_one_takes_winning_moves_only():
    shares = likelihoods((1, 3), 1.0)
    assert {move for move, share in shares.items() if share > 0} == {(1, 2)}
    assert sum(likelihoods((3, 4, 5), 0.4).values()) == pytest.approx(1)


def win_rate(game, games, choose):
    won = 0.0
    for seed in range(games):
        heard, _ = game.reset(seed=seed)
        over = False
        while not over:
            heard, reward, over, _, _ = game.step(choose(heard))
            won += reward
    return won / games


def test_playing_the_best_moves_wins_as_often_as_the_optimum_says():
    game = Nim(heaps=(3, 4), skill=0.5)

    def best(heard):
        heap, count = game.best(tuple(map(int, heard.split()[1:])))
        return f"{LETTERS[heap]} {count}"

    assert win_rate(game, 1500, best) == pytest.approx(game.optimum, abs=0.035)
    assert game.optimum > game.quality + 0.1


def test_a_reply_that_is_no_move_loses():
    game = Nim()
    for nonsense in ("", "a", "a 9", "e 1", "a b", "b 0", "one two three"):
        game.reset(seed=1)
        assert game.step(nonsense)[1:4] == (0.0, True, False)
    assert read("b 2") == (1, 2)
    assert told((0, 3)) == "heaps 0 3"


def test_the_log_wins_as_often_as_it_says_with_true_propensities():
    game = Nim(heaps=(2, 3), logged=0.3, seed=2)
    log = game.log(1500)
    won = [episode.actions[-1].reward for episode in log]
    assert np.mean(won) == pytest.approx(game.quality, abs=0.035)
    for episode in log[:50]:
        for heard, said in zip(episode.turns[::2], episode.actions, strict=True):
            shares = likelihoods(tuple(map(int, heard.text.split()[1:])), 0.3)
            assert np.exp(sum(said.logprobs)) == pytest.approx(shares[read(said.text)])
    assert log[:5] == Nim(heaps=(2, 3), logged=0.3, seed=2).log(5)


def test_a_model_of_its_own_reads_the_log():
    game = Nim()
    [encoded] = encode_episodes(game.model(), game.log(1), feedback)
    assert len(encoded.actions) % 3 == 0  # a heap, a number and an end
    assert np.isfinite(encoded.behaviour_logprobs).all()
    assert load("environments", "nim") is Nim


@pytest.mark.parametrize(
    ("wrong", "named"), [({"heaps": (9,)}, "heaps"), ({"skill": 2.0}, "skill = 2.0")]
)
def test_wrong_settings_are_named(wrong, named):
    with pytest.raises(SettingsError, match=named):
        Nim(**wrong)
