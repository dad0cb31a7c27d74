"""speaq data: what it prints, writes and refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Speaq = Callable[..., tuple[int, str, str]]

GOOD = [
    "很好吃，下次再来。,好评",
    "太难吃了，再也不来。,差评",
    "服务员态度很好，上菜也快。,好评",
    "等了一个小时才上菜。,差评",
    "环境安静，适合聚会。,好评",
    "汤是冷的，菜是咸的。,差评",
]


def table(file: Path, rows: list[str], encoding: str = "utf-8") -> Path:
    file.write_text("\n".join(["文本,标签", *rows]) + "\n", encoding=encoding)
    return file


def test_actions_are_listed(speaq: Speaq, spoken: str) -> None:
    code, out, _ = speaq("data", "--help")
    assert code == 0
    assert {"inspect", "clean", "dedupe", "split"} <= {
        line.split()[0] for line in out.splitlines() if line.startswith("  ")
    }
    assert ("duplicates" if spoken == "en" else "去除重复") in out


@pytest.mark.parametrize("action", ["inspect", "clean", "dedupe", "split"])
def test_every_action_explains_itself_and_an_unknown_one_is_corrected(
    speaq: Speaq, action: str
) -> None:
    code, out, _ = speaq("data", action, "--help")
    assert code == 0 and f"speaq data {action}" in out
    code, out, err = speaq("data", action[:-1])
    assert (code, out) == (2, "") and action in err


def test_a_report_says_where_what_and_how_to_mend(
    speaq: Speaq, tmp_path: Path, spoken: str
) -> None:
    table(tmp_path / "train.csv", [*GOOD, "  ,好评"], "gbk")
    table(tmp_path / "test.csv", [GOOD[2], "菜量足，价格也公道。,好评", "空调坏了，很热。,差评"])
    code, out, _ = speaq("data", "inspect", "train.csv", "test.csv")
    assert code == 0
    assert "gb18030" in out and "train.csv:8" in out and "test.csv:2" in out
    assert "speaq data clean train.csv --fix empty\n" in out
    assert "speaq data dedupe train.csv --against test.csv\n" in out
    assert ("duplicate across splits" if spoken == "en" else "跨划分重复") in out


def test_a_report_is_json_too(speaq: Speaq, tmp_path: Path) -> None:
    table(tmp_path / "a.csv", [*GOOD, GOOD[0]])
    _, out, _ = speaq("data", "inspect", "a.csv", "--json")
    report = json.loads(out)
    (finding,) = report["findings"]
    assert (finding["kind"], finding["row"]) == ("duplicate", 8)
    assert finding["command"] == "speaq data dedupe a.csv"
    assert finding["others"] == [{"file": "a.csv", "row": 2}]
    assert report["files"][0]["columns"] == {"text": "文本", "label": "标签"}


def test_nothing_wrong_is_said(speaq: Speaq, tmp_path: Path, spoken: str) -> None:
    table(tmp_path / "a.csv", GOOD)
    _, out, _ = speaq("data", "inspect", "a.csv")
    assert ("Nothing is wrong" if spoken == "en" else "没有问题") in out


def test_following_the_advice_leaves_nothing_to_advise(speaq: Speaq, tmp_path: Path) -> None:
    table(tmp_path / "train.csv", [*GOOD, "  ,好评", GOOD[1], "茶很香，点心也好。,好评 "], "utf-16")
    table(tmp_path / "test.csv", [GOOD[2], "菜量足，价格也公道。,好评", "空调坏了，很热。,差评"])
    speaq("data", "clean", "train.csv", "--out", "b.csv")
    speaq("data", "dedupe", "b.csv", "--against", "test.csv", "--out", "train2.csv")
    _, out, _ = speaq("data", "inspect", "train2.csv", "test.csv", "--json")
    assert json.loads(out)["findings"] == []
    assert (tmp_path / "train2.csv").read_text("utf-8").count("\n") == 7


def test_cleaning_tells_every_change(speaq: Speaq, tmp_path: Path, spoken: str) -> None:
    table(tmp_path / "a.csv", [*GOOD, " ,好评", "好\u200b吃得很，推荐。,好评"])
    code, out, _ = speaq("data", "clean", "a.csv")
    assert code == 0 and "a.csv:8" in out and "a.csv:9" in out
    assert ("7 examples, 1 repairs, 1 left out" if spoken == "en" else "修复 1 处") in out
    assert "好吃得很" in (tmp_path / "a.clean.csv").read_text("utf-8")


def test_splits_are_written_whole_or_not_at_all(speaq: Speaq, tmp_path: Path) -> None:
    table(tmp_path / "a.csv", GOOD)
    code, out, _ = speaq("data", "split", "a.csv", "--out", "s", "--dev", "0", "--test", "0.5")
    assert code == 0 and "train" in out
    assert sorted(file.name for file in (tmp_path / "s").iterdir()) == ["test.csv", "train.csv"]
    assert speaq("data", "split", "a.csv", "--out", "s", "--dev", "0")[0] == 0
    (tmp_path / "s" / "mine.txt").write_text("x", encoding="utf-8")
    code, _, err = speaq("data", "split", "a.csv", "--out", "s")
    assert code == 2 and "something else" in err
    assert (tmp_path / "s" / "mine.txt").exists()
    assert not [file for file in tmp_path.rglob(".*") if file.name != ".hypothesis"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("inspect", "none.csv"), "no such file"),
        (("inspect", "a.csv", "--columns", "txt=a"), "roles are"),
        (("inspect", "a.csv", "--near", "7"), "near"),
        (("clean", "a.csv", "--fix", "emptyy"), "did you mean 'empty'"),
        (("clean", "a.csv", "--out", "a.csv"), "being read"),
        (("dedupe", "a.csv", "b.csv"), "one file at a time"),
        (("dedupe", "a.csv", "--near", "0"), "0.3"),
        (("split", "a.csv", "--out", "s", "--group", "who"), "no such column"),
        (("split", "bad.csv", "--out", "s"), "clean first"),
    ],
)
def test_refusals_are_one_sentence_and_write_nothing(
    speaq: Speaq, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    table(tmp_path / "a.csv", GOOD)
    table(tmp_path / "b.csv", GOOD)
    table(tmp_path / "bad.csv", [*GOOD, "one"])
    before = sorted(tmp_path.iterdir())
    code, out, err = speaq("data", *words)
    assert (code, out) == (2, "")
    assert says in err and len(err.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before
