"""What actions earn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.rewards import action_rewards, feedback, placed_rewards, resolve


def episode(*replies, rewards=(), **more):
    turns = [Turn("observation", "hi")]
    for number, reply in enumerate(replies):
        turns.append(Turn("action", reply, reward=rewards[number] if rewards else None))
    return Episode(tuple(turns), **more)


def test_one_number_goes_to_the_last_action():
    assert action_rewards(episode("a", "b", "c"), lambda _: 2) == [0.0, 0.0, 2.0]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=5))
def test_a_list_goes_one_to_one(values):
    assert action_rewards(episode(*["a"] * len(values)), lambda _: values) == values


def test_numpy_numbers_and_thumbs_are_numbers():
    assert action_rewards(episode("a"), lambda _: np.float32(0.5)) == [0.5]
    assert action_rewards(episode("a"), lambda _: True) == [1.0]


@pytest.mark.parametrize(
    ("earned", "says"),
    [
        (None, "has no reward"),
        ([1.0], "1 rewards for the 2 actions"),
        (math.nan, "not a finite number"),
        ([0.0, math.inf], "not a finite number"),
        ("good", "not a finite number"),
        ([0.0, [(1, math.nan)]], "not a finite number"),
        ([0.0, [(2, 1.0)]], "an end from 1 to 1"),
        ([0.0, [(0, 1.0)]], "an end from 1 to 1"),
        ([0.0, [(1.0, 1.0)]], "is no pair"),
        ([0.0, [(1,)]], "is no pair"),
        ([0.0, [1.0]], "is no pair"),
        ([(1, 1.0)], "1 rewards for the 2 actions"),
    ],
)
def test_unusable_rewards_are_refused_by_episode(earned, says):
    with pytest.raises(DataError, match=says) as caught:
        action_rewards(episode("a", "b", id="e7"), lambda _: earned)
    assert "e7" in caught.value.en and "e7" in caught.value.zh


def test_parts_of_a_reply_earn_where_they_end():
    given = [[(2, 0.5), (1, -1.0), (None, 0.25)], 3.0, []]
    earned = placed_rewards(episode("ab", "c", "d"), lambda _: given)
    assert earned == [[(2, 0.5), (1, -1.0), (None, 0.25)], [(None, 3.0)], []]
    assert action_rewards(episode("ab", "c", "d"), lambda _: given) == [-0.25, 3.0, 0.0]
    # Chinese is counted in characters, whatever their bytes or tokens.
    assert placed_rewards(episode("谢谢"), lambda _: [[(np.int64(2), True)]]) == [[(2, 1.0)]]


def test_feedback_keeps_rewards_inside_of_a_turn_apart_from_those_of_the_whole():
    turns = (
        Turn("observation", "hi"),
        Turn("action", "abc", token_rewards=((2, 0.5),)),
        Turn("action", "de", reward=1.0, token_rewards=((1, -0.5), (2, 0.25))),
    )
    assert placed_rewards(Episode(turns), feedback) == [
        [(2, 0.5), (None, 0.0)],
        [(1, -0.5), (2, 0.25), (None, 1.0)],
    ]
    rated = Episode(turns, reward=4.0, feedback=(Feedback("score", 8.0),))
    assert placed_rewards(rated, feedback)[1][-1] == (None, 13.0)
    assert feedback(Episode((Turn("action", "a", token_rewards=()),))) is None


def thumb(value, time=0.0):
    return Feedback("thumb", value, time)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (episode("a", "b"), None),
        (episode("a", feedback=(Feedback("comment", "5"),)), None),
        (episode("a", "b", feedback=(thumb(True),)), [0.0, 1.0]),
        (episode("a", feedback=(thumb(False),)), [0.0]),
        (episode("a", "b", rewards=(0.5, None)), [0.5, 0.0]),
        (episode("a", reward=0.0), [0.0]),
        (episode("a", "b", rewards=(1.0, 2.0), reward=4.0, feedback=(thumb(8.0),)), [1.0, 14.0]),
    ],
)
def test_the_reward_feedback(given, expected):
    assert feedback(given) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([thumb(0.0, 1), thumb(1.0, 2)], 1.0),
        ([thumb(1.0, 2), thumb(0.0, 1)], 1.0),
        ([thumb(0.0, 1), thumb(1.0, 1)], 1.0),
        ([thumb(0.3, 1), Feedback("comment", "no", 2)], 0.3),
    ],
    ids=["later", "late arrival", "same time", "words"],
)
def test_the_last_word_counts(events, expected):
    assert feedback(episode("a", feedback=tuple(events))) == [expected]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("one two three four", 1.0),
        ("one two", 0.5),
        ("w " * 6, 0.5),
        ("w " * 8, 0.0),
        ("w " * 99, 0.0),
        ("你好世界", 1.0),
        ("你好", 0.5),
        ("...", 0.0),
    ],
)
def test_length_peaks_at_its_target_in_both_languages(reply, expected):
    assert resolve("length", target=4)(episode(reply)) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("What a lovely, helpful answer!", 1.0),
        ("That is awful.", -1.0),
        ("It is not good.", -1.0),
        ("It's not a bad idea", 1.0),
        ("Good but ugly", 0.0),
        ("Goodness knows; the lie of the land", -1.0),
        ("It is raining.", 0.0),
        ("这个产品很好，我很满意", 1.0),
        ("服务太糟糕了", -1.0),
        ("一点也不好", -1.0),
        ("不错", 1.0),
        ("没有错误", 1.0),
        ("今天是星期一", 0.0),
    ],
)
def test_lexicon_hears_tone_in_both_languages(reply, expected):
    assert resolve("lexicon")(episode(reply)) == expected


def test_lexicon_takes_other_words():
    reward = resolve("lexicon", positive=["yes"], negative=["nope"])
    assert [reward(episode(reply)) for reply in ("Yes!", "nope", "good")] == [1.0, -1.0, 0.0]


def test_rule_finds_a_pattern():
    reward = resolve("rule", pattern=r"[.!?。！？]$", otherwise=-1.0)
    assert [reward(episode(reply)) for reply in ("Done.", "好。", "and")] == [1.0, 1.0, -1.0]


def exclaims(episode):
    return float(episode.reply.count("!"))


def test_a_function_is_a_reward_and_so_is_its_name(monkeypatch, tmp_path):
    assert resolve(exclaims) is exclaims
    (tmp_path / "my_rewards.py").write_text("def two(episode):\n    return 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("my_rewards:two")(episode("a")) == 2.0


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("lenght", {}, "did you mean 'length'"),
        ("length", {"traget": 3}, "traget"),
        ("rule", {}, "pattern"),
        ("json:nothing", {}, "has no 'nothing'"),
        ("no_such_module:f", {}, "no module 'no_such_module'"),
        ("math:pi", {}, "not a function"),
    ],
)
def test_unknown_rewards_and_settings_are_refused_before_any_work(name, settings, says):
    with pytest.raises(SettingsError, match=says):
        resolve(name, **settings)


@pytest.mark.parametrize(
    ("name", "settings"), [("rule", {"pattern": "("}), ("length", {"target": 0})]
)
def test_impossible_settings_are_refused(name, settings):
    with pytest.raises(SettingsError):
        resolve(name, **settings)(episode("a"))


def test_a_withdrawn_thumb_no_longer_counts() -> None:
    turns = (Turn("observation", "hi"), Turn("action", "hello"))
    thumb = Feedback("thumb", True, time=1.0, id="a")
    stars = Feedback("score", 0.25, time=0.5, id="b")
    back = Feedback("thumb", "withdrawn", time=2.0, id="c")
    again = Feedback("thumb", False, time=3.0, id="d")
    assert feedback(Episode(turns, feedback=(stars, thumb))) == [1.0]
    assert feedback(Episode(turns, feedback=(stars, thumb, back))) == [0.25]
    assert feedback(Episode(turns, feedback=(thumb, back))) is None
    assert feedback(Episode(turns, feedback=(thumb, back, again))) == [0.0]
