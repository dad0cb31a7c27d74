"""Augmentation and noise on the command line, through the entry points of `speaq data`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speaq.cli import data_augment, data_noise
from speaq.core import registry
from speaq.core.errors import SpeaqError
from speaq.text.embeddings.files import save_vectors
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.files.data_files import read_examples

ROWS = {
    "en": "text,label\nthe food is good,1\nthe soup is cold,0\n",
    "zh": "文本,标签\n菜好吃,1\n汤是凉的,0\n",
}


def test_they_are_entries_of_speaq_data() -> None:
    assert registry.load("data", "augment") is data_augment.main
    assert registry.load("data", "noise") is data_noise.main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_is_augmented(
    folder: Path, capsys: pytest.CaptureFixture[str], spoken: str, language: str
) -> None:
    header, *rows = ROWS[language].splitlines()
    lines = [header, *rows * 3]
    encoding = "utf-8" if language == "en" else "gbk"
    Path("train.csv").write_bytes("\n".join(lines).encode(encoding))
    Path("own.txt").write_text("good,great\n好吃,美味\n", encoding="utf-8")
    rich = WordVectors(("cold", "chilly", "凉", "冰"), np.ones((4, 2), np.float32))
    save_vectors(rich, "v.safetensors")
    sources = ["--synonyms", "own.txt", "--vectors", "v.safetensors"]
    edits = ["--copies", "2", "--edits", "replace", "insert"]
    data_augment.main(["train.csv", "more.csv", *sources, *edits])
    told = capsys.readouterr().out
    assert ("18" in told) and ("12" in told)
    assert ("new" if spoken == "en" else "新增") in told
    found = read_examples("more.csv")
    assert len(found) == 18
    texts = " ".join(example.text for example in found)  # type: ignore[union-attr]
    for word in ("great", "chilly") if language == "en" else ("美味", "冰"):
        assert word in texts


def test_columns_can_be_named(folder: Path) -> None:
    rows = ["n,said,mood", *(f"{n},the good film {n},m{n % 2}" for n in range(6))]
    Path("a.csv").write_text("\n".join(rows))
    data_augment.main(["a.csv", "b.csv", "--columns", "text=said", "label=mood", "--copies", "1"])
    found = read_examples("b.csv", columns={"text": "said", "label": "mood"})
    assert len(found) == 12


def test_with_many_examples_it_says_that_it_rarely_helps(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, spoken: str
) -> None:
    header, *rows = ROWS["en"].splitlines()
    Path("a.csv").write_text("\n".join([header, *rows * 3]))
    for most, told in ((6, False), (5, True)):
        monkeypatch.setattr(data_augment, "MANY", most)
        data_augment.main(["a.csv", "b.csv", "--copies", "1"])
        said = capsys.readouterr().err
        assert (("rarely helps" if spoken == "en" else "通常无益") in said) is told


def test_pairs_to_repair_are_made(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("clean.txt").write_text("This is a good day. 今天天气很好。\n", encoding="utf-8")
    data_noise.main(["clean.txt", "--sentences", "--clean", "0", "--out", "pairs.jsonl"])
    assert "2 pairs" in capsys.readouterr().out
    lines = Path("pairs.jsonl").read_text(encoding="utf-8").splitlines()
    targets = [json.loads(line)["target"] for line in lines]
    assert targets == ["This is a good day.", "今天天气很好。"]


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (data_augment.main, ["none.csv", "b.csv"], "none.csv"),
        (data_augment.main, ["train.csv", "b.jsonl"], "b.jsonl"),
        (data_augment.main, ["train.csv", "b.csv", "--edits", "replace"], "--synonyms"),
        (data_augment.main, ["train.csv", "b.csv", "--synonyms", "none.txt"], "none.txt"),
        (data_noise.main, ["none.txt"], "none.txt"),
        (data_noise.main, ["empty.txt"], "no text"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, main: Callable[[list[str]], None], words: list[str], said: str
) -> None:
    Path("train.csv").write_text(ROWS["en"])
    Path("empty.txt").touch()
    with pytest.raises(SpeaqError, match=said):
        main(words)
    assert not Path("b.csv").exists()
