"""word2vec (Mikolov et al. 2013) through gensim: skip-gram or CBOW with negative sampling.

gensim (the extra `embeddings`) runs the passes; the vocabulary, the rate's decay and the random
numbers are ours, so that a run that was interrupted between two passes continues, and ends with
the same bits on one worker.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.core.progress import Bar, bar
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.text.embeddings.keeping import keep, kept
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.embeddings.words import Vocabulary, Words, count_words

if TYPE_CHECKING:
    from gensim.models import Word2Vec


@dataclass(frozen=True)
class Word2VecSettings:
    """How word2vec learns.

    Raises:
        SettingsError: a value out of its range.
    """

    kind: Literal["skipgram", "cbow"] = "skipgram"
    """skipgram guesses the neighbours from a word, better for rare words; cbow the word from its
    neighbours, faster."""
    size: int = 100
    """Numbers in a vector."""
    window: int = 5
    """Words to each side that count as neighbours."""
    min_count: int = 5
    """Words that occur less often get no vector."""
    most: int = 0
    """Vectors for the commonest so many words only; 0: no limit."""
    epochs: int = 5
    """Passes over the texts. Small corpora need more: 10 to 50 under a million words."""
    rate: float = 0.025
    """Learning rate at the start; it falls to a thousandth of that at the end."""
    negative: int = 5
    """Words drawn as wrong answers for each right one."""
    sample: float = 1e-3
    """Words above this share of the texts are left out now and then; 0: never."""
    workers: int = 1
    """Threads; with more than one, two runs differ a little."""

    def __post_init__(self) -> None:
        require(
            "word2vec",
            self,
            {
                "kind": (self.kind in ("skipgram", "cbow"), "skipgram | cbow"),
                "size": (self.size >= 1, "≥ 1"),
                "window": (self.window >= 1, "≥ 1"),
                "min_count": (self.min_count >= 1, "≥ 1"),
                "most": (self.most >= 0, "≥ 0"),
                "epochs": (self.epochs >= 1, "≥ 1"),
                "rate": (0 < self.rate <= 1, "> 0 and ≤ 1"),
                "negative": (self.negative >= 1, "≥ 1"),
                "sample": (0 <= self.sample < 1, "≥ 0 and < 1"),
                "workers": (self.workers >= 1, "≥ 1"),
            },
        )


def train_word2vec(
    texts: Iterable[str],
    folder: Path | str,
    settings: Word2VecSettings | None = None,
    seed: int = 0,
) -> WordVectors:
    """Learn vectors from texts.

    Args:
        texts: gone through once for each pass and once more.
        folder: the run folder; one with the same settings is continued.
        settings: how.
        seed: of everything random.

    Raises:
        SettingsError: gensim is missing, or the folder holds another run.
        DataError: no word is common enough.
        StorageError: the disk refused.
    """
    settings = settings or Word2VecSettings()
    words = Words(texts)
    vocabulary = count_words(words, settings.min_count, settings.most)
    facts = {
        "method": settings.kind,
        **asdict(settings),
        "seed": seed,
        "vocabulary": vocabulary.fingerprint(),
    }
    model = _model(vocabulary, settings, seed)
    run = RunFolder(folder, facts)
    done = _restore(model, run)
    total = (settings.epochs - done) * vocabulary.pieces
    with bar(say("learning vectors", "学习词向量"), total) as progress:
        for epoch in range(done, settings.epochs):
            model.random = np.random.RandomState(derive(seed, "word2vec", epoch) % 2**32)
            model.train(
                _Counted(words, progress),
                total_examples=vocabulary.pieces,
                epochs=1,
                start_alpha=_rate(settings, epoch),
                end_alpha=_rate(settings, epoch + 1),
            )
            keep(run, epoch + 1, {"words": model.wv.vectors, "context": model.syn1neg})
    return WordVectors(vocabulary.words, model.wv.vectors.copy(), vocabulary.counts, facts)


def _rate(settings: Word2VecSettings, epoch: int) -> float:
    """Linear decay to a thousandth."""
    return settings.rate * max(1e-3, 1 - epoch / settings.epochs)


class _Counted:
    """Words that move a progress bar as they are read."""

    def __init__(self, words: Words, progress: Bar) -> None:
        self.words = words
        self.progress = progress

    def __iter__(self) -> Iterator[list[str]]:
        for some in self.words:
            yield some
            self.progress.advance()


def _model(vocabulary: Vocabulary, settings: Word2VecSettings, seed: int) -> "Word2Vec":
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"word2vec needs a package that is missing ({error.name}); install it with: "
            "pip install 'speaq[embeddings]'; or use glove, which needs none.",
            f"word2vec 缺少软件包 {error.name}；请安装：pip install 'speaq[embeddings]'；"
            "或改用无需安装的 glove。",
        ) from error
    model = Word2Vec(
        vector_size=settings.size,
        window=settings.window,
        sg=int(settings.kind == "skipgram"),
        hs=0,
        negative=settings.negative,
        sample=settings.sample,
        min_count=1,  # the rare ones are left out already
        workers=settings.workers,
        seed=derive(seed, "word2vec") % 2**32,
        sorted_vocab=0,
    )
    counts = dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))
    model.build_vocab_from_freq(counts, corpus_count=vocabulary.pieces)
    return model


def _restore(model: "Word2Vec", run: RunFolder) -> int:
    """Put the kept state into the model; after how many passes it was kept."""
    epoch, tensors = kept(run)
    if epoch:
        model.wv.vectors[:] = tensors["words"]
        model.syn1neg[:] = tensors["context"]
    return epoch
