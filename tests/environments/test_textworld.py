"""The coin collector: games of TextWorld's own, what is seen of them, what the log is made of."""

import math
import sys
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.rollout import roll_out
from speaq.environments.textworld import DIRECTIONS, WORDS, CoinCollector, word_logprobs
from speaq.experience.rewards import feedback
from speaq.models.decoding import Decoding
from speaq.training.encoding import encode_episodes

BACK = dict(zip(DIRECTIONS, ("south", "west", "north", "east"), strict=True))


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    pytest.importorskip("textworld", reason="TextWorld is an optional extra: speaq[textworld]")
    made = CoinCollector(tmp_path_factory.mktemp("games"), length=3, games=3, limit=12)
    made.build()
    return made


def explored(house, seen, came=None):
    """Commands of a depth-first search that takes the coin, as somebody without a map finds it."""
    if "coin" in seen.split():
        return [*["take coin"]], house.step("take coin")[1:3]
    said = []
    for way in seen.split():
        if way != came:
            there = house.step(f"go {way}")[0]
            deeper, end = explored(house, there, BACK[way])
            said += [f"go {way}", *deeper]
            if end:
                return said, end
            house.step(f"go {BACK[way]}")
            said.append(f"go {BACK[way]}")
    return said, None


def test_every_game_is_won_by_searching(house):
    for number in range(house.games):
        other = replace(house, game=number)
        seen, facts = other.reset()
        assert facts["game"] == number
        said, end = explored(other, seen)
        assert end == (1.0, True)
        assert house.length <= len(said) <= house.length * 3
        with pytest.raises(RuntimeError, match="reset"):
            other.step("look")


def test_what_is_seen_are_the_exits_and_the_coin(house):
    seen, facts = house.reset(options={"game": 0})
    assert {f"go {way}" for way in seen.split()} <= set(facts["admissible"])
    assert house.step("look")[:4] == (seen, 0.0, False, False)
    strange = next(way for way in DIRECTIONS if way not in seen.split())
    for nonsense in (f"go {strange}", "dance", ""):
        assert house.step(nonsense)[:4] == (f"what {seen}", 0.0, False, False)
    there = house.step(f"  go   {seen.split()[0]} ")[0]
    assert BACK[seen.split()[0]] in there.split()


def test_the_limit_cuts_a_game_off(house):
    house.reset(seed=1)
    ends = [house.step("look")[2:4] for _ in range(house.limit)]
    assert ends == [(False, False)] * (house.limit - 1) + [(False, True)]


def test_a_game_is_the_same_wherever_it_is_built(house, tmp_path):
    again = replace(house, folder=tmp_path, game=1)
    assert again.reset() == replace(house, game=1).reset()
    [file] = tmp_path.iterdir()
    assert file.read_text() == (house.folder / file.name).read_text()
    replace(again, houses=1).reset()
    assert len({each.read_text() for each in tmp_path.iterdir()}) == 2


def test_games_are_drawn_by_seed_or_named(house):
    assert house.reset(seed=5) == house.reset(seed=5)
    assert {house.reset(seed=i)[1]["game"] for i in range(40)} == {0, 1, 2}
    with pytest.raises(SettingsError, match="no game 3"):
        house.reset(options={"game": 3})


def test_the_log_replays_and_its_solver_solves(house):
    log = house.log(30)
    assert log[:10] == house.log(10)
    assert any(each.truncated for each in log) and not all(each.truncated for each in log)
    for episode in log:
        assert any(_replays(replace(house, game=number), episode) for number in range(house.games))
    for episode in replace(house, solver=1.0).log(5):
        assert len(episode.actions) == house.length and episode.actions[-1].reward == 1.0
    poor, good = (replace(house, solver=share).log(60) for share in (0.0, 0.5))
    assert mean(each.actions[-1].reward for each in poor) < mean(
        each.actions[-1].reward for each in good
    )


def _replays(game, episode):
    seen, _ = game.reset()
    for number, turn in enumerate(episode.actions):
        if seen != episode.turns[2 * number].text:
            return False
        seen, reward, won, cut, _ = game.step(turn.text)
        if reward != turn.reward:
            return False
    return won or (cut and episode.truncated)


def test_propensities_are_those_of_the_mixture(house):
    [first, *_] = [each.turns for each in house.log(1)]
    admissible = len(first[0].text.split()) + 2  # the exits, inventory and look
    likely = math.exp(sum(first[1].logprobs))
    each = (1 - house.solver) / admissible
    assert likely == pytest.approx(each) or likely == pytest.approx(each + house.solver)


def test_the_log_encodes_with_its_own_tokens(house):
    encoded = encode_episodes(house.model(), house.log(4), feedback)
    for episode, each in zip(house.log(4), encoded, strict=True):
        assert not any(map(math.isnan, each.behaviour_logprobs))
        assert each.rewards.sum() == sum(turn.reward for turn in episode.actions)
        assert len(each.actions) == sum(len(turn.token_ids) for turn in episode.actions)


def test_a_model_plays_unseen_games(house):
    unseen = replace(house, split="test", games=1)
    games = [replace(unseen, game=0) for _ in range(2)]
    for episode in roll_out(house.model(), games, Decoding(max_new_tokens=3), seed=0):
        assert len(episode.actions) == house.limit and episode.truncated


@given(st.dictionaries(st.sampled_from(["a", "b", "a b", "b a", "b b"]), st.floats(0.1, 1)))
def test_words_of_a_command_multiply_to_the_command(shares):
    # No command may begin another: an end would have to be chosen.
    whole = {name: share for name, share in shares.items() if " " in name}
    total = sum(whole.values())
    for command in whole:
        likely = {name: share / total for name, share in whole.items()}
        logprobs = word_logprobs(command, likely)
        assert len(logprobs) == 2
        assert math.exp(sum(logprobs)) == pytest.approx(likely[command])


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "textworld", None)
    with pytest.raises(SettingsError, match=r"pip install 'speaq\[textworld\]'") as refused:
        CoinCollector(tmp_path).reset()
    assert "请安装" in refused.value.zh
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "bad",
    [
        {"length": 0},
        {"length": 60},
        {"distractors": 3},
        {"games": 0},
        {"limit": 4},
        {"split": "dev"},
        {"solver": 2.0},
        {"game": 50},
    ],
)
def test_bad_settings_are_refused(tmp_path, bad):
    with pytest.raises(SettingsError, match=f"textworld setting {next(iter(bad))}"):
        CoinCollector(tmp_path, **bad)


def test_it_is_found_by_name_and_knows_its_words():
    assert load("environments", "textworld") is CoinCollector
    assert len(WORDS.tokenizer) == 13
