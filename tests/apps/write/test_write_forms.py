"""Verse, lengths, schemas and patterns: the form is kept whatever the model would write."""

import json
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.write.application import Writing
from speaq.apps.write.forms import FORMS, Verse, rhyme
from speaq.apps.write.request import WriteRequest
from speaq.apps.write.verse import _packs
from speaq.core.errors import DataError, SettingsError
from speaq.text.sentences import sentences
from speaq.text.units import units


@pytest.mark.parametrize("form", [*FORMS, "wujue"])
@pytest.mark.parametrize("keywords", [(), ("明月",), ("明月", "故乡", "春风")])
def test_verse_keeps_its_form_and_its_keywords(characters, form, keywords):
    writer = Writing(characters)
    for seed in range(3):
        request = WriteRequest(
            topic="静夜思", kind="poem", form=form, keywords=keywords, seed=seed, temperature=2.0
        )
        answer = answered(writer, request)
        lines, width = FORMS[Verse.of(form).name]
        assert re.fullmatch(
            "\n".join([f"[一-鿿]{{{width}}}，[一-鿿]{{{width}}}。"] * (lines // 2)), answer.text
        )
        assert answer.details["verse"]["kept"]
        assert all(each in answer.text for each in keywords)


def test_verse_out_of_bytes(writing):
    request = WriteRequest(topic="春", kind="poem", form="五绝", keywords=("明月", "故乡"), seed=3)
    answer = answered(writing, request)
    assert Verse.of("五绝").kept(answer.text)
    assert "明月" in answer.text and "故乡" in answer.text


def test_lines_that_are_full_of_keywords(characters):
    full = ("床前明月光", "疑是地上霜", "举头望明月", "低头思故乡")
    request = WriteRequest(topic="静夜思", kind="poem", form="五绝", keywords=full, seed=0)
    text = answered(Writing(characters), request).text
    assert sorted(re.split("[，。\n]+", text.strip("。"))) == sorted(full)


def test_verse_rhymes_where_the_vocabulary_can(characters):
    request = WriteRequest(topic="静夜思", kind="poem", form="五律", seed=1, temperature=2.0)
    report = answered(Writing(characters), request).details["verse"]
    # Of few characters, those of the second line's rhyme may be fewer than a choice.
    wanted = rhyme(report["rhyme_characters"][0])
    have = {sign for sign in characters.tokenizer.get_vocab() if len(sign) == 1}
    if sum(rhyme(sign) == wanted for sign in have if "一" <= sign <= "鿿") >= 3:
        assert report["rhymes"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("光", "乡", True),
        ("晓", "鸟", True),
        ("知", "鸡", False),
        ("月", "雪", True),
        ("东", "风", True),
    ],
)
def test_rhymes(one, other, same):
    assert (rhyme(one) == rhyme(other)) is same


@given(st.lists(st.integers(1, 5), max_size=4), st.lists(st.integers(0, 7), min_size=1, max_size=4))
@settings(max_examples=60)
def test_packing_is_that_of_trying_everything(lengths, gaps):
    def tried(rest, left):
        if not rest:
            return True
        return any(
            left[n] >= rest[0] and tried(rest[1:], [*left[:n], left[n] - rest[0], *left[n + 1 :]])
            for n in range(len(left))
        )

    assert _packs(lengths, gaps) == tried(lengths, gaps)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [(("moon",), "does not fit a line"), (("静夜思故乡明月",), "does not fit a line"),
     (("明月光故乡", "春眠不觉晓", "夜来风雨声", "花落知多少", "山中"), "do not fit into")],
)  # fmt: skip
def test_keywords_that_no_poem_holds(writing, keywords, said):
    request = WriteRequest(topic="春", kind="poem", form="五绝", keywords=keywords)
    with pytest.raises(SettingsError, match=said):
        answered(writing, request)


@pytest.mark.parametrize("topic", ["rain", "春雨"])
@pytest.mark.parametrize("sentence_count", [0, 2])
def test_lengths_are_bounds(writing, topic, sentence_count):
    for seed in range(4):
        request = WriteRequest(topic=topic, length=12, sentences=sentence_count, seed=seed)
        answer = answered(writing, request)
        assert len(units(answer.text)) <= 12
        if sentence_count:
            assert len(sentences(answer.text)) <= sentence_count


def test_a_schema_is_kept(writing):
    schema = {
        "type": "object",
        "properties": {"stars": {"type": "integer", "minimum": 1, "maximum": 5}},
        "required": ["stars"],
        "additionalProperties": False,
    }
    request = WriteRequest(topic="tea", form=f"json:{json.dumps(schema)}", seed=0)
    answer = answered(writing, request)
    assert answer.details["complete"]
    assert 1 <= json.loads(answer.text)["stars"] <= 5


def test_a_pattern_is_kept(writing, characters):
    for writer, wanted in ((writing, r"[0-9]{4}-[0-9]{2}"), (Writing(characters), "[春花]{3}。")):
        answer = answered(writer, WriteRequest(topic="春", form=f"regex:{wanted}", seed=0))
        assert re.fullmatch(wanted, answer.text)


def test_without_the_library_the_extra_is_named(writing, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(SettingsError, match=r"speaq\[write\]"):
        answered(writing, WriteRequest(topic="x", form="regex:a"))


@pytest.mark.parametrize(
    ("fields", "said", "zh"),
    [
        ({}, "topic is empty", "主题为空"),
        ({"kind": "digest"}, "source is empty", "原文为空"),
        ({"topic": "x", "stars": 3}, "does not go with", "矛盾"),
        ({"topic": "x", "form": "五绝"}, "kind = poem", "矛盾"),
        ({"topic": "x", "kind": "poem", "form": "五绝", "language": "en"}, "language", "矛盾"),
        ({"topic": "x", "form": "五言"}, "unknown", "没有体裁"),
        ({"topic": "x", "form": "json:{"}, "not JSON", "JSON"),
        ({"topic": "x", "form": "regex:a", "keywords": ("a",)}, "keywords", "矛盾"),
        ({"topic": "x", "keywords": ("",)}, "keyword", "关键词"),
        ({"topic": "x", "source": "text"}, "kind = digest", "矛盾"),
        ({"topic": "x", "length": 0}, "length", "length"),
        ({"topic": "x", "stars": 9, "kind": "review"}, "0–5", "0–5"),
    ],
)
def test_what_is_refused(fields, said, zh):
    with pytest.raises((SettingsError, DataError), match=re.escape(said)) as caught:
        WriteRequest(**fields)
    assert zh in caught.value.zh


def test_a_pattern_that_is_none(writing):
    with pytest.raises(SettingsError, match="regular expression cannot be used"):
        answered(writing, WriteRequest(topic="x", form="regex:("))
