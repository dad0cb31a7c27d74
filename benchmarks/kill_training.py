"""Does a training run that is killed again and again end with the bits of one that never was?

    python benchmarks/kill_training.py --kills 100 --seeds 0 --json FILE

A child process learns from a small log with a checkpoint every other step, so that much of its
time goes into writing; it is killed (SIGKILL) at random moments, whatever it is doing, and started
again with the same call until it finishes. Then a new run begins, with a frozen or a full trunk in
turn, until `kills` children have been killed. Children are forks of a process that has imported
everything. Each row is one run:

    kills             children killed before one finished
    equal             the final checkpoint has the bytes of an uninterrupted run's, the head in
                      the model it returned the same tensors, and the metrics are the same lines
    leftovers         files of killed writers that the finished run left behind
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("SPEAQ_PROGRESS", "0")
# Measured anew in each process, the precision of cached states could differ between them.
os.environ.setdefault("SPEAQ_BATCH_DTYPE", "float32")

import matplotlib.figure  # noqa: F401  # imported on demand otherwise, in every child
import torch
from killing import finished
from report import parser, write
from safetensors.torch import save_file

from speaq.core.files import file_digest
from speaq.core.seeds import generator
from speaq.experience.episode import Episode, Turn
from speaq.models.head import HeadSettings
from speaq.models.sources import load
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

STEPS = {"frozen": 40, "full": 12}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=100)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    load("new:gpt2-tiny")  # what it imports on demand, children then have
    rows = []
    for seed in chosen.seeds:
        rows += measure(seed, chosen)
    write(chosen, rows)


def measure(seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    moments = generator(seed, "kill")
    rows: list[dict[str, Any]] = []
    killed = 0
    with tempfile.TemporaryDirectory() as place:
        whole, seconds = {}, {}
        for trunk in STEPS:
            start = time.perf_counter()
            child = started(trunk, seed, Path(place) / trunk)
            finished(child, None)
            seconds[trunk] = time.perf_counter() - start
            whole[trunk] = result(Path(place) / trunk)
        while killed < chosen.kills:
            trunk = list(STEPS)[len(rows) % 2]
            folder = Path(place) / f"{trunk}-{len(rows)}"
            kills = 0
            while True:
                last = killed + kills >= chosen.kills
                wait = None if last else float(moments.uniform(0, 0.6 * seconds[trunk]))
                if finished(started(trunk, seed, folder), wait):
                    break
                kills += 1
            killed += kills
            left = [each for each in folder.rglob(".*") if each.name.endswith((".part", ".old"))]
            rows.append(
                {
                    "seed": seed,
                    "trunk": trunk,
                    "kills": kills,
                    "equal": result(folder) == whole[trunk],
                    "leftovers": len(left),
                }
            )
    return rows


def started(trunk: str, seed: int, folder: Path) -> int:
    """The process id of a child that trains."""
    child = os.fork()
    if child:
        return child
    try:
        run = learn(
            load("new:gpt2-tiny"),
            log(seed),
            ILQL(),
            settings=LearnSettings(trunk=trunk),  # type: ignore[arg-type]
            loop=LoopSettings(
                steps=STEPS[trunk], batch_size=4, checkpoint_every=2, log_every=1, warmup=3
            ),
            head=HeadSettings(kind="tied"),
            folder=folder,
            seed=seed,
        )
        save_file(run.model.require_head().state_dict(), folder / "head.safetensors")
    finally:
        os._exit(0 if (folder / "head.safetensors").exists() else 1)


def log(seed: int) -> list[Episode]:
    """Replies of one letter or several to a few prompts, with random rewards."""
    stream = generator(seed, "log")
    return [
        Episode(
            (
                Turn("observation", f"say {number % 10}"),
                Turn("action", "yes" * int(stream.integers(1, 4))),
            ),
            id=f"e{number}",
            time=0.0,
            reward=float(stream.normal()),
        )
        for number in range(40)
    ]


def result(folder: Path) -> tuple[str, ...]:
    """Digests of what a finished run left."""
    [checkpoint] = sorted((folder / "checkpoints").glob("step-*"))
    files = (
        checkpoint / "state.safetensors",
        folder / "metrics.jsonl",
        folder / "head.safetensors",
    )
    return (checkpoint.name, *map(file_digest, files))


if __name__ == "__main__":
    main()
