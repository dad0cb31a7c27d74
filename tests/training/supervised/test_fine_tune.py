"""Fine-tuning from end to end: each kind of task is learnt, and bad data are refused."""

from dataclasses import replace

import pytest
from small_tasks import LOOP, SHORT, learn, questions, relations, tags, texts

from speaq.core.errors import DataError, ModelError
from speaq.training.supervised.examples import Labelled, Tagged
from speaq.training.supervised.preparing import Examples, with_validation


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_are_learnt(language, tmp_path):
    made = learn(texts(language), tmp_path)
    assert made.metrics["validation"]["accuracy"] == 1.0
    assert made.metrics["validation"]["ece"] < 0.1


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_spans_are_learnt(language, crf, tmp_path):
    made = learn(tags(language), tmp_path, settings=replace(SHORT, crf=crf))
    assert made.metrics["validation"]["f1"] > 0.95


def test_passages_are_learnt_and_refused(tmp_path):
    made = learn(questions(), tmp_path, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["em"] > 0.9
    assert made.metrics["validation"]["false_answers"] < 0.1


def test_relations_are_learnt_with_their_direction(tmp_path):
    made = learn(relations(), tmp_path, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["accuracy"] > 0.9
    assert not made.ordinary  # no class of transformers reads two marks


def test_several_labels_are_learnt(tmp_path):
    both = [
        Labelled(f"{a.text} and {b.text}", tuple(sorted({*a.labels, *b.labels})))
        for a in texts("en", 1)
        for b in texts("en", 1)
    ]
    made = learn(both, tmp_path, several=True, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["micro_f1"] > 0.95


def test_a_tenth_validates_where_nothing_else_does():
    examples = texts("en", 10)
    notes = []
    parts = with_validation(Examples(examples), 3, notes)
    assert len(parts.validation) == 8 and len(parts.training) == 72
    assert not set(map(id, parts.validation)) & set(map(id, parts.training))
    assert "8 of 80 training examples validate instead" in notes[0]
    again = with_validation(Examples(examples), 3, [])
    assert again.validation == parts.validation
    # The only example of a class is never held out.
    rare = [*texts("en", 10), Labelled("nothing", ("rare",))]
    for seed in range(30):
        assert ("rare",) in {e.labels for e in with_validation(Examples(rare), seed, []).training}


def test_out_of_scope_texts_are_measured(tmp_path):
    parts = Examples(texts("en"), texts("en"), texts("en"), outside=texts("zh", 1))
    made = learn(parts, tmp_path)
    outside = made.metrics["outside"]
    assert outside["coverage"] >= 0.95
    assert 0 <= outside["recall"] <= 1 and 0 <= outside["recall_at_coverage"] <= 1


def test_bad_data_are_refused_in_both_languages(tmp_path):
    with pytest.raises(DataError, match="the training data hold no example") as caught:
        learn([], tmp_path)
    assert "训练数据中没有任何样本" in caught.value.zh
    with pytest.raises(DataError, match="nothing to tell apart"):
        learn([Labelled("a", ("x",)), Labelled("b", ("x",))], tmp_path)
    unknown = Examples(texts("en"), [Labelled("a", ("animal",))])
    with pytest.raises(DataError, match=r"validation data do not occur in training: 'animal'"):
        learn(unknown, tmp_path)
    unseen = Examples(tags("zh"), [Tagged(("a",), ("B-animal",))])
    with pytest.raises(DataError, match=r"validation data do not occur .*'B-animal' \(1\)"):
        learn(unseen, tmp_path)
    with pytest.raises(DataError, match="of several types: Labelled, Tagged"):
        learn(Examples(texts("en"), [Tagged(("a",), ("O",))]), tmp_path)
    assert not (tmp_path / "run").exists()


def test_an_encoder_decoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="encoder–decoder"):
        learn(texts("en"), tmp_path, source="new:t5-tiny")
