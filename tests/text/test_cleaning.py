"""Cleaning: what nobody sees or meant goes, what was said stays, spans keep their words."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.text.cleaning import CleaningSettings, clean, clean_marked
from speaq.text.files.examples import Span
from speaq.text.marked import Marked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a\t b \r\n c  ", "a b\nc"),
        ("一\u3000二\n\n\n\n三", "一 二\n\n三"),
        ("ＡＢＣ１２３，ｏｋ！", "ABC123，ok！"),
        ("e\u0301", "\u00e9"),
        ("你\u200b好\ufeff\x00\u202e！", "你好！"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("<p>第一段</p><p>第二段&nbsp;&amp;完</p>", "第一段\n\n第二段 &完"),
        ("I <b class='x'>love</b> it<br/>so", "I love it\nso"),
        ("<script>var a = '<b>';</script>ok<!-- no -->", "ok"),
        ("x < y and y > z, I <3 u, a <b and c> d", "x < y and y > z, I <3 u, a <b and c> d"),
        ("<张三> said <hello>", "<张三> said <hello>"),
        ("", ""),
    ],
)
def test_clean(text, expected):
    assert clean(text) == expected


def test_each_kind_of_cleaning_can_be_left_out():
    text = "<i>Ａ\u200b，</i>  e\u0301\r\n"
    everything_off = CleaningSettings("keep", "keep", False, False, False)
    assert clean(text, everything_off) == text
    assert clean("好，Ａ！", CleaningSettings(width="all")) == "好,A!"
    assert clean("好，①", CleaningSettings(form="NFKC")) == "好,1"
    assert clean("a\nb\n\nc", CleaningSettings(lines=False)) == "a b c"


@pytest.mark.parametrize("wrong", [{"form": "NFX"}, {"width": "most"}])
def test_a_setting_that_does_not_exist_is_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong.values()))):
        CleaningSettings(**wrong)


PLAIN = st.text(alphabet=st.characters(exclude_characters="<&"), max_size=40)


@given(PLAIN)
def test_cleaning_twice_is_cleaning_once(text):
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(PLAIN)
def test_nothing_that_can_be_seen_is_lost(text):
    def seen(string):
        narrow = clean(string, CleaningSettings(blanks=False))
        return "".join(narrow.split())

    assert "".join(clean(text).split()) == seen(text)


@pytest.mark.parametrize(
    ("text", "words", "clean_text", "clean_words"),
    [
        ("  <b>Ａnn</b>  met  Bob\u200bby ", ["Ａnn", "Bob\u200bby"], "Ann met Bobby", None),
        ("他在 北\u200b京　大学 。", ["北\u200b京　大学"], "他在 北京 大学 。", ["北京 大学"]),
        ("x \u200b y", ["\u200b"], "x y", []),
    ],
)
def test_spans_cover_what_their_words_became(text, words, clean_text, clean_words):
    spans = [Span(text.index(word), text.index(word) + len(word), "N") for word in words]
    found = clean_marked(Marked(text, tuple(spans)))
    assert found.text == clean_text
    expected = [clean(word) for word in words] if clean_words is None else clean_words
    assert [word for word, _ in found.covered()] == expected


@given(PLAIN, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4))
def test_spans_survive_any_text(text, borders):
    places = sorted((min(pair), max(pair)) for pair in borders)
    spans = [Span(a, b, "N") for a, b in places if a < b <= len(text)]
    found = clean_marked(Marked(text, tuple(spans)))
    assert found.text == found.text.strip()
    assert len(found.spans) <= len(spans)
    for word, _ in found.covered():
        assert word == word.strip() != ""


def test_a_span_outside_of_its_text_is_refused():
    with pytest.raises(DataError, match="3–9"):
        Marked("short", (Span(3, 9, "N"),))
