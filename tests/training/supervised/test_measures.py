"""Measures against slow definitions, other libraries, and numbers made by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.training.supervised.measures import (
    answer_measures,
    class_measures,
    per_class,
    plain_answer,
    rouge_l,
    several_measures,
    span_measures,
    text_measures,
)

TAGS = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), min_size=1, max_size=8)


def spans_by_hand(tags):
    """Every (from, to, kind) that begins at a B, or at an I that continues nothing."""
    found = set()
    for start, end in itertools.combinations(range(len(tags) + 1), 2):
        kinds = {tag[2:] for tag in tags[start:end]}
        if "O" in tags[start:end] or len(kinds) != 1:
            continue
        kind = kinds.pop()
        before = tags[start - 1] if start else "O"
        begins = tags[start][0] == "B" or before[2:] != kind
        inner = all(tag[0] == "I" for tag in tags[start + 1 : end])
        ends = end == len(tags) or tags[end] != f"I-{kind}"
        if begins and inner and ends:
            found.add((start, end, kind))
    return found


@settings(deadline=None)
@given(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=4))
def test_span_f1_is_that_of_its_definition(pairs):
    pairs = [(a[: len(b)], b[: len(a)]) for a, b in pairs]
    found, wanted = [a for a, _ in pairs], [b for _, b in pairs]
    sets = [(spans_by_hand(a), spans_by_hand(b)) for a, b in pairs]
    right = sum(len(a & b) for a, b in sets)
    given_, asked = sum(len(a) for a, _ in sets), sum(len(b) for _, b in sets)
    expected = 2 * right / (given_ + asked) if right else 0.0
    measures = span_measures(found, wanted)
    assert measures["f1"] == pytest.approx(expected)
    assert measures["sentences"] == pytest.approx(np.mean([a == b for a, b in sets]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1))
def test_accuracy_and_macro_f1_agree_with_scikit_learn(pairs):
    metrics = pytest.importorskip("sklearn.metrics")
    found, wanted = [a for a, _ in pairs], [b for _, b in pairs]
    measures = class_measures(found, wanted)
    assert measures["accuracy"] == pytest.approx(metrics.accuracy_score(wanted, found))
    macro = metrics.f1_score(wanted, found, average="macro", zero_division=0)
    assert measures["macro_f1"] == pytest.approx(macro)


def test_each_class_by_hand():
    rows = per_class(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    assert rows["a"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "examples": 1}
    assert rows["b"]["precision"] == 1.0
    assert rows["b"]["recall"] == pytest.approx(2 / 3)


def test_several_labels_by_hand():
    found = [("a",), ("a", "b"), ()]
    wanted = [("a",), ("b",), ("b",)]
    measures = several_measures(found, wanted)
    assert measures["accuracy"] == pytest.approx(1 / 3)
    assert measures["micro_f1"] == pytest.approx(2 * 2 / (3 + 3))
    assert measures["macro_f1"] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_answers_are_compared_as_squad_and_cmrc_do():
    assert plain_answer("The Eiffel-Tower!") == ["eiffeltower"]
    assert plain_answer("北京，1990年") == ["北", "京", "1990", "年"]
    measures = answer_measures(
        ["the cat sat", "北京大学", "", "something"],
        [["a cat", "dogs"], ["北京"], [], []],
    )
    # "cat sat" against "cat": 2·1/(2+1); 北京大学 against 北京: 2·2/(4+2); right; wrong.
    assert measures["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1 + 0) / 4)
    assert measures["em"] == pytest.approx(1 / 4)


def test_chinese_is_tokenised_as_chinese():
    good, wanted = ["今天天气很好我们去公园玩"], ["今天天气很好，我们去公园玩吧"]
    chinese = text_measures(good, wanted)
    assert "tok:zh" in chinese["signature"]
    assert chinese["bleu"] > 50
    english = text_measures(["the cat sat on the mat"], ["the cat sat on the mat"])
    assert "tok:13a" in english["signature"]
    assert english["bleu"] == pytest.approx(100)
    assert english["chrf"] == pytest.approx(100)


def longest_common(a, b):
    """By trying every subsequence of the shorter one."""
    for size in range(min(len(a), len(b)), 0, -1):
        for chosen in itertools.combinations(a, size):
            rest = iter(b)
            if all(unit in rest for unit in chosen):
                return size
    return 0


@settings(deadline=None)
@given(st.text("ab中文 ", max_size=9), st.text("ab中文 ", max_size=9))
def test_rouge_l_is_that_of_its_definition(one, other):
    from speaq.text.units import units

    a, b = units(one), units(other)
    shared = longest_common(a, b)
    expected = 2 * shared / (len(a) + len(b)) if shared else 0.0
    assert rouge_l([one], [other]) == pytest.approx(expected)
