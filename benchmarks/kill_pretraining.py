"""Does a pretraining that is killed again and again end with the bits of one that never was?

    python benchmarks/kill_pretraining.py --kills 200 --seeds 0 --json FILE

A child process pretrains on a small text, with a checkpoint every other step, so that much of its
time goes into writing; it is killed (SIGKILL) at random moments, whatever it is doing, and started
again with the same call until it finishes. Then a new run begins, of the next kind in turn, until
`kills` children have been killed. Children are forks of a process that has imported everything.
Each row is one run:

    kills             children killed before one finished
    equal             checkpoint, best weights, metrics and model have the bytes of an
                      uninterrupted run's
    leftovers         files of killed writers that the finished run left behind
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("SPEAQ_PROGRESS", "0")

import matplotlib.figure  # noqa: F401  # imported on demand otherwise, in every child
import torch
from killing import finished
from report import parser, write

from speaq.core.files import file_digest
from speaq.core.seeds import generator
from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import (
    ComputeSettings,
    ObjectiveSettings,
    PaceSettings,
    Recipe,
)

KINDS: dict[str, tuple[str, Any, Any]] = {
    "causal": ("gpt2-tiny", "causal", "adamw"),
    "causal-muon": ("llama-tiny", "causal", "muon"),
    "masked": ("bert-tiny", "masked", "adamw"),
    "span": ("t5-tiny", "span", "sgd"),
}
"""By name: model, objective, optimiser."""
STEPS = 14
TEXT = "床前明月光，疑是地上霜。the cat sat on the mat and looked at the moon. " * 40


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--kills", type=int, default=200)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in chosen.seeds:
        rows += measure(seed, chosen)
    write(chosen, rows)


def measure(seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    moments = generator(seed, "kill")
    rows: list[dict[str, Any]] = []
    killed = 0
    with tempfile.TemporaryDirectory() as place:
        text = Path(place) / "text.txt"
        text.write_text(TEXT, encoding="utf-8")
        whole, seconds = {}, {}
        for kind in KINDS:
            folder = Path(place) / kind
            # Once here, so that children find everything imported and the result to compare with.
            learn(kind, seed, text, folder)
            whole[kind] = result(folder)
            start = time.perf_counter()
            finished(started(kind, seed, text, Path(place) / f"{kind}-timed"), None)
            seconds[kind] = time.perf_counter() - start
        while killed < chosen.kills:
            kind = list(KINDS)[len(rows) % len(KINDS)]
            folder = Path(place) / f"{kind}-{len(rows)}"
            kills = 0
            while True:
                last = killed + kills >= chosen.kills
                wait = None if last else float(moments.uniform(0, 0.6 * seconds[kind]))
                if finished(started(kind, seed, text, folder), wait):
                    break
                kills += 1
            killed += kills
            left = [each for each in folder.rglob(".*") if each.name.endswith((".part", ".old"))]
            rows.append(
                {
                    "seed": seed,
                    "kind": kind,
                    "kills": kills,
                    "equal": result(folder) == whole[kind],
                    "leftovers": len(left),
                }
            )
    return rows


def learn(kind: str, seed: int, text: Path, folder: Path) -> None:
    """Pretrain, or go on with it."""
    model, objective, optimiser = KINDS[kind]
    recipe = Recipe(
        model=model,
        tokenizer="chars",
        objective=ObjectiveSettings(kind=objective, context=32, holdout=0.1),
        optimiser=OptimiserSettings(kind=optimiser),
        pace=PaceSettings(
            steps=STEPS,
            batch_size=4,
            warmup=3,
            validate_every=3,
            patience=20,
            checkpoint_every=2,
            log_every=1,
        ),
        compute=ComputeSettings(precision="float32", dropout=0.1, accumulate=2),
        seed=seed,
    )
    pretrain([text], recipe, folder=folder)


def started(kind: str, seed: int, text: Path, folder: Path) -> int:
    """The process id of a child that trains."""
    child = os.fork()
    if child:
        return child
    done = False
    try:
        learn(kind, seed, text, folder)
        done = True
    finally:
        os._exit(0 if done else 1)


def result(folder: Path) -> tuple[str, ...]:
    """Digests of what a finished run left."""
    [checkpoint] = sorted((folder / "checkpoints").glob("step-*"))
    files = (
        checkpoint / "state.safetensors",
        folder / "best" / "weights.safetensors",
        folder / "metrics.jsonl",
        folder / "model" / "model.safetensors",
    )
    return (checkpoint.name, *map(file_digest, files))


if __name__ == "__main__":
    main()
