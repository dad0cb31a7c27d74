"""Raw text becomes documents, whatever it is written in, and nothing is lost on the way."""

import gzip
import json
from itertools import pairwise

import pytest

from speaq.core.errors import DataError
from speaq.training.pretraining import corpus
from speaq.training.pretraining.corpus import documents

TEXTS = {"en": "One line.\n  Indented.\n\nAnother one.", "zh": "第一行。\n　缩进。\n\n另一行。"}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_plain_file_is_one_document(tmp_path, language, encoding, packed):
    file = tmp_path / ("a.txt.gz" if packed else "a.txt")
    data = TEXTS[language].replace("\n", "\r\n").encode(encoding)
    file.write_bytes(gzip.compress(data) if packed else data)
    assert list(documents(file)) == [[TEXTS[language]]]


def test_rows_are_documents(tmp_path):
    file = tmp_path / "a.jsonl"
    rows = [{"内容": "一", "n": 1}, {"内容": "二", "n": 2}, {"内容": "", "n": 3}]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    assert list(documents(file, "内容")) == list(documents(file)) == [["一"], ["二"]]
    lone = tmp_path / "b.csv"
    lone.write_text("anything\none\ntwo\n")
    assert list(documents(lone)) == [["one"], ["two"]]


def test_long_documents_are_cut_where_a_line_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "PIECE", 20)
    text = "\n".join(["short", "a line of more than twenty characters", "", " x", "end"] * 5)
    file = tmp_path / "a.txt"
    file.write_text(text)
    [pieces] = documents(file)
    assert "".join(pieces) == text
    assert len(pieces) > 3
    for before, after in pairwise(pieces):
        assert before.endswith("\n") and not after[0].isspace()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "no text"),
        ("a.jsonl", b'{"text": ""}\n', "no text"),
        ("a.jsonl", b'{"text": "x"}\n{"text": 3}\n', r"row 2, field 'text': expected a text"),
        ("a.csv", b"a,b\n1,2\n", r"row 2, field 'text': .*columns found: a, b"),
        ("a.txt.gz", gzip.compress(b"some text " * 99, mtime=0)[:-9], "cut off or damaged"),
        ("a.txt", "文本".encode()[:-1] * 1, "broken"),
        ("a.xyz", b"text", "cannot read files named like this"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as found:
        list(documents(tmp_path / name))
    assert name in str(found.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(documents(tmp_path / "absent.txt"))
