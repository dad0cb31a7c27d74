"""A search that is killed with all its processes, and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from speaq.training.tuning import BudgetSettings, Command, Findings, GoalSettings, look, tune

Toy = Callable[..., Command]
LOSS = GoalSettings("loss")


def tried(found: Findings) -> list[float]:
    return [row.settings["x"] for row in sorted(found.rows, key=lambda row: row.number)]


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_kill_nine_loses_nothing_that_was_done(toy: Toy, tmp_path: Path, storage: str) -> None:
    command = toy(pause=0.05)
    folder = tmp_path / "search"
    call = (
        "import sys\n"
        "from pathlib import Path\n"
        "from speaq.training.tuning import *\n"
        f"command = Command('toy', {{}}, {command.options!r}, "
        "(Dimension(Setting('x', 'x', float), low=0, high=10),), "
        f"launch={command.launch!r})\n"
        f"tune(command, GoalSettings('loss'), folder={str(folder)!r}, "
        f"sampling=SamplingSettings(storage={storage!r}), budget=BudgetSettings(trials=3))\n"
    )
    for done in (1, 2):
        process = subprocess.Popen([sys.executable, "-c", call])
        until = time.time() + 120
        while len(list(folder.glob("trial-*/seed-0/metrics.jsonl"))) <= done:
            assert time.time() < until
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([sys.executable, "-c", call], check=True)
    found = look(folder)
    assert [row.state for row in found.rows] == ["complete"] * 3
    whole = tune(command, LOSS, folder=tmp_path / "whole", budget=BudgetSettings(trials=3))
    assert tried(found) == tried(whole)
