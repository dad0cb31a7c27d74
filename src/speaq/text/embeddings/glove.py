"""GloVe (Pennington, Socher & Manning 2014): word vectors from a matrix of co-occurrences.

The loss (eq. 8) is Σ f(X_ij) (w_i · c_j + b_i + d_j − log X_ij)² over the non-zero entries of X,
with f(x) = min(1, (x / x_max)^α); a word's vector is w + c. Differences from the paper's program:
entries are learnt from in shuffled batches, whose gradients are summed before AdaGrad takes a
step, rather than one at a time by threads that overwrite each other; so a run can be repeated and
continued. X is counted in memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speaq.core.errors import DataError, DivergenceError
from speaq.core.language import say
from speaq.core.progress import Bar, bar
from speaq.core.runs import RunFolder
from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.text.embeddings.cooccurrence import Cooccurrences, cooccurrences
from speaq.text.embeddings.keeping import keep, kept
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.embeddings.words import Vocabulary, Words, count_words

if TYPE_CHECKING:
    from torch import Tensor

_BIASES = (("word_bias", 1), ("context_bias", 1))


@dataclass(frozen=True)
class GloVeSettings:
    """How GloVe learns.

    Raises:
        SettingsError: a value out of its range.
    """

    size: int = 100
    """Numbers in a vector."""
    window: int = 10
    """Words to each side that count as near; one at distance d counts 1/d."""
    min_count: int = 5
    """Words that occur less often get no vector."""
    most: int = 0
    """Vectors for the commonest so many words only; 0: no limit."""
    epochs: int = 25
    """Passes over the non-zero entries."""
    rate: float = 0.05
    """AdaGrad's learning rate."""
    x_max: float = 10.0
    """Entries above this all weigh 1. The paper's 100 is for billions of words."""
    alpha: float = 0.75
    """How fast smaller entries lose weight."""
    batch: int = 4096
    """Entries whose gradients are summed before a step."""

    def __post_init__(self) -> None:
        require(
            "glove",
            self,
            {
                "size": (self.size >= 1, "≥ 1"),
                "window": (self.window >= 1, "≥ 1"),
                "min_count": (self.min_count >= 1, "≥ 1"),
                "most": (self.most >= 0, "≥ 0"),
                "epochs": (self.epochs >= 1, "≥ 1"),
                "rate": (0 < self.rate <= 10, "> 0 and ≤ 10"),
                "x_max": (self.x_max > 0, "> 0"),
                "alpha": (self.alpha >= 0, "≥ 0"),
                "batch": (self.batch >= 1, "≥ 1"),
            },
        )


def train_glove(
    texts: Iterable[str],
    folder: Path | str,
    settings: GloVeSettings | None = None,
    seed: int = 0,
) -> WordVectors:
    """Learn vectors from texts.

    Args:
        texts: gone through twice.
        folder: the run folder; one with the same settings is continued.
        settings: how.
        seed: of everything random.

    Raises:
        SettingsError: the folder holds another run.
        DataError: no word is common enough, or no two words stand near each other.
        DivergenceError: the loss is no number any more.
        StorageError: the disk refused.
    """
    settings = settings or GloVeSettings()
    words = Words(texts)
    vocabulary = count_words(words, settings.min_count, settings.most)
    facts = {
        "method": "glove",
        **asdict(settings),
        "seed": seed,
        "vocabulary": vocabulary.fingerprint(),
    }
    run = RunFolder(folder, facts)
    counted = cooccurrences(_numbers(words, vocabulary), len(vocabulary.words), settings.window)
    if not len(counted.values):
        raise DataError(
            "no two of the words stand near each other; use longer texts.",
            "没有任何两个词相邻；请使用更长的文本。",
        )
    tensors = learn(counted, len(vocabulary.words), settings, run, seed)
    matrix = (tensors["words"] + tensors["context"]).numpy()
    return WordVectors(vocabulary.words, matrix, vocabulary.counts, facts)


def learn(
    counted: Cooccurrences, size: int, settings: GloVeSettings, run: RunFolder, seed: int
) -> "dict[str, Tensor]":
    """Learn w, c (V, D) and their biases (V, 1) from co-occurrences, continuing `run`.

    Raises:
        DivergenceError: the loss is no number any more; the state before is kept.
    """
    import torch

    done, state = kept(run)
    tensors = start(size, settings, seed)
    for name, tensor in tensors.items():
        if state:
            tensor.copy_(torch.from_numpy(state[name]))
    run.rewind(done)
    entries = len(counted.values)
    with bar(say("learning vectors", "学习词向量"), (settings.epochs - done) * entries) as progress:
        for epoch in range(done, settings.epochs):
            order = generator(seed, "glove", "order", epoch).permutation(entries)
            loss = _pass(tensors, counted, order, settings, progress)
            if not np.isfinite(loss):
                raise DivergenceError(
                    f"the loss of pass {epoch + 1} is {loss}; lower the rate. The state before it "
                    "is kept.",
                    f"第 {epoch + 1} 遍的损失为 {loss}；请减小 rate。此前的状态已保留。",
                )
            run.log(epoch + 1, {"loss": loss})
            keep(run, epoch + 1, {name: tensor.numpy() for name, tensor in tensors.items()})
    return tensors


def start(size: int, settings: GloVeSettings, seed: int) -> "dict[str, Tensor]":
    """Small uniform vectors and biases, as the paper's program draws them, and beside each, as
    `sum.NAME`, AdaGrad's sum of squared gradients."""
    import torch

    tensors = {}
    for name, width in (("words", settings.size), ("context", settings.size), *_BIASES):
        drawn = generator(seed, "glove", name).random((size, width), np.float32) - 0.5
        tensors[name] = torch.from_numpy(drawn / settings.size)
        tensors[f"sum.{name}"] = torch.zeros(size, width)
    return tensors


def step(
    tensors: "dict[str, Tensor]",
    rows: "Tensor",
    columns: "Tensor",
    values: "Tensor",
    settings: GloVeSettings,
) -> float:
    """One step of AdaGrad along the gradient of a batch of entries (B,) of X.

    Returns:
        the loss before the step: half of eq. 8, as in the paper's program, summed over the batch.
    """
    words, context = tensors["words"][rows], tensors["context"][columns]
    biases = tensors["word_bias"][rows] + tensors["context_bias"][columns]
    errors = (words * context).sum(-1, keepdim=True) + biases - values.log()[:, None]
    weights = (values / settings.x_max).clamp(max=1).pow(settings.alpha)[:, None]
    slopes = weights * errors
    _move(tensors, "words", rows, slopes * context, settings.rate)
    _move(tensors, "context", columns, slopes * words, settings.rate)
    _move(tensors, "word_bias", rows, slopes, settings.rate)
    _move(tensors, "context_bias", columns, slopes, settings.rate)
    return 0.5 * float((slopes * errors).sum())


def _move(
    tensors: "dict[str, Tensor]", name: str, places: "Tensor", slopes: "Tensor", rate: float
) -> None:
    """AdaGrad on those rows that the batch touches; a row's slopes are summed first."""
    import torch

    own, which = torch.unique(places, return_inverse=True)
    gradient = slopes.new_zeros(len(own), slopes.shape[1]).index_add_(0, which, slopes)
    sums = tensors[f"sum.{name}"][own] + gradient**2
    tensors[f"sum.{name}"][own] = sums
    tensors[name][own] -= rate * gradient / (sums.sqrt() + 1e-10)


def _numbers(words: Words, vocabulary: Vocabulary) -> Iterator[np.ndarray]:
    places = {word: place for place, word in enumerate(vocabulary.words)}
    for some in words:
        yield np.array([places[word] for word in some if word in places], np.int64)


def _pass(
    tensors: "dict[str, Tensor]",
    counted: Cooccurrences,
    order: np.ndarray,
    settings: GloVeSettings,
    progress: Bar,
) -> float:
    """One pass over the entries in an order; the mean loss of an entry."""
    import torch

    total = 0.0
    for begin in range(0, len(order), settings.batch):
        some = order[begin : begin + settings.batch]
        rows, columns = (torch.from_numpy(each[some]) for each in (counted.rows, counted.columns))
        values = torch.from_numpy(counted.values[some].astype(np.float32))
        total += step(tensors, rows, columns, values, settings)
        progress.advance(len(some))
    return total / len(order)
