"""Linear classifiers that fit into a file: how right are they, and do they know when they are not?

    python benchmarks/understanding.py --data snips hotel waimai --seeds 0 1 2 --json FILE
    python benchmarks/understanding.py --data waimai --methods nb-svm --seeds 0

`--data`, under `--root`: snips (7 intents, the official parts), hotel (ChnSentiCorp's hotel
reviews) and waimai (reviews of delivered food), both Chinese, positive or negative, of which a
tenth, chosen by the seed, is the test part. A tenth of the rest chooses C and fits the confidence;
then all of the rest is learnt. Methods: naive-bayes, svm (tf-idf) and nb-svm, over characters 1 to
4 in Chinese, words and their letters else.

A row: `seed, data, method, accuracy, macro_f1`, `ece` (expected calibration error, 15 bins),
`accuracy_90` (of the nine tenths of the texts that it is surest of), `texts_per_second` of
answering, `seconds` of training on the CPU's own clock, `megabytes` of the file.
"""

import csv
import gzip
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from intents import snips
from report import clock, parser, write

from speaq.apps.understand.measuring import abstain_curve
from speaq.core.devices import threads
from speaq.training.floors.linear_classes import Method, learn_linear, open_linear
from speaq.training.supervised.calibration import calibration_error
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.measures import class_measures
from speaq.training.supervised.preparing import Examples, with_validation

ROOT = Path("../shared/data")
METHODS = get_args(Method)

Row = dict[str, Any]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=list(READERS), choices=list(READERS))
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments.add_argument("--root", type=Path, default=ROOT)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = []
    for data in chosen.data:
        place, read = READERS[data]
        if not (chosen.root / place).exists():
            print(f"skipped: {chosen.root / place} is not here; name its folder by --root")
            continue
        for seed in chosen.seeds:
            parts = with_validation(read(chosen.root / place, seed), seed, [])
            for method in chosen.methods:
                rows.append({"seed": seed, "data": data, **measured(method, parts, seed)})
                print(rows[-1], file=sys.stderr, flush=True)
    del chosen.root
    if rows:
        write(chosen, rows)


def measured(method: Method, parts: Examples, seed: int) -> Row:
    now = clock(torch.get_num_threads())
    begun = now()
    learnt = learn_linear(parts.training, parts.validation, method, seed=seed)
    seconds = now() - begun
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.npz"
        learnt.save(file)
        size = file.stat().st_size / 1e6
        model = open_linear(file)
    begun = now()
    probable = model.probabilities(parts.test)
    spent = now() - begun
    found = [model.labels[n] for n in probable.argmax(1)]
    wanted = [each.labels[0] for each in parts.test]
    right = np.array([a == b for a, b in zip(found, wanted, strict=True)])
    return {
        "method": method,
        **class_measures(found, wanted),
        "ece": calibration_error(probable.max(1), right),
        "accuracy_90": abstain_curve(probable.max(1), right, (0.9,))[0].accuracy,
        "texts_per_second": len(wanted) / spent,
        "seconds": seconds,
        "megabytes": size,
    }


def reviews(file: Path, seed: int) -> Examples:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        held = [Labelled(each["review"], (each["label"],)) for each in csv.DictReader(stream)
                if each["review"]]  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(held))
    tenth = len(held) // 10
    test, training = ([held[n] for n in some] for some in (order[:tenth], order[tenth:]))
    return Examples(training, (), test)


READERS: dict[str, tuple[str, Callable[[Path, int], Examples]]] = {
    "snips": ("snips", lambda folder, seed: snips(folder)),
    "hotel": ("zh_sentiment/ChnSentiCorp_htl_all.csv.gz", reviews),
    "waimai": ("zh_sentiment/waimai_10k.csv.gz", reviews),
}

if __name__ == "__main__":
    main()
