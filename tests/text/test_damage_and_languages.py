"""Misread text is found and undone, sound text is left alone; languages are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.text.doctor.damage import damage, mend
from speaq.text.doctor.languages import language, majority, of_many, plain_code

SOUND = [
    "你好，世界！今天天气很好。",
    "一二三四五",
    "联通",
    "××的啊，怪不得",
    "有点像··打的漂亮",
    "Où est le café ? Près d'ici, à gauche.",
    "Ärger über Öl — “fine”",
    "It's 20 °C ± 2, naïve café",
    "家族 👨‍👩‍👧 很好",
    "Что это?",
    "これは本です。",
    "What???",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_left_alone(text) -> None:
    assert damage(text) == ""
    assert mend(text) == text


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        ("这个菜很好吃", "utf-8", "gb18030"),
        ("你好，世界", "gbk", "latin-1"),
        ("你好世界，今天天气很好", "utf-8", "latin-1"),
        ("café très bon, à gauche", "utf-8", "cp1252"),
        ("Grüße aus Köln", "utf-8", "latin-1"),
    ],
)
def test_text_read_in_a_wrong_encoding_is_undone(text, written, read) -> None:
    bad = text.encode(written).decode(read)
    assert damage(bad) == "misread"
    assert mend(bad) == text


@pytest.mark.parametrize("text", ["a \ufffd b", "锟斤拷锟斤拷", "????", "？？？？？"])
def test_what_is_lost_is_told_and_not_invented(text) -> None:
    assert damage(text) == "lost"


def test_invisible_characters_are_told() -> None:
    assert damage("so\u200b good") == "invisible"
    assert mend("\ufeff很\x08好") == "很好"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_plain_ascii_is_never_misread(text) -> None:
    assert damage(text) in ("", "lost")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("这家餐厅的菜很好吃，下次还来", "zh"),
        ("這家餐廳的菜很好吃，下次還來", "zh"),
        ("The food in this place was really good", "en"),
        ("Das Essen in diesem Restaurant war wirklich gut", "de"),
        ("La nourriture de ce restaurant était vraiment bonne", "fr"),
        ("このレストランの料理はとてもおいしかったです", "ja"),
        ("이 식당의 음식은 정말 맛있었어요", "ko"),
        ("Еда в этом ресторане была очень вкусной", "ru"),
        ("OK", ""),
        ("12 345", ""),
        ("", ""),
        ("我喜欢 iPhone 和 MacBook Pro", "zh"),
    ],
)
def test_languages_are_told_apart_and_little_text_is_not_judged(text, code) -> None:
    assert language(text) == code


def test_short_texts_are_judged_together() -> None:
    assert (
        of_many(["Hi.", "Run!", "Who are you?", "I know.", "We won the game.", "Stop it!"]) == "en"
    )
    assert of_many([]) == ""
    assert majority(["en", "en", "", "zh"]) == ""
    assert plain_code("zh-Hans") == "zh"
