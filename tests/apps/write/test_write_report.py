"""What is counted: variety, repetition, surprise, copied spans, digests."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.write.copying import longest_copied
from speaq.apps.write.report import distinct, repeated, report, rouge_n, self_bleu, surprise
from speaq.apps.write.request import WriteRequest
from speaq.apps.write.summarising import LEAD, MODEL, RANK, compared, lead, textrank
from speaq.core.errors import DataError, SettingsError


def plain(text):
    return " ".join(text.split())


def tried(one, other):
    """The longest shared span, by trying."""
    return max(
        (j - i for i in range(len(one)) for j in range(i, len(one) + 1) if one[i:j] in other),
        default=0,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ab 月", max_size=14), max_size=3),
    st.lists(st.text("ab 月", max_size=20), max_size=3),
)
def test_the_longest_copied_span_is_that_of_trying(written, training):
    found = longest_copied(written, training)
    wanted = max((tried(plain(a), plain(b)) for a in written for b in training), default=0)
    assert found.length == len(found.span) == wanted
    if wanted:
        assert found.span in plain(written[found.text])
        assert any(found.span in plain(text) for text in training)


def test_a_copied_span_is_found_across_line_ends_and_flagged_from_fifty_on():
    training = ["x" * 3000 + "春眠不觉晓，处处闻啼鸟。\n" * 4 + "y" * 3000]
    span = "春眠不觉晓，处处闻啼鸟。 " * 4
    exactly = longest_copied([f"我写道：{span[:50]}！"], training)
    assert (exactly.length, exactly.flagged) == (50, True)
    short = longest_copied([f"我写道：{span[:49]}！"], training)
    assert (short.length, short.flagged) == (49, False)


def test_variety_and_repetition():
    split = [["a", "b", "a", "b"], ["a", "c"]]
    assert distinct(split, 1) == 3 / 6
    assert distinct(split, 2) == 3 / 4
    assert repeated([["a", "b"] * 4], 4) == pytest.approx(1 - 2 / 5)
    assert repeated([["a"]], 4) == 0.0
    same, other = [["a", "b", "c", "d"]] * 2, [list("abcd"), list("wxyz")]
    assert self_bleu(same) == pytest.approx(100)
    assert self_bleu(other) < 10
    assert self_bleu(same[:1]) is None


def test_a_uniform_model_needs_eight_bits_and_a_little_per_byte(writing):
    """With logits all alike, every token costs ln V: bits per byte are log2 V for byte tokens."""
    import copy

    model = copy.copy(writing.language_model)
    model.causal = copy.deepcopy(model.causal)
    with torch.no_grad():
        model.output_table.zero_()
    found = surprise(model, ["hello", "你好" * 400])
    assert found["perplexity"] == pytest.approx(len(model.output_table), rel=1e-3)
    assert found["bits_per_byte"] == pytest.approx(math.log2(len(model.output_table)), rel=1e-3)


def test_a_report_holds_what_it_was_asked(writing):
    found = report(["春眠不觉晓。", "The moon."], model=writing.language_model, training=["春眠不"])
    assert found["texts"] == 2
    assert found["units"] == 5 + 2
    assert found["copied_characters"] == 3
    assert not found["copied"]
    assert "perplexity" not in report(["a"])
    with pytest.raises(DataError, match="no text"):
        report(["  "])


def test_rouge():
    assert rouge_n("the cat sat", "the cat ran", 1) == pytest.approx(2 / 3)
    assert rouge_n("the cat sat", "the cat ran", 2) == pytest.approx(1 / 2)
    assert rouge_n("今天下雨", "今天晴", 1) == pytest.approx(2 * 2 / 7)
    assert rouge_n("", "a", 1) == 0.0


NEWS = {
    "en": "The dam broke on Monday. Officials blamed rain on the dam. A cat slept. The broken dam "
    "flooded the town after rain. Bread is nice.",
    "zh": "大坝周一决口。官员称大坝决口因暴雨。一只猫在睡觉。暴雨之后大坝决口淹没小镇。面包好吃。",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_digests_without_a_model(language):
    source = NEWS[language]
    first = lead(source, 2)
    assert source.startswith(first)
    ranked = textrank(source, 2)
    # What shares no word with the rest is never chosen.
    assert not any(word in ranked for word in ("cat", "Bread", "猫", "面包"))
    assert textrank("One.", 3) == "One."


def test_a_digest_that_is_not_worth_it_is_said_to_be(writing):
    source = NEWS["en"]
    request = WriteRequest(
        kind="digest", source=source, reference="The dam broke on Monday.", length=8, seed=0
    )
    details = answered(writing, request).details
    assert set(details["digests"]) == {LEAD, RANK, MODEL}
    assert details["rouge"][LEAD]["rouge_1"] > details["rouge"][MODEL]["rouge_1"]
    assert "the model is not worth it" in details["verdict"]
    assert "不值得用模型" in details["verdict_zh"]
    without = answered(
        writing, WriteRequest(kind="digest", source=source, length=8, seed=0)
    ).details
    assert without["rouge"] == {}
    assert "Without a reference" in without["verdict"]


def test_a_digest_that_is_worth_it():
    found = compared({LEAD: ["a b c"], RANK: ["x"], MODEL: ["d e f"]}, ["d e f"])
    assert found.scores[MODEL] == {"rouge_1": 1.0, "rouge_2": 1.0, "rouge_l": 1.0}
    assert "model writes the best" in found.verdict[0]


def test_a_source_that_fills_the_model_is_refused(writing):
    with pytest.raises(SettingsError, match="shorten the source") as caught:
        answered(writing, WriteRequest(kind="digest", source="word. " * 200))
    assert "请缩短原文" in caught.value.zh
