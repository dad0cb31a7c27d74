"""`speaq diagnose` on a small made-up log."""

import json
from collections.abc import Callable
from pathlib import Path

Speaq = Callable[..., tuple[int, str, str]]
WriteLog = Callable[[str, str, int], Path]


def test_a_run_is_looked_at_in_both_languages(
    speaq: Speaq, spoken: str, write_log: WriteLog
) -> None:
    write_log("log.csv", spoken, 40)
    learnt = ("--folder", "run", "--algorithm", "ilql", "--loop.steps", 5)
    assert speaq("learn", "new:tiny", "log.csv", *learnt)[0] == 0
    looked = ("--betas", 2, "--tokens", 50, "--shown", 2)
    code, out, err = speaq("diagnose", "run/model", "log.csv", *looked)
    assert code == 0, err
    for word in (
        ("Q against returns", "target network", "beta 2", "credit.html")
        if (spoken == "en")
        else ("Q 与回报", "目标网络", "beta 2", "credit.html")
    ):
        assert word in out
    record = json.loads(Path("run/model/diagnosis.json").read_text(encoding="utf-8"))
    assert record["algorithm"] == "ilql" and len(record["credit"]) == 2
    assert Path("run/model/plots/diagnosis.png").stat().st_size > 10_000
    assert Path("run/model/plots/credit.html").is_file()

    code, out, err = speaq("diagnose", "new:tiny", "log.csv")
    assert code == 2 and len(err.splitlines()) == 1
