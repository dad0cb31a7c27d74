"""Linear classifiers: what they learn, how sure they are, and what comes back from disk."""

import numpy as np
import pytest

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.training.floors.linear_classes import learn_linear, open_linear
from speaq.training.floors.relating import relation_features
from speaq.training.supervised.examples import Labelled, Related
from speaq.training.supervised.measures import directed_f1

ENGLISH = {"good": ["lovely", "great", "kind"], "bad": ["awful", "rude", "dirty"]}
CHINESE = {"好": ["满意", "干净", "热情"], "差": ["失望", "肮脏", "冷淡"]}


def texts(words, filler):
    return [
        Labelled(filler.format(word, number), (label,))
        for label, group in words.items()
        for word in group
        for number in range(6)
    ]


@pytest.mark.parametrize("method", ["naive-bayes", "svm", "nb-svm"])
@pytest.mark.parametrize(
    ("words", "filler", "asked"),
    [
        (ENGLISH, "the room {} was seen {} times", ("a rude man", "bad")),
        (CHINESE, "这次住店让人觉得{}，共{}晚", ("实在失望", "差")),
    ],
)
def test_a_kept_classifier_answers_as_the_learnt_one(tmp_path, method, words, filler, asked):
    made = learn_linear(texts(words, filler), texts(words, filler)[::5], method)
    made.save(tmp_path / "model.npz")
    again = open_linear(tmp_path / "model.npz")
    text, label = asked
    examples = [Labelled(text, ()), Labelled("", ())]
    assert again.answers(examples)[0] == (label,)
    np.testing.assert_allclose(
        again.probabilities(examples), made.probabilities(examples), rtol=1e-5
    )
    np.testing.assert_allclose(again.probabilities(examples).sum(1), 1)


def test_several_labels_may_hold(tmp_path):
    words = {"food": ["soup", "bread"], "staff": ["waiter", "cook"]}
    made = [
        Labelled(f"{a} {b}", tuple(n for n, on in (("food", a), ("staff", b)) if on))
        for a in (*words["food"], "")
        for b in (*words["staff"], "")
    ]
    model = learn_linear(made * 3, made, "svm", several=True)
    model.save(tmp_path / "model.npz")
    again = open_linear(tmp_path / "model.npz")
    asked = [Labelled(text, ()) for text in ("soup by the cook", "the waiter", "nothing")]
    assert again.answers(asked) == [("food", "staff"), ("staff",), ()]


def related(head, between, tail, label, turned=False):
    text = f"The {head} {between} the {tail}."
    one = (4, 4 + len(head))
    two = (len(text) - 1 - len(tail), len(text) - 1)
    return Related(text, two, one, label) if turned else Related(text, one, two, label)


def test_the_direction_of_a_relation_is_learnt(tmp_path):
    cases = [("wheel", "is part of", "car"), ("leaf", "is part of", "tree"),
             ("door", "is part of", "house")]  # fmt: skip
    training = [related(*case, "part-whole") for case in cases]
    training += [related(*case, "whole-part", turned=True) for case in cases]
    model = learn_linear(training * 2, training)
    model.save(tmp_path / "model.npz")
    asked = [
        related("hand", "is part of", "man", ""),
        related("hand", "is part of", "man", "", True),
    ]
    assert open_linear(tmp_path / "model.npz").answers(asked) == [("part-whole",), ("whole-part",)]


def test_features_of_a_relation_are_words_in_chinese_too():
    text = "小王是公司的员工"
    found = relation_features(Related(text, (0, 2), (3, 5), "x"))
    assert {"m=是", "h2=公司", "R0=的"} <= set(found)


def test_bad_settings_and_files_are_refused(tmp_path):
    examples = texts(ENGLISH, "{} {}")
    with pytest.raises(SettingsError):
        learn_linear(examples, (), "forest")  # type: ignore[arg-type]
    with pytest.raises(SettingsError):
        learn_linear(examples, (), "naive-bayes", several=True)
    with pytest.raises(SettingsError):
        learn_linear(examples, (), encoder="pypi:none")
    with pytest.raises(DataError):
        learn_linear([], ())
    (tmp_path / "model.npz").write_bytes(b"PK nothing")
    with pytest.raises(ModelError):
        open_linear(tmp_path / "model.npz")


A12, A21, B12 = "A(e1,e2)", "A(e2,e1)", "B(e1,e2)"


@pytest.mark.parametrize(
    ("found", "wanted", "score"),
    [
        ([A12, B12], [A12, B12], 1.0),
        # The wrong direction is both a false and a missed one: 1 of 2 found, 1 of 2 wanted.
        ([A12, A12], [A12, A21], 0.5),
        # A: 2·1/(2+1); B: none found of 1.
        ([A12, A12], [A12, B12], (2 / 3 + 0) / 2),
        # Other is no class, but a miss of A counts: A: 2·1/(1+2).
        ([A12, "Other", "Other"], [A12, A12, "Other"], 2 / 3),
        (["Other"], ["Other"], 0.0),
    ],
)  # fmt: skip
def test_the_official_score_by_hand(found, wanted, score):
    assert directed_f1(found, wanted) == pytest.approx(score)


def test_confidence_is_about_as_often_right_as_it_says():
    draw = np.random.default_rng(0)

    def noisy(count):
        made = []
        for _ in range(count):
            label = int(draw.integers(3))
            # A quarter of the words are those of another class.
            said = label if draw.random() < 0.75 else int(draw.integers(3))
            made.append(Labelled(f"{['red', 'green', 'blue'][said]} {draw.integers(50)}",
                                 (f"c{label}",)))  # fmt: skip
        return made

    model = learn_linear(noisy(600), noisy(600))
    test = noisy(1500)
    sure = model.probabilities(test).max(1)
    right = [a == b.labels for a, b in zip(model.answers(test), test, strict=True)]
    assert sure.mean() == pytest.approx(np.mean(right), abs=0.05)
