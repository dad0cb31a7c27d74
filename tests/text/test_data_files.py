"""Recognising data files beyond the fixtures, reading them strictly, and what is refused."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.text.doctor.inspecting import inspect
from speaq.text.files.data_files import groups, open_data, read_examples
from speaq.text.files.examples import Answer, Span
from speaq.text.files.recognise import recognise

DATA = Path(__file__).parents[3] / "shared" / "data"

SAID = [("很好吃，下次再来。", "1"), ("太难吃了，不推荐。", "0"), ("服务员态度很好。", "1")]
TABLE = [(f"{dish}{text}", label) for dish in ("面条", "米饭", "点心") for text, label in SAID]


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("header", [True, False])
def test_one_table_in_many_dresses(tmp_path, name, encoding, header) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t" if name in ("a.tsv", "a.txt") else ",")
    writer.writerows([("评论", "标签")] * header + TABLE)
    examples = read_examples(put(tmp_path, name, stream.getvalue().encode(encoding)))
    assert [(each.text, each.label) for each in examples] == TABLE
    assert [each.place.row for each in examples] == list(range(1 + header, 10 + header))


@pytest.mark.parametrize(
    ("record", "kind", "wanted"),
    [
        ({"premise": "A.", "hypothesis": "B.", "label": 2}, "pair", ("A.", "B.", "2")),
        ({"句子1": "甲。", "句子2": "乙。", "标签": "0"}, "pair", ("甲。", "乙。", "0")),
        ({"src": "Tea.", "tgt": "茶。"}, "parallel", ("Tea.", "茶。")),
        ({"translation": {"en": "Tea.", "zh": "茶。"}}, "parallel", ("Tea.", "茶。")),
        ({"text": "Tea.", "label": ["hot", "drink"]}, "labelled", ("Tea.", ("hot", "drink"))),
        (
            {"tokens": ["甲", "乙"], "ner_tags": ["O", "B-x"]},
            "tagged",
            (("甲", "乙"), ("O", "B-x")),
        ),
        ({"words": ["a", "b"], "tags": [0, 1]}, "tagged", (("a", "b"), ("0", "1"))),
        ({"text": "Tea.", "label": [[0, 3, "drink"]]}, "spans", ("Tea.", (Span(0, 3, "drink"),))),
        (
            {"text": "喝茶", "entities": [{"start_offset": 1, "end_offset": 2, "label": "饮品"}]},
            "spans",
            ("喝茶", (Span(1, 2, "饮品"),)),
        ),
        (
            {"text": "喝茶", "label": {"饮品": {"茶": [[1, 1]]}}},
            "spans",
            ("喝茶", (Span(1, 2, "饮品", "茶"),)),
        ),
        ({"messages": [{"role": "user", "content": "Hi."}]}, "text", ("Hi.",)),
        ({"title": "Tea"}, "text", ("Tea",)),
    ],
)
def test_json_lines_say_by_their_fields_what_they_are(tmp_path, record, kind, wanted) -> None:
    path = put(tmp_path, "a.jsonl", json.dumps(record, ensure_ascii=False) + "\n")
    (example,) = read_examples(path, kind=kind)
    assert tuple(getattr(example, name) for name in example.__slots__)[: len(wanted)] == wanted


def test_answers_come_in_lists_in_objects_and_in_columns(tmp_path) -> None:
    context, made = "The mill was built in 1820.", []
    for answers in (
        [{"text": "1820", "answer_start": 22}],
        {"text": ["1820"], "answer_start": [22]},
        "1820",
    ):
        record = {"context": context, "question": "When?", "answers": answers}
        (example,) = read_examples(put(tmp_path, "a.jsonl", json.dumps(record)), kind="question")
        made.append(example.answers)
    assert made == [(Answer("1820", 22),)] * 3


def test_columns_can_be_named(tmp_path) -> None:
    path = put(tmp_path, "a.csv", "one,two,three\nTea is good.,x,Milk is bad.\n")
    (example,) = read_examples(path, columns={"text": "three", "label": "two"})
    assert (example.text, example.label) == ("Milk is bad.", "x")
    with pytest.raises(DataError, match="no column 'four' for text"):
        read_examples(path, columns={"text": "four"})


def test_files_that_belong_together_are_put_together(tmp_path) -> None:
    names = ["train.en", "train.de", "train.zh", "src.txt", "tgt.txt", "notes.csv"]
    paths = [put(tmp_path, name, "a,b\nx y z,1\n" if "csv" in name else "a b\n") for name in names]
    found = [tuple(path.name for path in group) for group in groups(paths)]
    assert found == [
        ("train.en", "train.de"), ("train.en", "train.zh"), ("src.txt", "tgt.txt"), ("notes.csv",),
    ]  # fmt: skip
    assert groups([tmp_path]) == [
        (tmp_path / "notes.csv",),
        (tmp_path / "src.txt", tmp_path / "tgt.txt"),
        (tmp_path / "train.de", tmp_path / "train.en"),
        (tmp_path / "train.de", tmp_path / "train.zh"),
    ]
    assert open_data(*paths[:2]).layout.languages == ("en", "de")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "", "empty"),
        ("a.txt", " \n\n", "empty"),
        ("a.csv", "text,label\n", "no row"),
        ("a.csv", "a,b\n1,2\n3,4\n", "no column holds text; found are a, b"),
        ("a.json", '[{"text": "a"', "cut off"),
        ("a.json", "[]", "no row"),
        ("a.tmx", "<tmx><body></body></tmx>", "two languages"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "cut off"),
        ("a.csv", "text,label\nx y z,1\nx y\n", "1 values for the 2 columns"),
        ("a.csv", "好好好好,评价\n".encode() + b"\xe5\xa5,x\n" + "好好好,y\n".encode(), "broken"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_both_languages(
    tmp_path, name, content, says
) -> None:
    path = put(tmp_path, name, content)
    with pytest.raises(DataError, match=says) as caught:
        read_examples(path)
    assert str(path) in caught.value.en and str(path) in caught.value.zh
    assert "\n" not in caught.value.en


@pytest.mark.parametrize("second", ['"{}', '{}"'])
def test_a_stray_quotation_mark_costs_only_its_row(tmp_path, second) -> None:
    rows = [f"{text},{label}" for text, label in TABLE]
    rows[2], rows[6] = f'"{rows[2]}', second.format(rows[6])
    data = open_data(put(tmp_path, "a.csv", "\n".join(["text,label", *rows]) + "\n"))
    assert [fault.row for fault in data.faults] == [4, 8]
    assert [each.place.row for each in data.examples] == [2, 3, 5, 6, 7, 9, 10]


def test_another_kind_than_expected_is_refused(tmp_path) -> None:
    path = put(tmp_path, "a.csv", "text,label\nTea is good.,x\n")
    with pytest.raises(DataError, match="expected examples of kind 'tagged', found 'labelled'"):
        read_examples(path, kind="tagged")
    with pytest.raises(DataError, match="no such file"):
        read_examples(tmp_path / "b.csv")


def test_a_tmx_of_entities_is_not_a_bomb(tmp_path) -> None:
    tenfold = [f"&e{n};" * 10 for n in range(8)]
    levels = "".join(f'<!ENTITY e{n} "{each}">' for n, each in enumerate(tenfold, start=1))
    text = (
        f'<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY e0 "boom">{levels}]><tmx><body><tu>'
        '<tuv xml:lang="en"><seg>a</seg></tuv><tuv xml:lang="zh"><seg>&e8;</seg></tuv>'
        "</tu></body></tmx>"
    )
    with pytest.raises(DataError):
        read_examples(put(tmp_path, "a.tmx", text))


def test_conll_u_and_codes_inside_of_segments(tmp_path) -> None:
    rows = ["1-2\tdu\t_", "1\tde\tADP", "2\tle\tDET", "3\tthé\tNOUN"]
    lines = []
    for row in rows:
        number, word, tag = row.split("\t")
        lines.append("\t".join([number, word, "_", tag, *["_"] * 6]))
    path = put(tmp_path, "a.conllu", "# text = du thé\n" + "\n".join(lines) + "\n")
    (example,) = read_examples(path)
    assert (example.tokens, example.tags) == (("de", "le", "thé"), ("ADP", "DET", "NOUN"))
    assert not inspect([open_data(path)]).findings
    seg = "<seg>Hot <ph>{b}</ph>tea</seg>"
    unit = f'<tuv lang="en">{seg}</tuv><tuv lang="zh"><seg>热茶</seg></tuv>'
    tmx = f"<tmx><body><tu>{unit}</tu></body></tmx>"
    (pair,) = read_examples(put(tmp_path, "a.tmx", tmx))
    assert (pair.source, pair.target) == ("Hot tea", "热茶")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.sampled_from("ab")),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_a_csv_writer_writes_is_read_back(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])
    data = open_data(path)
    assert data.faults == ()
    assert [(each.text, each.label) for each in data.examples] == rows


REAL = {
    "banking77/train.csv.gz": ("csv", "labelled", 10003),
    "sst2/dev.tsv": ("csv", "labelled", 872),
    "snips/dev.txt": ("conll", "tagged", 700),
    "cluener/dev.jsonl.gz": ("jsonl", "spans", 1343),
    "cmrc2018/cmrc2018_trial.json.gz": ("squad", "question", 1002),
    "tatoeba/en-zh.tsv.gz": ("csv", "parallel", 29155),
    "toxicity_zh/cold_dev.csv.gz": ("csv", "labelled", 6431),
    "clinc150/data_full.json.gz": ("json", "labelled", 23700),
    "pii/presidio_synth_v2.json.gz": ("json", "spans", 1500),
}


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_recognised_and_wholly_read(name) -> None:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    data = open_data(path)
    assert (data.layout.format, data.layout.kind, len(data.entries)) == REAL[name]
    assert data.faults == ()


def test_the_known_faults_of_cmrc_are_all_found() -> None:
    path = DATA / "cmrc2018/cmrc2018_dev.json.gz"
    if not path.is_file():
        pytest.skip("cmrc2018 is not here")
    data = open_data(path)
    wrong = {
        each.place.row
        for each in data.examples
        if any(not each.context.startswith(a.text, max(0, a.start)) for a in each.answers)
    }
    report = inspect([data])
    assert {f.place.row for f in report.findings if f.kind == "answer-offset"} == wrong
    assert len(wrong) == 176


def test_the_layout_is_a_value(tmp_path) -> None:
    path = put(tmp_path, "a.csv", "text,label\nTea is good.,x\n")
    assert recognise(path) == recognise(path)
