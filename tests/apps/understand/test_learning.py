"""A folder of skills learnt from files, and measured on others."""

import json

import numpy as np
import pytest

from speaq.apps.understand.application import understand
from speaq.apps.understand.describing import described
from speaq.apps.understand.measuring import abstain_curve, measured, written_out
from speaq.apps.understand.opening import open_skills
from speaq.apps.understand.reading import read_annotated, related, tagged
from speaq.apps.understand.training import LearnSettings, examples_in, learn
from speaq.core.errors import DataError, ModelError, SettingsError, StorageError
from speaq.training.contextual import Encoder
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.scratch import new_encoder

RECORD = {
    "text": "小王在北京工作。Ada met Bob.",
    "entities": [[0, 2, "人"], [3, 5, "地"], [8, 11, "人"], [16, 19, "人"]],
    "relations": [{"head": 0, "tail": 1, "label": "位于"}],
}


def written(path, *records):
    path.write_text("\n".join(json.dumps(each, ensure_ascii=False) for each in records))
    return path


def test_annotated_texts_are_examples_of_both_tasks(tmp_path):
    records = read_annotated(written(tmp_path / "a.jsonl", RECORD))
    first, second = tagged(records)
    assert first.words[:2] == ("小", "王")
    assert first.tags[:5] == ("B-人", "I-人", "O", "B-地", "I-地")
    assert second.tags == ("B-人", "O", "B-人", "O")
    pairs = list(related(records))
    assert [(each.text[slice(*each.head)], each.text[slice(*each.tail)], each.label)
            for each in pairs] == [
        ("小王", "北京", "位于"),
        ("北京", "小王", "none"),
        ("Ada", "Bob", "none"),
        ("Bob", "Ada", "none"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entities": [[0, 2, "a"], [1, 3, "b"]]}, "overlaps"),
        ({"entities": [[0, 99, "a"]]}, "does not lie"),
        ({"entities": [[8, 10, "a"]]}, "inside of a word"),
        ({"entities": [[0, 2]]}, "expected entities"),
        ({"relations": [{"head": 0, "tail": 9, "label": "x"}]}, "counted from 0"),
        ({"text": 3}, "expected a text"),
    ],
)
def test_bad_annotations_are_refused_with_their_row(tmp_path, change, words):
    file = written(tmp_path / "a.jsonl", RECORD, {**RECORD, **change})
    with pytest.raises(DataError, match=words) as refused:
        read_annotated(file)
    assert refused.value.row == 2


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    place = tmp_path_factory.mktemp("learnt")
    with (place / "tone.csv").open("w", encoding="utf-8") as stream:
        stream.write("text,label\n")
        for n in range(40):
            word, label = (("满意", "好"), ("失望", "差"))[n % 2]
            stream.write(f"这次{word}{n},{label}\n")
    people, towns = ("Ada", "Bob", "Carl"), ("Rome", "Oslo", "Lima")
    records = []
    for person in people:
        for town in towns:
            text = f"{person} lives in {town}."
            start = len(person) + 10
            spans = [[0, len(person), "person"], [start, start + len(town), "town"]]
            stated = [{"head": 0, "tail": 1, "label": "lives in"}]
            records += [{"text": text, "entities": spans, "relations": stated}] * 2
    written(place / "facts.jsonl", *records)
    files = {"tone": place / "tone.csv", "facts": place / "facts.jsonl"}
    made = learn(place / "skills", files, LearnSettings(iterations=30))
    return place, made


def test_what_a_file_holds_says_what_is_learnt(learnt):
    place, made = learnt
    assert {(each.task, each.method) for each in made} == {
        ("tone", "svm"),
        ("facts-entities", "crf"),
        ("facts-relations", "svm"),
    }
    skills = open_skills(str(place / "skills"))
    found = understand(skills, "Bob lives in Rome.")
    assert [(e.text, e.label) for e in found.entities] == [("Bob", "person"), ("Rome", "town")]
    assert [(t.head, t.label, t.tail) for t in found.ties] == [(0, "lives in", 1)]
    assert understand(skills, "很满意").labels["tone"].given[0].label == "好"


def test_more_tasks_join_a_folder(learnt):
    place, _ = learnt
    learn(place / "skills", {"second": place / "tone.csv"}, LearnSettings(method="naive-bayes"))
    assert {"tone", "second"} <= set(open_skills(str(place / "skills")).classifiers)


def test_measures_of_every_kind(learnt):
    place, _ = learnt
    skills = open_skills(str(place / "skills"))
    tone = measured(skills, "tone", examples_in(place / "tone.csv")[""])
    assert tone.measures["accuracy"] == 1.0
    assert tone.curve[0].coverage == 1.0
    facts = examples_in(place / "facts.jsonl")
    assert measured(skills, "facts-entities", facts["entities"]).measures["f1"] == 1.0
    assert measured(skills, "facts-relations", facts["relations"]).measures["accuracy"] == 1.0
    with pytest.raises(DataError):
        measured(skills, "tone", facts["entities"])
    with pytest.raises(SettingsError):
        measured(skills, "tune", facts["entities"])


def test_methods_that_do_not_suit_are_refused(learnt, tmp_path):
    place, _ = learnt
    with pytest.raises(SettingsError):
        learn(tmp_path / "a", {"tone": place / "tone.csv"}, LearnSettings(method="crf"))
    with pytest.raises(SettingsError):
        learn(tmp_path / "b", {"facts": place / "facts.jsonl"}, LearnSettings(method="svm"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ModelError):
        learn(tmp_path / "full", {"tone": place / "tone.csv"})
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_several_heads_on_one_trunk(learnt, tmp_path):
    place, _ = learnt
    settings = LearnSettings(
        method="neural",
        model="new:encoder?layers=1&hidden=16&heads=2&vocabulary=128&context=32",
        epochs=1,
    )
    files = {"tone": place / "tone.csv", "facts": place / "facts.jsonl"}
    learn(tmp_path / "skills", files, settings)
    skills = open_skills(str(tmp_path / "skills"))
    assert set(skills.tasks) == {"tone", "facts-entities", "facts-relations"}
    text = "Ada lives in Oslo. 很满意"
    found = understand(skills, text)
    assert set(found.labels) == {"tone"}
    assert all(text[e.start : e.end] == e.text for e in found.entities)


def test_the_abstain_curve_by_hand():
    sure, right = np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, True, False, False])
    points = abstain_curve(sure, right, (1.0, 0.75, 0.5))
    assert [(p.coverage, p.threshold) for p in points] == [(1.0, 0.5), (0.75, 0.6), (0.5, 0.8)]
    assert [p.accuracy for p in points] == pytest.approx([0.5, 2 / 3, 1.0])


def test_words_written_out_are_found_again():
    text, places = written_out(("I", "love", "北", "京", "!"))
    assert text == "I love北京!"
    assert [text[a:b] for a, b in places] == ["I", "love", "北", "京", "!"]


@pytest.fixture(scope="module")
def encoder():
    texts = ["sport and games", "money and banks", "ball", "loan"] * 5
    model, tokenizer = new_encoder("layers=1&hidden=32&heads=2&vocabulary=64&context=32", texts, 0)
    return Encoder(model.eval(), tokenizer, "tiny")


def test_a_text_is_what_its_description_is(encoder):
    ready = described(encoder, {"sport": "sport and games", "money": "money and banks", "ball": ""})
    found = ready.probabilities(["money and banks", "ball"])
    assert [ready.labels[n] for n in found.argmax(1)] == ["money", "ball"]
    np.testing.assert_allclose(found.sum(1), 1)


@pytest.mark.parametrize("labels", [("sport", "money"), ("sport", "money", "other")])
def test_few_examples_outweigh_descriptions(encoder, labels):
    few = [Labelled("ball", ("money",)), Labelled("loan", ("sport",))] * 4
    ready = described(encoder, dict.fromkeys(labels, ""), few)
    found = ready.probabilities(["ball", "loan"])
    assert [ready.labels[n] for n in found.argmax(1)] == ["money", "sport"]


def test_descriptions_that_cannot_do_are_refused(encoder):
    with pytest.raises(DataError):
        described(encoder, {"sport": ""})
    with pytest.raises(DataError, match="not among"):
        described(encoder, {"a": "", "b": ""}, [Labelled("x", ("c",), None, 4)])


@pytest.mark.parametrize(
    ("names", "held", "said"),
    [
        ((), (), "at least one task"),
        (("a/b",), (), "a task's name is of letters"),
        (("tone",), ("other",), "'other', which is not learnt"),
        (("tone",), ("tone",), "'unheard'"),
    ],
)
def test_tasks_that_cannot_be_learnt_leave_nothing(tmp_path, names, held, said):
    rows = [{"text": f"good {n}" if n % 2 else f"bad {n}", "label": str(n % 2)} for n in range(20)]
    file = written(tmp_path / "tone.jsonl", *rows)
    other = written(tmp_path / "held.jsonl", rows[0], {"text": "so so", "label": "unheard"})
    with pytest.raises((DataError, SettingsError), match=said):
        learn(
            tmp_path / "skills",
            dict.fromkeys(names, file),
            validation=dict.fromkeys(held, other),
        )
    assert not (tmp_path / "skills").exists()


def test_skills_do_not_go_where_a_file_is(tmp_path):
    file = written(tmp_path / "tone.jsonl", {"text": "a", "label": "b"})
    with pytest.raises(StorageError, match="is a file"):
        learn(file, {"tone": file})
