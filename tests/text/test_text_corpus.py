"""A corpus: the texts of files of any kind, as often as they are gone through."""

import gzip
import json

import pytest

from speaq.core.errors import DataError
from speaq.text.corpus import Corpus


def test_texts_come_in_order_from_every_kind_of_file_and_again(tmp_path):
    (tmp_path / "a.txt").write_bytes("第一行\n\n第二行\n".encode("gbk"))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"one line\n  \n"))
    lines = [json.dumps({"id": 1, "content": text}) for text in ("three is here", "你好吗")]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    (tmp_path / "d.csv").write_text("文本,标签\n天气很好啊,1\n天气不好啊,0\n", encoding="utf-8")
    corpus = Corpus([tmp_path / name for name in ("a.txt", "b.txt.gz", "c.jsonl", "d.csv")])
    texts = ["第一行", "第二行", "one line", "three is here", "你好吗", "天气很好啊", "天气不好啊"]
    assert list(corpus) == texts
    assert list(corpus) == texts


def test_a_table_without_a_header_and_tagged_tokens_are_texts_too(tmp_path):
    table = tmp_path / "a.tsv"
    texts = [f"what a good film number {n} is" for n in range(8)]
    table.write_text("".join(f"{text}\t{n % 2}\n" for n, text in enumerate(texts)))
    assert list(Corpus([table])) == texts
    tagged = tmp_path / "b.conll"
    tagged.write_text("Ann B-P\nsleeps O\n\nin O\nParis B-L\n")
    assert list(Corpus([tagged])) == ["Ann sleeps", "in Paris"]


def test_a_usual_name_is_enough_where_values_tell_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("n,内容\n1,好\n2,好\n", encoding="utf-8")
    assert list(Corpus([tmp_path / "a.csv"])) == ["好", "好"]


def test_a_fingerprint_tells_contents_apart(tmp_path):
    for name, text in (("a.txt", "x"), ("b.txt", "x"), ("c.txt", "y")):
        (tmp_path / name).write_text(text)
    a, b, c = (Corpus([tmp_path / name]).fingerprint() for name in ("a.txt", "b.txt", "c.txt"))
    assert a == b != c


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", None, "no such file"),
        ("a.txt.gz", b"\x1f\x8bbroken", "cut off or damaged"),
        ("a.csv", b"n,m\n1,2\n3,4\n", "--column"),
        ("a.jsonl", b'{"text": "fine and good"}\n{"text": 3}\n', "row 2"),
    ],
)
def test_what_holds_no_text_is_refused(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        list(Corpus([tmp_path / name]))


def test_no_file_is_refused():
    with pytest.raises(DataError, match="no file"):
        Corpus([])
