"""Rows, answers and thresholds of each kind of task, in English and Chinese."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tasks import NEW, WORDS, questions, relations, tags, texts

from speaq.core.errors import DataError, SettingsError
from speaq.training.supervised.batches import Row, collate
from speaq.training.supervised.classifying import Classifying, classifying, marked, window_start
from speaq.training.supervised.examples import Answer, Labelled, Question, Related, Tagged
from speaq.training.supervised.labels import balanced_weights, labels_of, require_known
from speaq.training.supervised.reading import LONGEST, Passage, Reading, reading
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.tagging import Tagging, tagging
from speaq.training.supervised.trunk import open_trunk

PLAIN = FineTuneSettings()


def pieces(trunk, row):
    return trunk.tokenizer.convert_ids_to_tokens(row.tokens.tolist())


def test_a_pair_is_read_as_two_segments(small):
    trunk = small()
    kind = Classifying(("no", "yes"))
    [row], long = kind.rows(trunk, [Labelled("red apple", ("yes",), "我喜欢")])
    assert row.segments.tolist() == sorted(row.segments.tolist())
    assert set(row.segments.tolist()) == {0, 1}
    assert row.target.tolist() == [0.0, 1.0]
    assert long.count == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_long_texts_are_cut_and_counted(language, small):
    trunk = small()
    word = WORDS[language][0][0]
    examples = [Labelled(f"{word} " * size, ("a",)) for size in (2, 30, 50)]
    rows, long = Classifying(("a", "b"), max_tokens=12).rows(trunk, examples)
    assert [len(row.tokens) for row in rows] == [len(rows[0].tokens), 12, 12]
    assert (long.count, long.limit) == (2, 12)
    assert "2 texts are longer than 12 tokens" in str(long)


def test_marks_stand_around_both_passages_in_either_order():
    text = "then ann helps bob again"
    example = Related(text, (5, 8), (15, 18), "x")
    whole, starts = marked(example)
    assert whole.replace("$", "").replace("#", "").split() == text.split()
    assert whole[starts[0] :].startswith("$ ann $")
    assert whole[starts[1] :].startswith("# bob #")
    turned, places = marked(Related(text, (15, 18), (5, 8), "x"))
    assert turned[places[0] :].startswith("$ bob $")
    assert turned[places[1] :].startswith("# ann #")


def test_the_head_of_a_relation_reads_the_tokens_of_the_marks(small):
    examples = relations()
    trunk = small(*(each.text for each in examples), "$ #")
    kind = classifying(examples, PLAIN, "marks", several=False)
    rows, _ = kind.rows(trunk, examples)
    for row in rows:
        shown = pieces(trunk, row)
        assert [shown[place] for place in row.places] == ["$", "#"]
    # A text that is too long is cut so that both marks stay.
    far = Related("we " * 60 + "ann helps bob" + " you" * 60, (180, 183), (190, 193), "no")
    [row], long = kind.rows(trunk, [far])
    assert long.count == 1 and len(row.tokens) == trunk.limit
    assert [pieces(trunk, row)[place] for place in row.places] == ["$", "#"]


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 100))
def test_a_window_lies_inside_of_the_text(first, second, limit):
    start = window_start(np.array([first, second]), 100, limit)
    assert 0 <= start <= 100 - limit


def test_a_threshold_is_found_where_several_labels_may_hold():
    kind = Classifying(("a", "b"), several=True)
    examples = [Labelled("", ("a",)), Labelled("", ("b",)), Labelled("", ())]
    rows = [Row(n, np.zeros(1, int), np.zeros(1, int), np.zeros(2)) for n in range(3)]
    said = [np.array([-1.0, -3.0]), np.array([-3.0, -1.0]), np.array([-3.0, -3.0])]
    found = kind.calibrated(said, rows, examples)
    assert found.measures(found.answers(said, rows, examples), examples)["accuracy"] == 1.0
    assert kind.measures(kind.answers(said, rows, examples), examples)["accuracy"] < 1.0


def test_class_weights_and_smoothing_are_those_of_their_definition(small):
    trunk = small()
    examples = [Labelled("red", ("a",))] * 3 + [Labelled("fig", ("b",))]
    chosen = FineTuneSettings(class_weights="balanced", label_smoothing=0.2)
    kind = classifying(examples, chosen, "mean", several=False)
    assert kind.weights == pytest.approx((4 / (2 * 3), 4 / 2))
    rows, _ = kind.rows(trunk, examples)
    batch = collate(rows, 0, torch.device("cpu"))
    head = kind.head(4, 0.0)
    hidden = torch.randn(4, len(rows[0].tokens), 4)
    logits = head(hidden, batch).log_softmax(1).detach()
    total = weight = 0.0
    for b, row in enumerate(rows):
        own = kind.weights[int(row.target.argmax())]
        total += -0.8 * own * float(logits[b, int(row.target.argmax())])
        total += -0.1 * sum(w * float(x) for w, x in zip(kind.weights, logits[b], strict=True))
        weight += own
    assert kind.loss(head, hidden, batch).item() == pytest.approx(total / weight, rel=1e-4)
    assert balanced_weights(np.array([3, 1])).tolist() == pytest.approx(list(kind.weights))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_word_is_read_at_its_first_token(language, small):
    examples = tags(language)
    trunk = small(*("".join(each.words) for each in examples[:3]))  # words fall into pieces
    kind = tagging(examples, PLAIN)
    rows, long = kind.rows(trunk, examples)
    assert long.count == 0
    for row, example in zip(rows, examples, strict=True):
        assert len(row.places) == len(example.words) == len(row.target)
        assert (np.diff(row.places) > 0).all()
        shown = pieces(trunk, row)
        for place, word in zip(row.places, example.words, strict=True):
            assert not shown[place].startswith("##")
            assert shown[place] == "[UNK]" or word.lower().startswith(shown[place])
        assert [kind.labels[tag] for tag in row.target] == list(example.tags)


def test_words_beyond_the_limit_are_outside_of_all_spans(small):
    trunk = small()
    example = Tagged(tuple("红" * 50), ("B-x", *["I-x"] * 49))
    kind = Tagging(("O", "B-x", "I-x"), max_tokens=12)
    [row], long = kind.rows(trunk, [example])
    assert (long.count, len(row.tokens), len(row.places)) == (1, 12, 10)
    [found] = kind.answers([row.target.astype(np.float32)], [row], [example])
    assert found == ("B-x", *["I-x"] * 9, *["O"] * 40)


def test_tags_of_another_scheme_are_refused():
    with pytest.raises(DataError, match="tag 2, 'E-x', is not IOB2") as caught:
        tagging([Tagged(("a", "b"), ("B-x", "E-x"), row=7)], PLAIN)
    assert caught.value.row == 7
    assert "不是 IOB2" in caught.value.zh
    with pytest.raises(DataError, match="no word of the training data is in a span"):
        tagging([Tagged(("a",), ("O",))], PLAIN)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_windows_find_an_answer_wherever_it_stands(language):
    word = "plum" if language == "en" else "李子"
    filler = "the red fig and a pear " if language == "en" else "红色的葡萄和梨子"
    trunk = open_trunk(NEW, [filler, word, "which 哪个 ?"])
    kind = Reading(stride=8, max_tokens=24)
    for before in range(0, 14):
        context = filler * before + word + " " + filler * (13 - before)
        start = context.index(word)
        question = Question("which", context, (Answer(start, word),))
        rows, long = kind.rows(trunk, [question])
        assert len(rows) > 1 and long.count == 1
        assert all(len(row.tokens) <= 24 for row in rows)
        holding = [row for row in rows if row.target.any()]
        assert holding
        scores = []
        for row in rows:
            made = np.full((len(row.tokens), 2), -5.0, np.float32)
            if row.target.any():
                made[row.target[0], 0] = made[row.target[1], 1] = 5.0
            scores.append(made)
        [found] = kind.answers(scores, rows, [question])
        assert (found.text, found.start) == (word, start)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(3, 60))
def test_the_best_passage_is_the_best_of_all(seed, tokens):
    stream = np.random.default_rng(seed)
    said = stream.normal(size=(tokens, 2)).astype(np.float32)
    text = "x" * tokens
    offsets = np.array([(t, t + 1) for t in range(tokens)])
    places = np.array([2, tokens - 1])
    row = Row(0, np.zeros(tokens, int), np.zeros(tokens, int), np.zeros(2, int), places, offsets)
    [found] = Reading().answers([said], [row], [Question("q", text)])
    every = {
        (s, e): float(said[s, 0] + said[e, 1])
        for s in range(2, tokens)
        for e in range(s, min(tokens, s + LONGEST))
    }
    best = max(every.values()) - float(said[0].sum())
    # Ends are sought for the twenty best starts, which holds the best pair but for odd scores.
    assert found.margin <= best + 1e-5
    if tokens <= 22:
        assert found.margin == pytest.approx(best, abs=1e-5)


def test_no_answer_is_the_least_of_all_windows():
    kind = Reading(refuses=True)
    offsets = np.array([(0, 0), (0, 3), (4, 8)])
    rows = [
        Row(0, np.zeros(3, int), np.zeros(3, int), np.zeros(2, int), np.array([1, 2]), offsets)
        for _ in range(2)
    ]
    # The first window is sure that the text does not say; the second holds the answer.
    sure = np.array([[9, 9], [0, 0], [0, 0]], np.float32)
    holds = np.array([[1, 1], [-5, -5], [3, 3]], np.float32)
    for scores in ([sure, holds], [holds, sure]):
        [found] = kind.answers(scores, rows, [Question("q", "fig plum")])
        assert (found.text, found.start, found.margin) == ("plum", 4, 6.0 - 2.0)


def test_the_margin_of_an_answer_is_the_one_of_best_f1():
    kind = Reading(refuses=True)
    context = "fig plum"
    asked = [
        Question("q", context, (Answer(0, "fig"),)),
        Question("q", context, (Answer(0, "fig"),)),
        Question("q", context),
    ]
    offsets = np.array([(0, 0), (0, 3), (4, 8)])
    rows = [
        Row(n, np.zeros(3, int), np.zeros(3, int), np.zeros(2, int), np.array([1, 2]), offsets)
        for n in range(3)
    ]
    scores = [np.array([[0, 0], [high, high], [-9, -9]], np.float32) for high in (3.0, 2.0, 1.0)]
    found = kind.calibrated(scores, rows, asked)
    assert 2.0 < found.threshold < 4.0
    answers = found.answers(scores, rows, asked)
    assert [each.text for each in answers] == ["fig", "fig", ""]
    assert found.measures(answers, asked) == {"em": 1.0, "f1": 1.0, "false_answers": 0.0}
    never = kind.calibrated([s * [[1, 1], [-1, -1], [1, 1]] for s in scores], rows, [asked[2]] * 3)
    assert never.measures([Passage("", -1, 0.0)] * 3, [asked[2]] * 3) == {
        "em": 1.0,
        "f1": 1.0,
        "false_answers": 0.0,
    }


def test_a_question_that_leaves_no_room_is_refused(small):
    asked = Question("which one " * 9, "apple " * 40)
    with pytest.raises(SettingsError, match="leaves 0 of 20 for the text") as caught:
        Reading(max_tokens=20).rows(small(), [asked])
    assert "只剩 0 个给正文" in caught.value.zh


def test_an_answer_must_stand_where_it_is_said_to():
    with pytest.raises(DataError, match="'pear' does not stand at character 3") as caught:
        Question("q", "an apple", (Answer(3, "pear"),))
    assert "不在文本的第 3 个字符处" in caught.value.zh


def test_reading_refuses_only_where_training_has_such_questions():
    with_none = questions()
    assert reading(with_none, PLAIN).refuses
    assert not reading([each for each in with_none if each.answers], PLAIN).refuses


def test_labels_are_those_of_training():
    assert labels_of([("b",), ("a",)], several=False) == ("a", "b")
    with pytest.raises(DataError, match="only the class 'a'"):
        labels_of([("a",), ("a",)], several=False)
    with pytest.raises(DataError, match=r"'c' \(2\).*take these rows out") as caught:
        require_known(("a", "b"), [("c",), ("a",), ("c",)], "validation")
    assert "训练数据里没有的标签" in caught.value.zh
    assert labels_of([("a",), ()], several=True) == ("a",)


def test_texts_of_one_class_make_no_task():
    same = [Labelled(each.text, ("x",)) for each in texts("zh")]
    with pytest.raises(DataError, match="nothing to tell apart"):
        classifying(same, PLAIN, "mean", several=False)
