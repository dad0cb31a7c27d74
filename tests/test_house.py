"""Rules of the house that no single room can keep."""

import ast
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "speaq").rglob("*.py"))
GROUPS = ("verbs", "algorithms", "environments", "rewards", "sources", "data", "translate")
POINTS = [point for group in GROUPS for point in entry_points(group=f"speaq.{group}")]


def test_layers_hold() -> None:
    lint = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_files_fit_in_a_head() -> None:
    files = [*SOURCES, *(ROOT / "benchmarks").glob("*.py")]
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert len(lengths) > 80
    assert {str(file): count for file, count in lengths.items() if count > 400} == {}


def test_importing_speaq_imports_nothing_heavy() -> None:
    code = (
        "import sys, speaq, speaq.core.registry, speaq.core.devices, speaq.cli\n"
        "dir(speaq)\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pyarrow', 'sqlalchemy', 'gradio', 'tyro'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.group}-{point.name}")
def test_every_entry_point_loads(point: object) -> None:
    assert callable(point.load())


def test_every_algorithm_and_verb_file_has_its_entry_point() -> None:
    named = {point.module for point in POINTS}
    algorithms = [
        file
        for file in SOURCES
        if file.parent.name == "qlearning" and "learns: ClassVar[str] =" in file.read_text("utf-8")
    ]
    verbs = [
        file
        for file in SOURCES
        if file.parent.name == "cli"
        and any(
            isinstance(node, ast.FunctionDef) and node.name == "main"
            for node in ast.parse(file.read_text("utf-8")).body
        )
        and file.name != "__init__.py"
    ]
    assert len(algorithms) >= 5
    assert len(verbs) >= 9
    modules = {f"speaq.{file.parent.name}.{file.stem}" for file in [*algorithms, *verbs]}
    assert modules <= named
