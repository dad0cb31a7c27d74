"""Mending, thinning and dividing: what the doctor advises is done, and only that."""

import csv
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.text.doctor.dividing import SplitSettings, divide
from speaq.text.doctor.findings import KINDS
from speaq.text.doctor.inspecting import inspect
from speaq.text.doctor.mending import FIXES, mend
from speaq.text.doctor.thinning import dedupe
from speaq.text.files.data_files import open_data, read_examples, save

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from data_cases import fixtures
from data_fixtures import CONTEXTS, EN, PAIRS, ZH, as_json, json_lines, lines, side, squad, table


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_what_can_be_mended_is_gone_from_the_new_file(fixture, tmp_path) -> None:
    paths = fixture.write(tmp_path)
    files = [open_data(*paths)] if fixture.together else [open_data(path) for path in paths]
    for data in files:
        mended = mend(data, FIXES)
        new = [path.with_name(f"new_{path.name}") for path in data.paths]
        save(data, mended.records, *new)
        again = open_data(*new)
        assert again.layout == replace(
            data.layout,
            encoding="utf-8",
            broken=False,
            languages=again.layout.languages,
        )
        report = inspect([again])
        assert not [each for each in report.findings if KINDS[each.kind].verb == "clean"]
        lost = [each for each in mended.dropped if each.kind != "unreadable"]
        assert len(again.entries) == len(data.entries) - len(lost)


@pytest.mark.parametrize("rows", [EN, ZH])
def test_a_clean_file_is_not_changed(tmp_path, rows) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table(rows))
    mended = mend(open_data(path), FIXES)
    assert (mended.repaired, mended.dropped) == ((), ())
    save(mended.data, mended.records, tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == path.read_bytes()


def test_only_what_is_named_is_mended(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table([*EN, ("  ", "positive"), ("I liked the <br/> garden.", "positive")]))
    data = open_data(path)
    assert len(mend(data, ["markup"]).records) == 14
    assert "<br/>" not in mend(data, ["markup"]).records[-1]["text"]
    assert len(mend(data, ["empty"]).records) == 13
    assert "<br/>" in mend(data).records[-1]["text"]
    with pytest.raises(SettingsError, match="did you mean 'markup'"):
        mend(data, ["mark-up"])


def test_offsets_are_repaired_to_the_nearest_place_or_the_question_goes(tmp_path) -> None:
    context = CONTEXTS[0][0] + " It was sold in 1820 pieces."

    def shift(number, question) -> None:
        question["answers"] = [
            [{"text": "1820", "answer_start": context.rindex("1820") + 3}],
            [{"text": "TWO  brothers", "answer_start": 0}],
            [{"text": "nobody", "answer_start": 4}],
        ][number - 1]

    asked = [*CONTEXTS[0][1], ("Who?", "mill")]
    path = tmp_path / "a.json"
    path.write_bytes(as_json(squad([(context, asked)], shift)))
    mended = mend(open_data(path))
    save(mended.data, mended.records, tmp_path / "b.json")
    found = read_examples(tmp_path / "b.json", kind="question")
    assert [each.answers[0].start for each in found] == [
        context.rindex("1820"),
        context.index("two brothers"),
    ]
    assert found[1].answers[0].text == "two brothers"
    assert [finding.place.row for finding in mended.dropped] == [3]
    assert json.loads((tmp_path / "b.json").read_text("utf-8"))["version"] == "v2.0"


def test_numbers_stay_numbers(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    records = [{"text": text, "label": n % 2, "note": n} for n, (text, _) in enumerate(EN)]
    records += [{"text": EN[0][0], "label": 0, "note": 50}, {"text": EN[0][0], "label": 1}]
    path.write_bytes(json_lines(records))
    mended = mend(open_data(path), ["conflict"])
    assert mended.records[-1]["label"] == 0
    assert [each.place.row for each in mended.repaired] == [14]
    assert mended.records[3] == records[3]


def test_nothing_is_left_of_a_file_of_faults(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_lines([{"text": " ", "label": "a"}] * 3))
    with pytest.raises(DataError, match="no example would be left"):
        mend(open_data(path))


@pytest.mark.parametrize("rows", [EN, ZH])
def test_copies_go_and_the_other_file_keeps_its_own(tmp_path, rows) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    upper = (f" {rows[3][0].upper()} ", rows[3][1])
    train.write_bytes(table([*rows[:8], upper, (rows[0][0], rows[1][1]), rows[9]]))
    test.write_bytes(table(rows[8:]))
    thinned = dedupe(open_data(train), [open_data(test)])
    assert [(place.row, origin.row) for place, origin in thinned.dropped] == [(10, 5), (12, 3)]
    assert [entry.example.place.row for entry in thinned.kept] == [*range(2, 10), 11]


def test_near_copies_go_too_when_asked(tmp_path) -> None:
    path = tmp_path / "a.csv"
    near = EN[8][0].replace("lovely", "lovly")
    path.write_bytes(table([*EN, (near, "positive")]))
    assert dedupe(open_data(path)).dropped == ()
    ((place, origin),) = dedupe(open_data(path), near=0.8).dropped
    assert (place.row, origin.row) == (14, 10)


def test_between_two_splits_of_a_file_that_of_training_goes(tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(as_json({"train": [list(r) for r in EN[:6]], "test": [list(EN[2])]}))
    ((place, origin),) = dedupe(open_data(path)).dropped
    assert (place.part, place.row, origin.part) == ("train", 3, "test")


def made_up(count: int) -> list[tuple[str, str]]:
    """Texts of their own: the words of no two are nearly the same."""
    words = [word for text, _ in EN for word in text.lower().strip(".").split()]
    texts = [
        " ".join(words[(n * 7 + k * (n + 3)) % len(words)] for k in range(9)) for n in range(count)
    ]
    labels = ["a"] * 6 + ["b"] * 3 + ["c"]
    return [(f"{text} {n:03d}", labels[n % 10]) for n, text in enumerate(texts)]


def test_splits_are_balanced_seeded_and_whole(tmp_path) -> None:
    path = tmp_path / "a.csv"
    rows = made_up(200)
    path.write_bytes(table(rows))
    data = open_data(path)
    made = divide([data], SplitSettings(seed=3))
    assert made == divide([data], SplitSettings(seed=3))
    assert made != divide([data], SplitSettings(seed=4))
    assert sorted(r["text"] for part in made.values() for r in part) == sorted(t for t, _ in rows)
    counts = {part: Counter(record["label"] for record in found) for part, found in made.items()}
    assert counts["train"] == {"a": 96, "b": 48, "c": 16}
    assert counts["dev"] == counts["test"] == {"a": 12, "b": 6, "c": 2}


@pytest.mark.parametrize("rows", [EN, ZH])
def test_copies_and_groups_are_not_torn_apart(tmp_path, rows) -> None:
    path = tmp_path / "a.jsonl"
    records = [
        {"text": f"{text}{'!' * copy}", "label": label, "who": f"p{n // 2}"}
        for copy in range(3)
        for n, (text, label) in enumerate(rows)
    ]
    # Three more, each almost one of the others.
    records += [{**r, "text": f"{r['text'][:-2]}x{r['text'][-1]}"} for r in records[3:9:2]]
    path.write_bytes(json_lines(records))
    data = open_data(path)
    for settings in (SplitSettings(), SplitSettings(group="who", dev=0, test=0.5, train=0.5)):
        made = divide([data], settings)
        for part, found in made.items():
            save(data, found, tmp_path / f"{part}.jsonl")
        report = inspect([open_data(tmp_path / f"{part}.jsonl") for part in made])
        assert not report.counts.keys() & {"leak", "near-leak", "unseen-class"}
    people = [{record["who"] for record in found} for found in made.values()]
    assert not set.intersection(*people)
    with pytest.raises(DataError, match="no such column"):
        divide([data], SplitSettings(group="whom"))


def test_questions_of_a_paragraph_stay_together(tmp_path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(as_json(squad([(f"{c} ({n})", q) for n in range(6) for c, q in CONTEXTS])))
    made = divide([open_data(path)], SplitSettings(dev=0, test=0.3))
    contexts = [{record["context"] for record in found} for found in made.values()]
    assert not set.intersection(*contexts) and all(contexts)


def test_two_files_of_parallel_text_are_divided_as_one(tmp_path) -> None:
    for name, place in (("t.en", 0), ("t.zh", 1)):
        (tmp_path / name).write_bytes(lines(side(PAIRS, place)))
    data = open_data(tmp_path / "t.en", tmp_path / "t.zh")
    made = divide([data], SplitSettings(dev=0, test=0.2))
    assert {part: len(found) for part, found in made.items()} == {"train": 8, "test": 2}
    save(data, made["test"], tmp_path / "test.en", tmp_path / "test.zh")
    again = open_data(tmp_path / "test.en", tmp_path / "test.zh")
    assert {(e.source, e.target) for e in again.examples} <= set(PAIRS)


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="train"):
        SplitSettings(train=0)
    with pytest.raises(SettingsError, match="near"):
        SplitSettings(near=0.1)


def test_one_split_is_no_split(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table(EN))
    with pytest.raises(SettingsError, match="at least two"):
        divide([open_data(path)], SplitSettings(dev=0, test=0))


def test_files_that_do_not_go_together_are_not_divided_as_one(tmp_path) -> None:
    (tmp_path / "a.csv").write_bytes(table(EN))
    (tmp_path / "b.csv").write_bytes(table(EN, names=("sentence", "class")))
    with pytest.raises(DataError, match="laid out otherwise"):
        divide([open_data(tmp_path / "a.csv"), open_data(tmp_path / "b.csv")])


def test_a_new_table_can_be_read_by_anyone(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table([*EN, ('He said "no, never".\nTwice.', "negative")], "utf-16"))
    mended = mend(open_data(path))
    save(mended.data, mended.records, tmp_path / "b.csv")
    with (tmp_path / "b.csv").open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream))[-1] == ['He said "no, never".\nTwice.', "negative"]
