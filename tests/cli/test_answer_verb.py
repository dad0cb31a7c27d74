"""Answers on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from speaq.experience.store import ExperienceStore

Speaq = Callable[..., tuple[int, str, str]]
TEXTS = {
    "en": ("The pump was built in 1998 by Anna Keller.", "When was the pump built?", "1998"),
    "zh": ("专业版的保修期是三年。价格是五千元。", "专业版的保修期多长？", "三年"),
}


def test_from_documents_to_kept_answers(speaq: Speaq, spoken: str) -> None:
    text, question, held = TEXTS[spoken]
    Path("docs").mkdir()
    Path("docs/a.txt").write_text(text, encoding="utf-8")
    code, out, err = speaq("answer", "index", "i", "docs", "--domain", "medical")
    assert code == 0, err
    assert ("holds 1 passages" if spoken == "en" else "现有 1 个段落") in out
    again = speaq("answer", "index", "i", "docs", "--domain", "medical")[1]
    assert again == out.replace("1 documents", "0 documents").replace("1 个文档", "0 个文档")
    code, out, _ = speaq("answer", "search", "i", question, "--count", 1)
    assert out.startswith("1  a.txt:1") and "bm25" in out and held in out
    code, out, err = speaq("answer", "ask", "i", question, "--store", "log.sqlite")
    assert code == 0, err
    assert held in out.splitlines()[0] and "a.txt:1 [0:" in out
    assert ("physician" if spoken == "en" else "医生") in out
    with ExperienceStore("log.sqlite") as store:
        [episode] = store.episodes()
    assert (episode.app, episode.prompt) == ("answer", question) and held in episode.reply
    code, out, _ = speaq("answer", "ask", "i", question, "--json")
    assert json.loads(out)["details"]["citations"][0]["file"] == "a.txt"


def test_documents_come_and_go(speaq: Speaq) -> None:
    Path("a.txt").write_text("The pump is red. It is made of brass.")
    Path("b.txt").write_text("The valve is green. It is made of steel.")
    assert speaq("answer", "index", "i", "a.txt")[0] == 0
    assert speaq("answer", "add", "i", "b.txt")[0] == 0
    assert [line.split("\t")[0] for line in speaq("answer", "list", "i")[1].splitlines()] == [
        "a.txt",
        "b.txt",
    ]
    assert "1 documents" in speaq("answer", "remove", "i", "a.txt")[1]
    assert "b.txt" in speaq("answer", "list", "i")[1].split()
    assert "a.txt" not in speaq("answer", "list", "i")[1].split()
    code, out, _ = speaq("answer", "set", "i", "--notice", "Ask Eve.", "--passages", 3)
    assert code == 0 and json.loads(out)["passages"] == 3
    assert "Ask Eve." in speaq("answer", "ask", "i", "What is the valve made of?")[1]


def test_calibrate_and_evaluate(speaq: Speaq, spoken: str) -> None:
    text, question, held = TEXTS[spoken]
    Path("a.txt").write_text(text, encoding="utf-8")
    speaq("answer", "index", "i", "a.txt")
    rows = [{"question": question, "answer": held}, {"question": "Xyz abc?", "answer": ""}] * 30
    Path("e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, err = speaq("answer", "calibrate", "i", "e.jsonl")
    assert code == 0, err
    words = {"en": "false answers, of the others", "zh": "不可答问题的误答率"}
    assert f"{words[spoken]}: 0.0% [0.0%, 11.4%] of 30" in out and "AUROC: 1.000" in out
    code, out, _ = speaq("answer", "evaluate", "i", "e.jsonl")
    assert "recall@1: 1.0000" in out and "false_answer_rate: 0.0000" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("index", "i", "none.txt"), "none.txt"),
        (("index", "i", "empty"), "no documents"),
        (("ask", "i", "Why?"), "no index"),
        (("remove", "i", "a.txt"), "no index"),
        (("rank", "i", "log.sqlite"), "no index"),
        (("encoder", "--store", "log.sqlite"), "too few"),
        (("explain",), "calibrate"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    speaq: Speaq, words: tuple[str, ...], said: str
) -> None:
    Path("empty").mkdir()
    code, out, err = speaq("answer", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and said in err
    assert not Path("i").exists()
