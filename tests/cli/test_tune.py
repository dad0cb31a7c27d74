"""speaq tune: over a verb of another package, and over learn."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from answers import ok, refused

from speaq.training.tuning import look

Speaq = Callable[..., tuple[int, str, str]]
WriteLog = Callable[[str, str, int], Path]
LEARN = ("learn", "new:tiny", "log.csv", "--loop.steps", 4, "--loop.log-every", 2)

VERB = '''
"""speaq parabola: a verb of another package.

zh: 另一软件包的命令。
"""
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
import tyro
from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.runs import RunFolder
from speaq.core.settings import require

@dataclass(frozen=True)
class Shape:
    x: float = 0.5
    bent: bool = True
    def __post_init__(self):
        require("shape", self, {"x": (self.x > 0, "> 0")})

@dataclass(frozen=True)
class Parabola:
    name: Annotated[str, tyro.conf.Positional]
    shape: Shape = field(default_factory=Shape)
    words: tuple[str, ...] = ()
    metric: str = "loss"
    folder: Path | None = None
    seed: int = 0

def main(args):
    given = parse(Parabola, args, "parabola", ("a", "b"))
    run = RunFolder(given.folder, {"x": given.shape.x, "seed": given.seed})
    if given.name == "broken":
        raise SettingsError("nothing works", "都不行")
    for step in (1, 2):
        run.log(step, {given.metric: (given.shape.x - 1) ** 2 + given.shape.bent / step})
'''


@pytest.fixture
def parabola(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a verb, installed as any other is: by its entry point."""
    facts = tmp_path / "parabola-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: parabola\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[speaq.verbs]\nparabola = parabola_verb:main\n")
    (tmp_path / "parabola_verb.py").write_text(VERB)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("parabola")
def test_a_search_over_another_packages_verb(speaq: Speaq, spoken: str) -> None:
    search = ("--search", "shape.x=log:0.1..9", "shape.bent=true,false", "words.k=1..3")
    command = ("tune", "parabola", "a b", "--words", "j=1", *search, "--metric", "loss")
    out = ok(speaq(*command, "--trials", 4))
    assert ("4 trials: 4 complete" if spoken == "en" else "共 4 次试验：4 完成") in out
    [line] = [line for line in out.splitlines() if line.startswith("  speaq parabola")]
    assert line.startswith("  speaq parabola 'a b' --shape.x ")
    assert " --words j=1 k=" in line
    assert line.strip() in Path("runs/tune-parabola/best.sh").read_text()
    # The same command with a larger budget goes on; what is done is not done again.
    before = Path("runs/tune-parabola/trial-0002/seed-0.log").stat().st_mtime_ns
    ok(speaq(*command, "--trials", 5))
    assert Path("runs/tune-parabola/trial-0002/seed-0.log").stat().st_mtime_ns == before
    again = ok(speaq("tune", "show", "runs/tune-parabola"))
    assert ("5 trials: 5 complete" if spoken == "en" else "共 5 次试验：5 完成") in again
    told = Path("runs/tune-parabola/trial-0000/seed-0/command.txt").read_text()
    assert told.startswith("speaq parabola ")


@pytest.mark.usefixtures("parabola")
def test_the_best_command_makes_the_same_run_again(speaq: Speaq) -> None:
    ok(speaq("tune", "parabola", "n", "--search", "shape.x=0.1..9", "--metric", "loss"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    best = look(Path("runs/tune-parabola")).best
    assert best is not None
    subprocess.run(
        ["sh", "runs/tune-parabola/best.sh"], check=True, env={**os.environ, "PATH": path}
    )
    made = Path("runs/tune-parabola/best/metrics.jsonl").read_text()
    place = f"runs/tune-parabola/trial-{best.number:04d}/seed-0"
    assert made == Path(place, "metrics.jsonl").read_text()
    assert json.loads(made.splitlines()[-1])["loss"] == best.value


@pytest.mark.usefixtures("parabola")
def test_what_cannot_be_searched_is_refused_before_any_work(speaq: Speaq) -> None:
    def told(*words: object) -> str:
        err = refused(speaq("tune", *words))
        assert not Path("runs").exists()
        return err

    verb = ("parabola", "n")
    assert "did you mean 'shape.x'" in told(*verb, "--search", "shap.x=1..2", "--metric", "loss")
    # The range's low end is one that the verb's own settings refuse.
    err = told(*verb, "--search", "shape.x=-1..2", "--metric", "loss")
    assert "shape setting x = -1.0 must be > 0" in err
    assert "--metric" in told(*verb, "--search", "shape.x=1..2")
    assert "--seeds" in told(*verb, "--search", "seed=1..2", "--metric", "loss")
    assert "--folder" in told(*verb, "--search", "folder=a,b", "--metric", "loss")
    assert "--search" in told(*verb, "--metric", "loss")
    twice = ("--words", "k=1", "--search", "words.k=1..2", "--metric", "loss")
    assert "both given and searched" in told(*verb, *twice)
    assert "cannot be searched" in told("evaluate", "m", "l", "--search", "seed=1..2")
    assert "cannot be searched" in told("serve", "m", "--search", "port=1..2")
    assert "did you mean 'parabola'" in told("parabla", "n")
    assert "verb" in told("--metric", "loss")
    assert "not a search folder" in told("show", "nowhere")


@pytest.mark.usefixtures("parabola")
def test_words_after_two_dashes_are_the_verbs(speaq: Speaq) -> None:
    words = ("--search", "shape.x=1..2", "--metric", "score", "--trials", 1, "--", "--metric")
    ok(speaq("tune", "parabola", "n", *words, "score"))
    err = refused(speaq("tune", "parabola", "n", *words[:-2], "--folder", "other"))
    assert "it logs loss" in err


@pytest.mark.usefixtures("parabola")
def test_a_verb_that_always_fails_says_why(speaq: Speaq) -> None:
    words = ("--search", "shape.x=1..2", "--metric", "loss")
    code, _, err = speaq("tune", "parabola", "broken", *words)
    assert code == 2
    assert "nothing works" in err


def test_help_imports_neither_torch_nor_optuna() -> None:
    code = (
        "import sys\n"
        "from speaq.cli import main\n"
        "try:\n"
        "    main(['tune', '--help'])\n"
        "except SystemExit:\n"
        "    print(sorted({'torch', 'transformers', 'optuna', 'matplotlib'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--search" in told.stdout
    assert told.stdout.splitlines()[-1] == "[]"


def test_names_are_listed_with_those_of_the_algorithm(speaq: Speaq) -> None:
    out = ok(speaq("tune", "learn", "--names"))
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in out.splitlines()[1:]}
    assert lines["loop.head_lr"] == "float"
    assert lines["learn.trunk"] == "auto, frozen, lora, full"
    assert lines["options.ridge"] == "float"
    assert "seed" not in lines and "folder" not in lines
    other = ok(speaq("tune", "learn", "--algorithm", "bc", "--names"))
    assert "options.ridge" not in other


def test_ranges_of_learn_are_tried_on_its_own_settings(speaq: Speaq, write_log: WriteLog) -> None:
    write_log("log.csv", "en", 40)

    def told(*search: str) -> str:
        return refused(speaq("tune", *LEARN, "--metric", "loss", "--search", *search))

    assert "head_lr" in told("loop.head_lr=0..1")
    assert "did you mean 'options.ridge'" in told("options.rigde=0.1..1")
    assert "expected" in told("options.ridge=a,b")
    assert "options.ridge" in told("algorithm=dae,bc", "options.ridge=0.1..1")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_search_over_learn_judged_by_the_gate(speaq: Speaq, write_log: WriteLog) -> None:
    write_log("log.csv", "zh", 40)
    search = ("--search", "loop.head_lr=log:1e-5..1e-3", "options.ridge=0.1..10")
    judged = ("--metric", "gate.gain", "--gate=--betas 1 --least-episodes 3", "--trials", 1)
    named = ("learn", "new:tiny", *LEARN[3:], "--log", "log.csv")
    out = ok(speaq("tune", *named, *search, *judged))
    assert "1 trial: 1 complete" in out
    best = look(Path("runs/tune-learn")).best
    assert best is not None
    report = json.loads(
        Path(f"runs/tune-learn/trial-{best.number:04d}/seed-0/model/gate.json").read_text()
    )
    row = next(row for row in report["rows"] if row["beta"] == report["best_beta"])
    assert best.value == row["gain"]
    assert "speaq learn new:tiny log.csv " in out
