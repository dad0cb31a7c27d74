"""Does Bayesian search beat random search at an equal budget, and what does pruning save?

    python benchmarks/tuning.py --data ../shared/data --seeds 0 1 2 3 4 --trials 30 --json FILE

Three cheap tasks: a linear classifier on hashed n-grams, trained by stochastic gradient descent
for 12 passes over `--examples` training texts of SST-2 (English, 2 classes), waimai_10k (Chinese,
2 classes) and banking77 (English, 77 classes). Searched are its step size, penalty, loss, longest
n-gram, number of hash bits and averaging, through the same ledger, samplers and pruners that
`speaq tune` uses, without its processes. A seed draws the texts and the search; with the same seed
every method sees the same texts and, in its first ten trials, the same settings. A trial's value
is the error on 1000 validation texts after the last pass, reported after each.

Each row is one search:

    best_error     the lowest validation error found
    accuracy       on held-out texts, of the trial with that error
    gain           validation accuracy found, over that of random search with the same seed
    loss           validation accuracy lost to the same sampler without pruning, same seed
    passes_saved   share of that one's training passes that pruning saved
    seconds        of the search on one thread, searching included

Means over seeds have 95 % intervals; `gain` and `loss` are paired, so an interval that holds 0
says that no difference was shown.
"""

import argparse
import csv
import gzip
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("SPEAQ_PROGRESS", "0")

import numpy as np
from report import clock, parser, write
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from speaq.core.seeds import derive, generator
from speaq.training.tuning import Command, GoalSettings, PruningSettings, SamplingSettings
from speaq.training.tuning.ledger import Ledger
from speaq.training.tuning.outcome import Outcome
from speaq.training.tuning.search import identity_of
from speaq.training.tuning.space import Dimension
from speaq.training.tuning.vocabulary import Setting

PASSES = 12
VALIDATION = 1000
METHODS = {
    "random": ("random", "none"),
    "bayes": ("bayes", "none"),
    "random+median": ("random", "median"),
    "bayes+median": ("bayes", "median"),
    "bayes+hyperband": ("bayes", "hyperband"),
    "gp": ("gp", "none"),
}
TASKS = {
    "sst2": ("sst2/train.tsv.gz", 0, 1, "\t", False, "word"),
    "zh_sentiment": ("zh_sentiment/waimai_10k.csv.gz", 1, 0, ",", True, "char"),
    "banking77": ("banking77/train.csv.gz", 0, 1, ",", True, "word"),
}
"""File, columns of text and label, delimiter, whether it has a header, unit of the n-grams."""
SPACE = (
    Dimension(Setting("step", "step", float), low=1e-3, high=10, log=True),
    Dimension(Setting("penalty", "penalty", float), low=1e-8, high=1e-1, log=True),
    Dimension(Setting("loss", "loss", str), choices=("hinge", "log_loss", "modified_huber")),
    Dimension(Setting("longest", "longest", int), low=1, high=3, whole=True),
    Dimension(Setting("bits", "bits", int), low=8, high=17, whole=True),
    Dimension(Setting("average", "average", bool), choices=(False, True)),
)
GOAL = GoalSettings("error")


@dataclass(frozen=True)
class Task:
    """Texts in three parts, drawn by a seed."""

    unit: str
    texts: tuple[list[str], ...]
    labels: tuple[np.ndarray, ...]

    @lru_cache(maxsize=8)  # noqa: B019  a task lives as long as its searches
    def features(self, longest: int, bits: int) -> tuple[Any, ...]:
        """Hashed n-grams of the three parts."""
        hashing = HashingVectorizer(
            analyzer=self.unit, ngram_range=(1, longest), n_features=2**bits, lowercase=True
        )
        return tuple(hashing.transform(part) for part in self.texts)

    __hash__ = object.__hash__


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    arguments.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS)[:5])
    arguments.add_argument("--trials", type=int, default=30)
    arguments.add_argument("--examples", type=int, default=2000)
    chosen = arguments.parse_args()
    warnings.filterwarnings("ignore", message=".*[Oo]verflow.*|.*invalid value.*")
    rows: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        for name in chosen.tasks:
            task = read(chosen.data, name, chosen.examples, seed)
            found = {method: search(task, method, chosen, seed) for method in chosen.methods}
            rows += [row(seed, name, method, found) for method in chosen.methods]
            print(*rows[-len(found) :], sep="\n", flush=True)
    write(chosen, rows)


def read(data: Path, name: str, examples: int, seed: int) -> Task:
    file, text, label, delimiter, header, unit = TASKS[name]
    with gzip.open(data / file, "rt", encoding="utf-8", newline="") as stream:
        quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
        table = list(csv.reader(stream, delimiter=delimiter, quoting=quoting))[header:]
    order = generator(seed, "tuning", name).permutation(len(table))
    ends = (0, examples, examples + VALIDATION, len(table))
    parts = [[table[i] for i in order[a:b]] for a, b in pairwise(ends)]
    return Task(
        unit,
        tuple([each[text] for each in part] for part in parts),
        tuple(np.array([each[label] for each in part]) for part in parts),
    )


def search(task: Task, method: str, chosen: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One search: what was found, and what it took."""
    sampler, pruner = METHODS[method]
    sampling = SamplingSettings(sampler, seed=derive(seed, "search") % 2**31)  # type: ignore[arg-type]
    pruning = PruningSettings(pruner)  # type: ignore[arg-type]
    command = Command("classifier", {}, (), SPACE)
    identity = identity_of(command, GOAL, sampling, pruning)
    passes = 0
    tests: dict[int, float] = {}
    Task.features.cache_clear()  # every search pays for its own
    seconds = clock(1)
    start = seconds()
    with tempfile.TemporaryDirectory() as place:
        ledger = Ledger(Path(place), identity, GOAL, sampling, pruning, SPACE)
        with ledger.joined():
            while (trial := ledger.claim(chosen.trials, None)) is not None:
                began = time.time()
                error, tests[trial.number], done = trained(task, trial, seed)
                passes += done
                state = "complete" if done == PASSES else "pruned"
                values = (error,) if done == PASSES else ()
                ledger.finish(trial, Outcome(state, "", "", values, time.time() - began))
        best = ledger.ranked()[0]
    return {
        "error": best.value,
        "accuracy": tests[best.number],
        "passes": passes,
        "seconds": seconds() - start,
    }


def trained(task: Task, trial: Any, seed: int) -> tuple[float, float, int]:
    """Validation error, test accuracy, passes done."""
    given = trial.params
    train, validation, test = task.features(given["longest"], given["bits"])
    model = SGDClassifier(
        loss=given["loss"],
        alpha=given["penalty"],
        learning_rate="constant",
        eta0=given["step"],
        average=given["average"],
        random_state=seed,
    )
    classes = np.unique(np.concatenate(task.labels))
    shuffle = generator(seed, "tuning", "passes")
    error, done = 1.0, 0
    while done < PASSES:
        order = shuffle.permutation(train.shape[0])
        model.partial_fit(train[order], task.labels[0][order], classes=classes)
        done += 1
        error = float(np.mean(model.predict(validation) != task.labels[1]))
        trial.report(error, done)
        if trial.should_prune():
            break
    return error, float(np.mean(model.predict(test) == task.labels[2])), done


def row(seed: int, name: str, method: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    own = found[method]
    chance = found.get("random", own)
    whole = found.get(method.partition("+")[0], own)
    return {
        "seed": seed,
        "data": name,
        "method": method,
        "best_error": own["error"],
        "accuracy": own["accuracy"],
        "gain": chance["error"] - own["error"],
        "loss": own["error"] - whole["error"],
        "passes_saved": 1 - own["passes"] / whole["passes"],
        "seconds": own["seconds"],
    }


if __name__ == "__main__":
    main()
