"""Small made-up logs, one in English and one in Chinese, and the command line run in-process."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from speaq.cli import main

ENGLISH = ("prompt", "response", "score"), "Is {} good?", ("Yes, it is.", "no")
CHINESE = ("提示", "回复", "评分"), "{}好吃吗？", ("好吃。", "不")
THINGS = {
    "en": ["tea", "soup", "bread", "rice", "milk", "cheese", "plum", "pear", "fig", "nut"],
    "zh": ["茶", "汤", "面包", "米饭", "牛奶", "奶酪", "李子", "梨", "桃", "花生"],
}


def _write(file: Path, language: str, rows: int) -> Path:
    header, question, replies = ENGLISH if language == "en" else CHINESE
    encoding = "utf-8" if language == "en" else "gbk"
    with file.open("w", newline="", encoding=encoding) as stream:
        table = csv.writer(stream)
        table.writerow(header)
        for n in range(rows):
            thing = THINGS[language][n % 10] + str(n // 10 % 2)
            bad = (n + n // 20) % 2
            table.writerow([question.format(thing), replies[bad], 1 - bad])
    return file


@pytest.fixture(params=["en", "zh"])
def spoken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test in both languages."""
    monkeypatch.setenv("SPEAQ_LANG", request.param)
    return str(request.param)


@pytest.fixture
def speaq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`speaq("learn", ...)` in a folder of its own: exit code, output, what was said beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[[str, str, int], Path]:
    """`write_log("a.csv", "zh", 40)`: 40 rated replies to 20 prompts, half of them good, as a
    table with the columns and the encoding (GBK for Chinese) of its language."""
    return lambda name, language, rows: _write(tmp_path / name, language, rows)
