"""Wordle: the colouring rule, games, the make-up of the log, optima found by brute force."""

from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.core.registry import load
from speaq.environments.rollout import roll_out
from speaq.environments.wordle import COLOURS, START, UNKNOWN, Wordle
from speaq.environments.wordle_search import answers, colours, digits
from speaq.experience.rewards import feedback
from speaq.models.decoding import Decoding
from speaq.training.encoding import encode_episodes

WORDS = ["crane", "slate", "eerie", "trace", "elope", "melee", "abbey", "kebab"]
REAL = Path(__file__).parents[3] / "shared/data/wordle/wordle_official_400.txt"

few_letters = st.text("abc", min_size=5, max_size=5)


@pytest.fixture
def wordle():
    return Wordle(WORDS)


def told(guess, secret):
    """The rule as players know it: cross off letters of the secret as they are used up."""
    left = list(secret)
    colour = [0] * 5
    for place in range(5):
        if guess[place] == secret[place]:
            colour[place] = 2
            left.remove(guess[place])
    for place in range(5):
        if colour[place] == 0 and guess[place] in left:
            colour[place] = 1
            left.remove(guess[place])
    return colour


@pytest.mark.parametrize(
    ("guess", "secret", "expected"),
    [
        ("crane", "crane", "🟩🟩🟩🟩🟩"),
        ("speed", "abide", "⬛⬛🟨⬛🟨"),  # one e in the secret: only the first is yellow
        ("speed", "erase", "🟨⬛🟨🟨⬛"),
        ("eerie", "elope", "🟩⬛⬛⬛🟩"),  # both e's are in place, none is left for the second
        ("allee", "label", "🟨🟨🟨🟩⬛"),
        ("kebab", "abbey", "⬛🟨🟩🟨🟨"),
    ],
)
def test_colours_by_hand(guess, secret, expected):
    assert "".join(COLOURS[digit] for digit in colours(guess, secret)) == expected


@given(few_letters, few_letters)
def test_colours_are_those_of_the_slow_rule(guess, secret):
    assert colours(guess, secret).tolist() == told(guess, secret)


@given(st.lists(few_letters, min_size=2, max_size=6, unique=True))
def test_the_table_holds_every_answer(words):
    table = answers(words)
    for i, guess in enumerate(words):
        for j, secret in enumerate(words):
            assert digits(int(table[i, j])).tolist() == told(guess, secret)
            assert (table[i, j] == 242) == (i == j)


def test_a_game(wordle):
    assert wordle.reset(options={"secret": "elope"}) == (START, {"secret": "elope"})
    assert wordle.step("eerie")[:4] == ("🟩⬛⬛⬛🟩", -1.0, False, False)
    assert wordle.step("zzzzz")[:4] == (UNKNOWN * 5, -1.0, False, False)
    assert wordle.step("elope")[1:4] == (0.0, True, False)
    with pytest.raises(RuntimeError, match="reset"):
        wordle.step("elope")


def test_the_last_guess_ends_the_game():
    wordle = Wordle(WORDS, guesses=2)
    wordle.reset(options={"secret": "crane"})
    assert not wordle.step("slate")[2]
    assert wordle.step("slate")[1:4] == (-1.0, True, False)


def test_secrets_are_drawn_by_seed_or_named(wordle):
    assert wordle.reset(seed=3) == wordle.reset(seed=3)
    assert {wordle.reset(seed=i)[1]["secret"] for i in range(60)} == set(WORDS)
    with pytest.raises(SettingsError, match="cannot hide 'zebra'"):
        wordle.reset(options={"secret": "zebra"})


def test_games_side_by_side_do_not_disturb_each_other(wordle):
    wordle.reset(options={"secret": "crane"})
    other = wordle.beside()
    with pytest.raises(RuntimeError, match="reset"):
        other.step("crane")
    other.reset(options={"secret": "slate"})
    assert other.step("slate")[2]
    assert wordle.step("crane")[1:3] == (0.0, True)


def best_by_trying_everything(candidates, words, left):
    """Least total of failed guesses, with no bound, table or memory."""
    if not left:
        return 0
    totals = []
    for guess in words:
        parts = {}
        for secret in candidates:
            if secret != guess:
                parts.setdefault(tuple(told(guess, secret)), []).append(secret)
        if len(parts) == 1 and len(next(iter(parts.values()))) == len(candidates):
            continue  # told nothing
        failed = len(candidates) - (guess in candidates)
        totals.append(
            failed + sum(best_by_trying_everything(p, words, left - 1) for p in parts.values())
        )
    return min(totals)


@settings(max_examples=40, deadline=None)
@given(st.lists(few_letters, min_size=2, max_size=6, unique=True), st.integers(1, 4))
def test_the_optimum_is_what_brute_force_finds(words, guesses):
    wordle = Wordle(words, guesses=guesses)
    expected = -best_by_trying_everything(words, words, guesses) / len(words)
    assert wordle.optimum() == pytest.approx(expected)
    assert wordle.entropy_return() <= wordle.optimum() + 1e-12


def test_an_optimum_by_hand():
    # The first guess tells the other two apart: one game takes one guess, two take two.
    assert Wordle(["abcde", "abcdf", "fghij"]).optimum() == pytest.approx(-2 / 3)
    # Nothing tells these nine apart but naming them: secret i fails i guesses, at most all three.
    alike = Wordle([f"{letter}ight" for letter in "beflmnrst"], guesses=3)
    assert alike.optimum() == pytest.approx(-(0 + 1 + 2 + 6 * 3) / 9)
    assert alike.entropy_return() == pytest.approx(-(0 + 1 + 2 + 6 * 3) / 9)
    # With one guess all but one secret are missed.
    assert Wordle(WORDS, guesses=1).optimum() == pytest.approx(-7 / 8)


def test_the_log_is_what_its_rules_say(wordle):
    log = wordle.log(200)
    assert log[:20] == wordle.log(20)
    assert log != Wordle(WORDS, seed=1).log(200)
    for episode in log:
        game = wordle.beside()
        secret = next(
            word
            for word in WORDS
            if all(
                shown.text == "".join(COLOURS[digit] for digit in told(guess.text, word))
                for guess, shown in zip(episode.turns[1::2], episode.turns[2::2], strict=False)
            )
            and (episode.actions[-1].reward or episode.reply == word)
            and not (episode.actions[-1].reward == -1 and episode.reply == word)
        )
        game.reset(options={"secret": secret})
        for number, turn in enumerate(episode.actions, 1):
            shown, reward, ended, _, _ = game.step(turn.text)
            assert reward == turn.reward
            assert ended == (number == len(episode.actions))
            if not ended:
                assert episode.turns[2 * number].text == shown


def test_the_share_of_consistent_guesses_makes_the_log():
    earned = {}
    for share in (0.0, 0.5, 1.0):
        log = Wordle(WORDS, consistent=share).log(400)
        earned[share] = mean(sum(turn.reward for turn in each.actions) for each in log)
        words = [[turn.text for turn in each.actions] for each in log]
        assert any(len(set(each)) < len(each) for each in words) == (share < 1)
    # At random, guess k fails with the chance that k draws missed one word of eight.
    assert earned[0.0] == pytest.approx(-sum((7 / 8) ** k for k in range(1, 7)), abs=0.2)
    assert earned[0.0] < earned[0.5] < earned[1.0] < -1


@pytest.mark.skipif(not REAL.exists(), reason="the word lists are not on this machine")
def test_log_and_optimum_of_the_real_list_are_the_references():
    wordle = Wordle(REAL)
    earned = [sum(turn.reward for turn in each.actions) for each in wordle.log(4000)]
    assert mean(earned) == pytest.approx(-4.12, abs=0.1)
    assert wordle.entropy_return() == pytest.approx(-1.94, abs=0.01)
    assert wordle.optimum() == pytest.approx(-819 / 431)


def test_a_token_is_a_sign_and_only_guesses_are_actions(wordle):
    model = wordle.model()
    assert len(wordle.tokenizer) == 33
    [encoded] = encode_episodes(model, wordle.log(1), feedback)
    actions = wordle.log(1)[0].actions
    assert len(encoded.actions) == 6 * len(actions)
    said = [model.decode(encoded.action_tokens[encoded.turn_ids == i]) for i in range(len(actions))]
    assert said == [turn.text for turn in actions]
    assert encoded.rewards[5::6].tolist() == [turn.reward for turn in actions]
    assert not np.delete(encoded.rewards, slice(5, None, 6)).any()
    whole = model.decode(encoded.tokens)
    assert whole == "".join(turn.text for turn in wordle.log(1)[0].turns)


def test_a_model_plays_whole_games(wordle):
    games = [wordle.beside() for _ in range(4)]
    episodes = roll_out(wordle.model(), games, Decoding(max_new_tokens=6), seed=0)
    for episode in episodes:
        assert not episode.truncated
        assert len(episode.actions) == 6 or episode.actions[-1].reward == 0


def test_it_is_found_by_name():
    assert load("environments", "wordle") is Wordle


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["crane", "cranes"], "row 2.*'cranes'"), (["crane"], "at least 2"), (["a" * 5] * 2, "twice")],
)
def test_bad_lists_are_refused(tmp_path, words, sentence):
    file = tmp_path / "words.txt"
    file.write_text("\n".join(words))
    with pytest.raises(DataError, match=sentence) as refused:
        Wordle(file)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("bad", [{"first": 9}, {"first": -1}, {"guesses": 0}, {"consistent": 1.5}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(SettingsError, match=f"wordle setting {next(iter(bad))}"):
        Wordle(WORDS, **bad)
