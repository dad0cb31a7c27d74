"""A verb in a few lines that no heavy library slows down, run as a trial's process."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speaq.training.tuning import Command, Dimension, Setting

SCRIPT = """
import json, os, pathlib, sys, time
words = sys.argv[2:]
given = {words[i].lstrip("-"): words[i + 1] for i in range(0, len(words), 2)}
run = pathlib.Path(given["folder"])
(run / "plots").mkdir(parents=True, exist_ok=True)
(run / "settings.yaml").write_text("a verb: writes this as it likes")
file = run / "metrics.jsonl"
x, seed, steps = float(given["x"]), int(given["seed"]), int(given.get("steps", 4))
done = len(file.read_text().splitlines()) if file.exists() else 0
with (run / "begun.txt").open("a") as stream:
    stream.write(f"{done}\\n")
if float(given.get("below", "inf")) <= x:
    sys.exit("x is too large")
ballast = bytearray(int(float(given.get("eat", 0)) * 1e6 * x))
ballast[::4096] = b"1" * len(ballast[::4096])
for name in ("model", "checkpoints"):
    (run / name).mkdir(exist_ok=True)
    (run / name / "weights").write_bytes(bytes(int(float(given.get("weigh", 0)) * 1e6 * x)))
with file.open("a") as stream:
    for step in range(done + 1, steps + 1):
        time.sleep(float(given.get("pause", 0)))
        loss = (x - 3) ** 2 + seed / 10 + 1 / step
        stream.write(json.dumps({"step": step, "loss": loss}) + "\\n")
        stream.flush()
print("done")
"""


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Command]:
    """`toy(pause=0.1)`: a command whose loss at x is (x - 3)² + seed / 10 + 1 / step, for 4 steps.

    Options: `pause` seconds a step; `steps`; `below`, from which x it fails; `eat`, `weigh`:
    megabytes per x of memory and of weights. x is searched from 0 to 10.
    """
    script = tmp_path / "toy_verb.py"
    script.write_text(SCRIPT)

    def build(whole: bool = False, **options: Any) -> Command:
        setting = Setting("x", "x", int if whole else float)
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        return Command(
            "toy",
            {},
            tuple(words),
            (Dimension(setting, low=0, high=10, whole=whole),),
            launch=(sys.executable, "-S", str(script)),
        )

    return build
