"""Mistakes put into clean texts: each kind as it says, in both languages, and always repairable."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.text.augmentation import tables
from speaq.text.augmentation.noise import (
    MISTAKES,
    NoiseSettings,
    noisy_pairs,
    with_mistakes,
)

ENGLISH = "There is a house, and their dog can't run."
CHINESE = "他高兴地跑得很快，今天的天气真好。"


def every(kind, text, count=200):
    """All texts that one mistake of a kind makes."""
    chosen = NoiseSettings((kind,), rate=0.001, clean=0)
    stream = np.random.default_rng(0)
    return {with_mistakes(text, chosen, stream).noisy for _ in range(count)}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("lose", "abc", {"ac", "ab"}),
        ("lose", "你好", {"你", "好"}),
        ("double", "abc", {"abbc", "abcc"}),
        ("turn", "abc", {"acb"}),
        ("turn", "你好吗", {"好你吗", "你吗好"}),
        ("turn", "哈哈", {"哈哈"}),
        ("confuse", "Their", {"There", "They're"}),
        ("article", "A dog", {"An dog"}),
        ("article", "an egg", {"a egg"}),
        ("particle", "好的", {"好地", "好得"}),
        ("shape", "未来", {"末来"}),
        ("repeat", "go home", {"go go home", "go home home"}),
        ("repeat", "喜欢", {"喜欢喜欢"}),
        ("punctuation", "好。", {"好", "好."}),
        ("punctuation", "so, 3.5", {"so 3.5", "so， 3.5"}),
        ("key", "好", {"好"}),
        ("sound", "abc", {"abc"}),
    ],
)
def test_what_each_mistake_makes(kind, text, expected):
    assert every(kind, text) == expected


def test_keys_lie_beside_each_other():
    assert set(tables.keyboard()["s"]) == set("awedxz")
    assert every("key", "as") == {f"a{letter}" for letter in tables.keyboard()["s"]}
    for letter, others in tables.keyboard().items():
        assert all(letter in tables.keyboard()[other] for other in others)


def test_homophones_sound_alike():
    found = tables.homophones()
    assert {"再", "载"} <= set(found["在"])
    assert "在" not in found["在"] and "是" not in found["在"]
    assert "四" in tables.near_homophones()["是"]
    assert len(tables.common()) == 3755
    assert every("sound", "在", 20) <= set(found["在"]) | set(tables.near_homophones()["在"])


def test_lookalikes_go_both_ways():
    found = tables.lookalikes()
    assert len(found) > 200
    for sign, others in found.items():
        assert sign not in others
        assert all(sign in found[other] for other in others)


@given(st.text(st.sampled_from("abc DE,.好的未来在地，。'3\n"), max_size=30), st.integers(0, 99))
@settings(max_examples=300)
def test_what_is_said_to_be_wrong_is_and_what_is_clean_is_the_text(text, seed):
    stream = np.random.default_rng(seed)
    pair = with_mistakes(text, NoiseSettings(rate=0.5), stream)
    assert pair.clean == text
    assert bool(pair.mistakes) == (pair.noisy != text)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_pairs_depend_on_seed_and_place_and_some_stay_clean(text):
    pairs = list(noisy_pairs([text] * 400, NoiseSettings(clean=0.25), seed=5))
    assert pairs == list(noisy_pairs([text] * 400, NoiseSettings(clean=0.25), seed=5))
    assert (
        pairs[7:]
        == list(noisy_pairs(["other"] * 7 + [text] * 393, NoiseSettings(clean=0.25), 5))[7:]
    )
    clean = sum(not pair.mistakes for pair in pairs)
    assert 60 < clean < 140
    assert {kind for pair in pairs for kind in pair.mistakes} >= {"lose", "turn", "repeat"}


def test_the_rate_says_how_many():
    text = " ".join(["word"] * 100)
    counts = [len(pair.mistakes) for pair in noisy_pairs([text] * 100, NoiseSettings(rate=0.1))]
    made = [count for count in counts if count]
    assert 9 < np.mean(made) < 11
    assert all(re.search(r"\S", pair.noisy) for pair in noisy_pairs([text]))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mistakes": ("typo",)}, "typo"),
        ({"rate": 0}, "rate"),
        ({"clean": 1}, "clean"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SettingsError, match=said):
        NoiseSettings(**wrong)
    assert set(NoiseSettings().mistakes) == set(MISTAKES)
