"""Sentences, codes, scripts, and what is not translated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.translate.files.markup import readable, stretches, written
from speaq.apps.translate.texts.languages import (
    detected,
    name_of,
    pair_of,
    plain,
    ranked,
    script_of,
)
from speaq.apps.translate.texts.protection import Span, around, protected
from speaq.apps.translate.texts.scripts import in_script
from speaq.apps.translate.texts.segments import joined as put_together
from speaq.apps.translate.texts.segments import segments
from speaq.core.errors import SettingsError

_TEXTS = st.text(alphabet="aB 。，.!?\n\r\t你好3ä—'😀", max_size=80)


@given(_TEXTS, st.sampled_from(["", "de", "en", "zh"]), st.integers(1, 9))
def test_pieces_put_together_are_the_text(text: str, language: str, longest: int) -> None:
    pieces = segments(text, language, longest)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.start for piece in pieces] == [
        sum(len(each.text) for each in pieces[:place]) for place in range(len(pieces))
    ]
    assert all(piece.text == piece.text.strip() for piece in pieces if piece.sentence)


@given(_TEXTS)
def test_line_breaks_and_margins_survive_translation(text: str) -> None:
    pieces = segments(text, "de")
    said = [piece.text for piece in pieces if piece.sentence]
    assert "".join(put_together(pieces, said, "de", "en")) == text


def test_no_space_between_chinese_sentences_and_one_between_english() -> None:
    english = segments("One. Two.\nThree.", "en")
    assert "".join(put_together(english, ["一。", "二。", "三。"], "en", "zh")) == "一。二。\n三。"
    chinese = segments("一。二。\n三。", "zh")
    assert "".join(put_together(chinese, ["One.", "Two.", "Three."], "zh", "en")) == (
        "One. Two.\nThree."
    )


def test_a_german_ordinal_ends_no_sentence() -> None:
    found = [each.text for each in segments("Am 3. Mai kam er. Dann ging er.", "de")]
    assert found == ["Am 3. Mai kam er.", " ", "Dann ging er."]


def test_long_sentences_are_cut_behind_commas_or_between_words() -> None:
    pieces = [each for each in segments("ab, " * 30, "en", 12) if each.sentence]
    assert all(len(each.text.split()) <= 12 for each in pieces)
    assert all(each.text.endswith(",") for each in pieces)
    chinese = [each.text for each in segments("狗" * 100, "zh", 30)]
    assert max(map(len, chinese)) == 30


@pytest.mark.parametrize(
    ("code", "language", "script"),
    [
        ("zh", "zh", ""),
        ("zh-Hans", "zh", "Hans"),
        ("zh-CN", "zh", "Hans"),
        ("zh_TW", "zh", "Hant"),
        ("ZH-hant", "zh", "Hant"),
        ("cmn", "zh", ""),
        ("en-GB", "en", ""),
        ("auto", "", ""),
    ],
)
def test_codes(code: str, language: str, script: str) -> None:
    assert (plain(code), script_of(code)) == (language, script)


def test_detection_in_several_languages() -> None:
    assert detected("Ein Hund läuft durch den Schnee.") == "de"
    assert detected("A dog runs through the snow.") == "en"
    assert detected("一只狗在雪地里奔跑。") == "zh"
    assert detected("狗") == "zh"
    assert detected("Un chien court dans la neige.", ["en", "fr"]) == "fr"
    assert detected("😀 123") == ""
    probabilities = [p for _, p in ranked("Das ist ein Haus", ["de", "en"])]
    assert sum(probabilities) == pytest.approx(1.0)
    assert name_of("zh-Hant") == ("Chinese", "中文")


def test_the_pair_is_found_out_or_refused() -> None:
    pairs = [("de", "en"), ("fr", "en"), ("en", "de")]
    assert pair_of("auto", "en", "Un chien court dans la neige.", pairs) == ("fr", "en")
    assert pair_of("de-AT", "", "Hund", pairs) == ("de", "en")
    with pytest.raises(SettingsError) as refused:
        pair_of("fr", "zh", "", pairs)
    assert "fr → zh" in refused.value.en and "de → en" in refused.value.zh


def test_scripts() -> None:
    assert in_script("汉语软件", "Hant") == "漢語軟件"
    assert in_script("漢語", "Hans") == "汉语"
    assert in_script("汉语", "") == "汉语"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "Siehe https://example.com/a?b=1. Und www.x.de, gut",
            ["https://example.com/a?b=1", "www.x.de"],
        ),
        ("写信至a.b@c.cn。", ["a.b@c.cn"]),
        ("访问https://example.com/x，谢谢", ["https://example.com/x"]),
        ("Hallo {name}, %s von %(n)d, {{x}} ${y}", ["{name}", "%s", "%(n)d", "{{x}}", "${y}"]),
        ("100 % der Leute, 50%", []),
        ("Tippe `rm -rf` ein", ["`rm -rf`"]),
        ("<b>fett</b> und &nbsp;", ["<b>", "</b>", "&nbsp;"]),
        ("a < b und c > d", []),
        ("Ja 👨‍👩‍👧 nein", ["👨‍👩‍👧"]),
    ],
)
def test_what_is_kept_by_itself(text: str, kept: list[str]) -> None:
    assert [span.text for span in protected(text)] == kept


def test_own_terms_are_kept_as_words_not_as_parts_of_words() -> None:
    spans = protected("Speaq und Speaqs, 用Speaq学习, speaq", ["Speaq"])
    assert [span.start for span in spans] == [0, 19]
    assert [span.text for span in protected("我爱北京烤鸭", ["北京烤鸭", "北京"])] == ["北京烤鸭"]


@given(st.text(alphabet="ab `<>{}%s@.:/ https://x.y 你😀&;", max_size=60))
def test_around_loses_nothing(text: str) -> None:
    pieces = around(text, protected(text, ["ab"]))
    assert "".join(each.text if isinstance(each, Span) else each for each in pieces) == text


_PAGE = (
    "<!doctype html>\n<html><head><title>Hund &amp; Katze</title><style>p > b {x:1}</style></head>"
    '<body class="a&b"><p>Ein <b data-x="1>0">Hund</b> l&auml;uft.</p><!-- nicht -->'
    '<p translate="no">Marke</p><script>if (a < b) {}</script><br/>Ende &lt;hier&gt;</body></html>'
)


def test_html_is_cut_into_what_is_translated_and_what_stays() -> None:
    parts = stretches(_PAGE)
    assert "".join(part.text for part in parts) == _PAGE
    assert [part.text for part in parts if part.translate] == [
        "Hund &amp; Katze",
        'Ein <b data-x="1>0">Hund</b> l&auml;uft.',
        "Ende &lt;hier&gt;",
    ]


def test_entities_are_words_for_the_translator_and_markup_again_after_it() -> None:
    assert readable("Hund &amp; K&auml;fer &lt;x&gt; <a href='?a=1&amp;b'>y</a>") == (
        "Hund & Käfer &lt;x&gt; <a href='?a=1&amp;b'>y</a>"
    )
    assert written("Dog & cat &lt;x&gt; <a href='?a&b'>y</a>") == (
        "Dog &amp; cat &lt;x&gt; <a href='?a&b'>y</a>"
    )


@given(st.text(alphabet="<>/ab=\"' &;!-scriptp\n", max_size=60))
def test_any_markup_however_broken_is_kept_whole(document: str) -> None:
    assert "".join(part.text for part in stretches(document)) == document
