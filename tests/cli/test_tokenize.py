"""Tokenizers on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

Speaq = Callable[..., tuple[int, str, str]]
LINES = {
    "en": "the cat sat on the mat\nthe dog sat on the log\n" * 10,
    "zh": "今天天气很好\n我们今天去公园\n" * 10,
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_tokenizer_is_made_and_shown(speaq: Speaq, spoken: str, language: str) -> None:
    encoding = "utf-8" if language == "en" else "gbk"
    Path("corpus.txt").write_bytes(LINES[language].encode(encoding))
    code, out, err = speaq("tokenize", "train", "corpus.txt", "--vocabulary", 300)
    assert code == 0, err
    assert "20" in out and ("made from" if spoken == "en" else "得到") in out
    text = "the cat" if language == "en" else "今天"
    tokenizer = AutoTokenizer.from_pretrained("tokenizer", local_files_only=True)
    code, out, err = speaq("tokenize", "show", "tokenizer", text, "--files", "corpus.txt")
    assert code == 0, err
    shown = [line for line in out.splitlines() if "'" in line]
    assert [int(line.split()[0]) for line in shown] == tokenizer(text)["input_ids"]
    assert ("0 unknown" if spoken == "en" else "未知 0 个") in out


def test_columns_are_found_or_named(speaq: Speaq) -> None:
    Path("a.csv").write_text("n,内容\n1,今天天气很好\n2,我们去公园\n", encoding="utf-8")
    Path("b.csv").write_text("n,m\n1,2\n3,4\n", encoding="utf-8")
    Path("c.csv").write_text("n,said\n1,hello there\n", encoding="utf-8")
    rows = [f"what a good day number {n} is\t{n % 2}" for n in range(6)]
    Path("d.tsv").write_text("\n".join(rows))
    small = ("--vocabulary", 300)
    assert speaq("tokenize", "train", "a.csv", *small)[0] == 0
    code, _, err = speaq("tokenize", "train", "b.csv", *small)
    assert code == 2 and "b.csv" in err and "--column" in err
    code, _, err = speaq("tokenize", "train", "c.csv", "--column", "sayd", *small)
    assert code == 2 and "c.csv, row 2, field 'sayd'" in err
    assert speaq("tokenize", "train", "c.csv", "--column", "said", *small)[0] == 0
    code, out, _ = speaq("tokenize", "train", "d.tsv", *small)
    assert code == 0 and "6 texts" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train",), "no file"),
        (("train", "nowhere.txt"), "nowhere.txt"),
        (("train", "empty.txt"), "no text"),
        (("train", "empty.txt", "--vocabulary", 100), "vocabulary = 100"),
        (("show", "nowhere", "text"), "nowhere"),
        (("show", "nowhere"), "needs a text"),
        (("shaw",), "show"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    speaq: Speaq, words: tuple[object, ...], said: str
) -> None:
    Path("empty.txt").touch()
    code, out, err = speaq("tokenize", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and said in err
