"""Data files: formats, encodings, and what is wrong with a file, by row."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.text.files.readers import read_rows

CHINESE = "问题,回答,评分\n你好,很高兴见到你,1\n天气怎么样,今天晴，适合出门。,0.5\n"
ROWS = [
    (2, {"问题": "你好", "回答": "很高兴见到你", "评分": "1"}),
    (3, {"问题": "天气怎么样", "回答": "今天晴，适合出门。", "评分": "0.5"}),
]


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("name", ["log.csv", "log.CSV", "log.csv.gz"])
def test_a_chinese_table_reads_the_same_in_every_usual_encoding(tmp_path, encoding, name):
    assert list(read_rows(put(tmp_path, name, CHINESE.encode(encoding)))) == ROWS


@pytest.mark.parametrize(
    "text", ["是,否\n对,错\n", "a,b\n你,我\n", "prompt,response\n早上好,您好！\n"]
)
def test_a_table_of_a_few_chinese_characters_is_enough_to_know_gbk(tmp_path, text):
    expected = list(read_rows(put(tmp_path, "utf8.csv", text)))
    assert list(read_rows(put(tmp_path, "gbk.csv", text.encode("gbk")))) == expected


def test_long_gbk_and_big5_texts_are_told_apart(tmp_path):
    simple = "prompt,response\n" + "请问这件衣服可以退货吗,可以，请在七天之内联系客服办理。\n" * 30
    traditional = (
        "prompt,response\n" + "請問這件衣服可以退貨嗎,可以，請在七天之內聯絡客服辦理。\n" * 30
    )
    for text, encoding in ((simple, "gbk"), (traditional, "big5")):
        rows = list(read_rows(put(tmp_path, "long.csv", text.encode(encoding))))
        assert rows == list(read_rows(put(tmp_path, "utf8.csv", text)))


def test_a_longer_korean_text_is_not_taken_for_chinese(tmp_path):
    text = (
        "prompt,response\n"
        + "이 옷을 반품할 수 있나요,네 칠일 이내에 고객센터로 연락해 주세요.\n" * 10
    )
    rows = list(read_rows(put(tmp_path, "ko.csv", text.encode("euc_kr"))))
    assert rows == list(read_rows(put(tmp_path, "utf8.csv", text)))


def test_western_text_is_not_taken_for_chinese(tmp_path):
    text = "prompt,response\nOù est le café ?,Très près d'ici, à gauche.\n".replace("ici,", "ici")
    rows = list(read_rows(put(tmp_path, "fr.csv", text.encode("cp1252"))))
    assert rows == [(2, {"prompt": "Où est le café ?", "response": "Très près d'ici à gauche."})]


def test_json_lines_keep_types_and_count_blank_lines(tmp_path):
    path = put(tmp_path, "a.jsonl", '{"a": 1, "b": [true]}\n\n{"a": "\u2028x"}\r\n')
    assert list(read_rows(path)) == [(1, {"a": 1, "b": [True]}), (3, {"a": "\u2028x"})]


def test_json_may_be_a_list_or_one_object(tmp_path):
    assert list(read_rows(put(tmp_path, "l.json", '[{"a": 1}, {"a": 2}]'))) == [
        (1, {"a": 1}),
        (2, {"a": 2}),
    ]
    assert list(read_rows(put(tmp_path, "o.json", '{"a": 1}'))) == [(1, {"a": 1})]


def test_rows_of_a_table_are_counted_as_lines_of_the_file(tmp_path):
    path = put(tmp_path, "a.csv", 'p,r\n"two\nlines",x\n\nlast,y\n')
    assert [(row, record["p"]) for row, record in read_rows(path)] == [
        (2, "two\nlines"),
        (5, "last"),
    ]


def test_other_separators(tmp_path):
    expected = [(2, {"a": "1,5", "b": "x"})]
    assert list(read_rows(put(tmp_path, "a.csv", "a;b\n1,5;x\n"))) == expected
    assert list(read_rows(put(tmp_path, "a.tsv", "a\tb\n1,5\tx\n"))) == expected


def test_a_long_value_is_no_error(tmp_path):
    long = "字" * 200_000
    assert list(read_rows(put(tmp_path, "a.csv", f"a,b\n{long},x\n"))) == [
        (2, {"a": long, "b": "x"})
    ]


BROKEN = {
    "cut.jsonl": ('{"a": 1}\n{"a": "hel', 2, "cut off"),
    "cut-number.jsonl": ('{"a": 1}\n{"a": ', 2, "cut off"),
    "notjson.jsonl": ('{"a": 1}\n{a: 2}\n', 2, "not JSON"),
    "number.jsonl": ("3\n", 1, "expected an object"),
    "digits.jsonl": ('{"a": ' + "9" * 5000 + "}\n", 1, "number is too long"),
    "deep.jsonl": ("[" * 100_000 + "\n", 1, "nested too deeply"),
    "few.csv": ("a,b\n1,2\n3\n", 3, "1 values for the 2 columns a, b"),
    "many.csv": ("a,b\n1,2,3\n", 2, "3 values for the 2 columns"),
    "quote.csv": ('a,b\n1,"2\n', 2, "quotation mark"),
    "twice.csv": ("a,a\n1,2\n", 1, "name each column once"),
    "nameless.csv": ("a,\n1,2\n", 1, "name each column once"),
    "character.jsonl": ('{"a": "你好'.encode()[:-1], 1, "broken"),
    "character.csv": (
        "a\n好好好好\n".encode() + b"\xe5\xa5\n" + "好好好好\n".encode(),
        3,
        "broken",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_row_is_named_in_one_sentence(tmp_path, name):
    content, row, says = BROKEN[name]
    path = put(tmp_path, name, content)
    with pytest.raises(DataError, match=says) as caught:
        list(read_rows(path))
    assert (caught.value.file, caught.value.row) == (path, row)
    assert str(path) in caught.value.en and f"第 {row} 行" in caught.value.zh
    assert "\n" not in str(caught.value)


def test_rows_before_the_broken_one_are_given(tmp_path):
    rows = read_rows(put(tmp_path, "a.jsonl", '{"a": 1}\n{"a'))
    assert next(rows) == (1, {"a": 1})


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xlsx", b"PK", "known endings"),
        ("a.jsonl.gz", b"no gzip", "cut off or damaged"),
        ("a.parquet", b"PAR1 no parquet", "Parquet"),
        ("a.jsonl", bytes(range(128, 256)) * 3, "save it as UTF-8|not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        list(read_rows(path))
    assert caught.value.file == path


def test_a_compressed_file_cut_off_is_an_error(tmp_path):
    lines = "".join(json.dumps({"a": n}) + "\n" for n in range(5000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines.encode())[:-2000])
    with pytest.raises(DataError, match="compressed file is cut off"):
        list(read_rows(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(read_rows(tmp_path / "none.csv"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            # NUL is no text: a file that holds it looks like UTF-16.
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            min_size=2,
            max_size=2,
        ).filter(any),
        max_size=4,
    )
)
def test_whatever_a_csv_writer_writes_is_read_back(tmp_path_factory, values):
    import csv

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["a", "b"], *values])
    assert [list(record.values()) for _, record in read_rows(path)] == values
