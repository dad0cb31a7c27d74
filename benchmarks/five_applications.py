"""Does a value function improve each of the five applications, from nothing but their logs?

    python benchmarks/five_applications.py --seeds 0 1 2 3 4 --json FILE --cache FOLDER

One row for each seed, application and method; the table of the means comes last.

    logged             the policy that made the log
    cloning            imitates the log
    filtered cloning   imitates what was liked: the best fifth, or the clicks
    speaq              learns Q and acts by it; in generation and translation Q of the log's
                       policy on the model that filtered cloning made, at the gate's β

`score` is comparable within an application, with its 95 % interval over the test part; `seconds`
are those of learning, on the wall. What the application is, what is rated and by what the policies
are measured stands at the head of each module of `benchmarks/five/`:

    generation       share of a rubric of manners, in [0, 1]; a storyteller's continuations
    sequence         profit of a shop's orders over six days; beside it the exact optimum
    classification   accuracy, from clicks on single labels; beside it full supervision
    translation      sentence chrF of samples
    answering        share of shown passages that hold the answer

`--minutes` begins no further case after that; rows are kept in the cache after every case, and the
same command goes on from there. The translator is made there first, in about five minutes of CPU,
and is a poor one; a better model at CACHE/translator/model is taken instead.
"""

import importlib
import json
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from report import parser, write

from speaq.core.devices import threads
from speaq.core.files import write_text

APPLICATIONS = ("generation", "sequence", "classification", "translation", "answering")
ROOT = Path("../shared/data")


def main() -> None:
    options = parser(__doc__)
    options.set_defaults(seeds=[0, 1, 2, 3, 4])
    options.add_argument(
        "--applications", nargs="+", default=list(APPLICATIONS), choices=APPLICATIONS
    )
    options.add_argument("--minutes", type=float, default=240)
    options.add_argument("--root", type=Path, default=ROOT, help="of the data")
    options.add_argument("--cache", type=Path, required=True, help="vectors, models, rows so far")
    chosen = options.parse_args()
    torch.set_num_threads(threads())
    chosen.cache.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    rows = []
    for seed in chosen.seeds:
        for application in chosen.applications:
            kept = chosen.cache / "rows" / f"{application}-{seed}.json"
            if not kept.exists() and (time.perf_counter() - begun) / 60 > chosen.minutes:
                continue
            rows += case(application, seed, kept, chosen)
    del chosen.root
    write(chosen, rows)


def case(application: str, seed: int, kept: Path, chosen: Namespace) -> list[dict[str, Any]]:
    """The rows of one application and seed; those kept from an earlier call, if there are."""
    if kept.exists():
        found: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    rows: list[dict[str, Any]] = []

    def tell(row: dict[str, Any]) -> None:
        rows.append(row)
        print(json.dumps(row), file=sys.stderr, flush=True)

    importlib.import_module(f"five.{application}").rows(chosen.root, chosen.cache, seed, tell)
    kept.parent.mkdir(exist_ok=True)
    write_text(kept, json.dumps(rows))
    return rows


if __name__ == "__main__":
    main()
