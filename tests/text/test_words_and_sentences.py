"""Words, sentences, stop words and stems, in English and in Chinese."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.text.segmentation import Segmenter, is_chinese, segmenter, words
from speaq.text.sentences import places, sentences
from speaq.text.stemming import stems
from speaq.text.stop_words import stop_words

NAMES = "Dr. Wu met J. R. Hu at 3.5 p.m. on Jan. 5."
MIXED = st.text(alphabet="ab Z.!?,'\"”’。！？，…\n\t1我们今天好吗「」A-", max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我来到北京清华大学。", ["我", "来到", "北京", "清华大学"]),
        ("Don't pay 3.5 or 1,000!", ["Don't", "pay", "3.5", "or", "1,000"]),
        ("用Python写代码", ["用", "Python", "写", "代码"]),
        ("a well-known café", ["a", "well", "known", "café"]),
        ("𠮷野家", ["𠮷", "野家"]),
        ("…!?，。", []),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@given(MIXED)
def test_words_lie_in_order_and_only_marks_lie_between(text):
    last = 0
    for start, end in segmenter().places(text):
        assert last <= start < end
        assert not any(sign.isalnum() for sign in text[last:start])
        last = end
    assert not any(sign.isalnum() for sign in text[last:])


def test_words_of_ones_own_are_not_cut_and_stay_with_their_segmenter():
    text = "他在魔搭社区工作"
    own = Segmenter(["魔搭社区"])
    assert "魔搭社区" in own.words(text)
    assert "魔搭社区" not in words(text)


@pytest.mark.parametrize("word", ["", "魔搭 社区"])
def test_what_cannot_be_a_word_is_refused(word):
    with pytest.raises(DataError):
        Segmenter([word])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气好", True),
        ("我用Python写代码", True),
        ("The word 好 means good", False),
        ("hello", False),
        ("123 !?", False),
        ("", False),
    ],
)
def test_is_chinese(text, expected):
    assert is_chinese(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. It pours! Why?", ["It rains.", "It pours!", "Why?"]),
        (f"{NAMES} Fine.", [NAMES, "Fine."]),
        ("We like Washington, D.C. It is big.", ["We like Washington, D.C.", "It is big."]),
        ("Plan B. Then home.", ["Plan B.", "Then home."]),
        ("Cats, dogs etc. are pets.", ["Cats, dogs etc. are pets."]),
        ('"Really?" he said. "No." She left.', ['"Really?" he said.', '"No."', "She left."]),
        ("Well... maybe. Well... So what?", ["Well... maybe.", "Well...", "So what?"]),
        ("A title\n\nA text without end", ["A title", "A text without end"]),
        ("a line\nof the same", ["a line\nof the same"]),
        ("Version 2.0 is out", ["Version 2.0 is out"]),
        ("", []),
    ],
)
def test_english_sentences(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天天气好。我们去吗？！好！", ["今天天气好。", "我们去吗？！", "好！"]),
        ("“你好！”他说……然后走了。", ["“你好！”", "他说……", "然后走了。"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("价格是3.5元。OK. 下一句", ["价格是3.5元。", "OK.", "下一句"]),
        ("（真的吗？）是的。", ["（真的吗？）", "是的。"]),
        ("他用Dr. Who做例子。", ["他用Dr. Who做例子。"]),
        ("  没有句号  ", ["没有句号"]),
    ],
)
def test_chinese_sentences(text, expected):
    assert sentences(text) == expected


@given(MIXED)
@settings(max_examples=300)
def test_sentences_leave_out_nothing_but_space(text):
    last = 0
    for start, end in places(text):
        assert not text[last:start].strip()
        assert text[start:end] == text[start:end].strip() != ""
        last = end
    assert not text[last:].strip()


def test_a_text_without_end_takes_no_quadratic_time():
    # With a search from the start at every full stop this takes minutes.
    text = "a.b" * 100_000 + " " + "J. " * 30_000
    assert "".join(sentences(text)).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_stop_words_say_how_rather_than_what(language):
    found = stop_words(language)
    assert {"en": {"the", "of", "is"}, "zh": {"的", "了", "是"}}[language] <= found
    # What turns a meaning around, or carries it, is kept.
    assert not found & {"not", "no", "never", "good", "不", "没有", "没", "好"}
    assert all(word == word.lower() and not re.search(r"\s", word) for word in found)
    assert found < stop_words()


def test_stems():
    assert stems(["Running", "runs", "ponies", "好吃", "真的"]) == [
        "run",
        "run",
        "poni",
        "好吃",
        "真的",
    ]
