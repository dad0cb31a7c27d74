"""Data files with copies: every format comes back as it was, only what is learnt from is copied."""

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.text.augmentation.edits import AugmentationSettings, Augmenter
from speaq.text.augmentation.files import augmented, require_like, write_pairs
from speaq.text.augmentation.noise import NoiseSettings
from speaq.text.augmentation.synonyms import SynonymList
from speaq.text.files.data_files import open_data, read_examples, save
from speaq.text.files.examples import Place
from speaq.text.segmentation import words
from speaq.text.tagging import stretches

SYNONYMS = SynonymList([["good", "great", "very fine"], ["好吃", "美味"], ["快", "迅速"]])
AUGMENTER = Augmenter(AugmentationSettings(copies=3, share=0.2), SYNONYMS)


def copied(path, augmenter=AUGMENTER, name="more"):
    """The examples of a file with copies, read again from where they were written."""
    data = open_data(path)
    out = path.with_name(name + path.suffix)
    save(data, augmented(data, augmenter, seed=0), out)
    return data.examples, read_examples(out)


def test_classes_are_copied_along_in_both_languages(tmp_path):
    rows = [
        ("the food is good and cheap", "1"),
        ("菜好吃，送得也快", "1"),
        ("a bad cold soup", "0"),
    ]
    path = tmp_path / "train.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows, *rows])
    old, new = copied(path)
    assert len(new) == 4 * len(old)
    for place, example in enumerate(old):
        own = new[4 * place : 4 * place + 4]
        assert own[0].text == example.text
        assert {each.labels for each in own} == {example.labels}
        assert len({each.text for each in own}) == 4


PAIRS = '{"sentence1": "it rains a lot", "sentence2": "it is quite wet", "label": "1"}\n' * 4
SPANS = [
    {"text": "We went to New York with Ann.", "entities": [[11, 19, "LOC"], [25, 28, "PER"]]},
    {"text": "我们和李四去北京大学旁边吃饭。", "entities": [[3, 5, "PER"], [6, 10, "LOC"]]},
]


@pytest.mark.parametrize(
    "style",
    [
        lambda record: record,
        lambda record: {
            "text": record["text"],
            "entities": [{"start": a, "end": b, "label": c} for a, b, c in record["entities"]],
        },
        lambda record: {
            "text": record["text"],
            "label": {c: {record["text"][a:b]: [[a, b - 1]]} for a, b, c in record["entities"]},
        },
    ],
)
def test_spans_stay_right_in_every_style(tmp_path, style):
    path = tmp_path / "train.jsonl"
    lines = [json.dumps(style(record), ensure_ascii=False) for record in SPANS * 3]
    path.write_text("\n".join(lines), encoding="utf-8")
    old, new = copied(path)
    assert len(new) == 4 * len(old)

    def said(example):
        return Counter((example.text[s.start : s.end], s.label) for s in example.spans)

    for place, example in enumerate(new):
        assert said(example) == said(old[place // 4])


CLUENER = Path("../shared/data/cluener/dev.jsonl.gz")


@pytest.mark.skipif(not CLUENER.exists(), reason=f"{CLUENER} is not here")
def test_spans_of_real_chinese_texts_stay_right():
    data = open_data(CLUENER)
    train = replace(
        data,
        entries=tuple(
            replace(entry, example=replace(entry.example, place=Place("train", n, "train")))
            for n, entry in enumerate(data.entries)
        ),
    )
    chosen = AugmentationSettings(("insert", "swap", "delete"), copies=2)
    records = list(augmented(train, Augmenter(chosen), 0))
    assert len(records) > 2.9 * len(data.entries)
    for record in records:
        for mentions in record["label"].values():
            for mention, places in mentions.items():
                assert all(record["text"][a : b + 1] == mention for a, b in places)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tagged_tokens_stay_tokens(tmp_path, language):
    sentences = {
        "en": "the O\nfood O\nof O\nNew B-LOC\nYork I-LOC\nis O\ngood O\n, O\nsays O\nAnn B-PER\n",
        "zh": "李 B-PER\n四 I-PER\n去 O\n北 B-LOC\n京 I-LOC\n吃 O\n很 O\n快 O\n。 O\n",
    }
    path = tmp_path / "train.conll"
    path.write_text("\n".join([sentences[language]] * 4), encoding="utf-8")
    old, new = copied(path)
    assert len(new) == 4 * len(old)
    for example in new:
        named = Counter(
            (example.tokens[each.start : each.end], each.label) for each in stretches(example.tags)
        )
        assert named == Counter(
            (old[0].tokens[each.start : each.end], each.label) for each in stretches(old[0].tags)
        )
        assert all(token and not token.split()[1:] for token in example.tokens)
    if language == "en":
        # A synonym of two words is two tokens.
        assert any("very" in example.tokens and "fine" in example.tokens for example in new)


def test_what_is_held_out_gets_no_copies(tmp_path):
    path = tmp_path / "all.csv"
    rows = ["text,label,split"]
    rows += [f"a good film number {n},{n % 2},{'train' if n < 4 else 'test'}" for n in range(8)]
    path.write_text("\n".join(rows))
    _, new = copied(path)
    parts = Counter(example.place.part for example in new)
    assert parts == {"train": 16, "test": 4}
    held_out = tmp_path / "test.csv"
    held_out.write_text("text,label\n" + "a good film,1\na bad film,0\n" * 3)
    with pytest.raises(DataError, match="nothing to augment"):
        list(augmented(open_data(held_out), AUGMENTER, 0))


def test_mentions_of_the_file_itself_are_exchanged(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in SPANS * 3), encoding="utf-8")
    chosen = AugmentationSettings(("mention",), copies=2)
    _, new = copied(path, Augmenter(chosen))
    names = {(example.text[s.start : s.end], s.label) for example in new for s in example.spans}
    assert names == {("New York", "LOC"), ("Ann", "PER"), ("李四", "PER"), ("北京大学", "LOC")}
    assert any("李四" in example.text and "We went" in example.text for example in new)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.jsonl", PAIRS, "'pair'"),
        (
            "train.jsonl",
            '{"text": "short", "entities": [[1, 3, "X"]]}\n'
            '{"text": "short", "entities": [[1, 99, "X"]]}\n',
            "row 2",
        ),
    ],
)
def test_what_cannot_be_augmented_is_refused(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=said):
        list(augmented(open_data(path), AUGMENTER, 0))


@pytest.mark.parametrize("out", ["a.csv", "a.jsonl", "a.csv.gz", "b"])
def test_the_name_must_say_the_format(tmp_path, out):
    with pytest.raises(SettingsError, match="csv"):
        require_like(tmp_path / out, tmp_path / "a.csv")
    require_like(tmp_path / "b.csv", tmp_path / "a.csv.gz")


def test_pairs_are_written_for_texts_or_sentences(tmp_path):
    texts = ["One is here. Two is there.", "今天天气好。我们去公园。"]
    file = tmp_path / "pairs.jsonl"
    assert write_pairs(texts, file, NoiseSettings(), 0) == 2
    assert write_pairs(texts, file, NoiseSettings(clean=0), 0, sentences=True) == 4
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [record["target"] for record in records][1:3] == ["Two is there.", "今天天气好。"]
    assert all(record["source"] != record["target"] for record in records)
    assert all(words(record["target"]) for record in records)
    with pytest.raises(DataError):
        write_pairs([], tmp_path / "none.jsonl", NoiseSettings(), 0)
    assert not (tmp_path / "none.jsonl").exists()
