"""What is said of a relation to a linear model: words as features, and vectors of an encoder.

The features are the lexical ones of SemEval-2010's best systems that need no parser (Rink and
Harabagiu 2010): the two passages, what stands between and beside them, in words, stems and pairs.
The vectors say what kind of thing the passages are, which no list of words can: the means of an
encoder's input embeddings over the head words and the words between, or, `states`, also of its
hidden states where the sentence has been read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from speaq.models.sources import load_encoder
from speaq.text.segmentation import segmenter
from speaq.text.stemming import stems
from speaq.text.units import HAN
from speaq.training.supervised.examples import Related, Span

_CHINESE = re.compile(f"[{HAN}]")
_MARK = re.compile(r"[^\w\s]")
_LONGEST = 128
_SMALL_WORDS = (
    "the a an of in on at by for with from to into onto through and or that which who is are was "
    "were be been being has have had its his her their this these as about inside within out "
    "的 了 在 是 和 与 或 由 被 把 从 向 到 对 为 以 于 之 其 这 那 有 中 里 上 下"
)
_SMALL = frozenset(_SMALL_WORDS.split())
_WIDTH = 3
_LAYER = 4
"""Whose states say best what kind of thing a passage is; behind it they turn to the sentence."""


def relation_features(example: Related) -> list[str]:
    """The features of a relation; each counts once."""
    first, second = sorted((example.head, example.tail))
    turned = "" if example.head <= example.tail else "r:"
    text = example.text
    before = _words(text[: first[0]])
    between = _words(text[first[1] : second[0]])
    after = _words(text[second[1] :])
    found: set[str] = {f"gap={min(len(between), 10)}"}
    for name, span in (("1", first), ("2", second)):
        found.update(_passage(name, _words(text[slice(*span)])))
    found.update(_between(between))
    found.update(_beside(before, after))
    heads = [_head(text[slice(*span)]) for span in (first, second)]
    inner = stems(between)
    found.add(f"hh={heads[0]}|{heads[1]}")
    found.add(f"h1m={heads[0]}|{inner[0] if inner else ''}")
    found.add(f"h2m={heads[1]}|{inner[-1] if inner else ''}")
    return [turned + each for each in found]


def _passage(name: str, words: Sequence[str]) -> list[str]:
    last = words[-1] if words else ""
    return [
        f"h{name}={last}",
        f"s{name}={stems([last])[0]}",
        *(f"e{name}={last[-size:]}" for size in (1, 2, 3, 4, 5)),
        *(f"p{name}={last[:size]}" for size in (1, 2, 3, 4, 5)),
        *(f"mod{name}={word}" for word in words[:-1]),
    ]


def _between(words: Sequence[str]) -> list[str]:
    plain, short = ["<", *words, ">"], ["<", *stems(words), ">"]
    found = [f"M={' '.join(words)}", f"Ms={' '.join(short)}"]
    found += [f"m={word}" for word in plain] + [f"ms={word}" for word in short]
    for size in (2, 3):
        found += [f"m{size}={each}" for each in _runs(plain, size)]
        found += [f"ms{size}={each}" for each in _runs(short, size)]
    for reach in (2, 3):
        pairs = zip(short, short[reach:], strict=False)
        found += [f"skip{reach}={a}|{b}" for a, b in pairs]
    found.append(f"small={' '.join(word for word in words if word in _SMALL)}")
    found += [
        f"c={stem}"
        for word, stem in zip(words, short[1:-1], strict=True)
        if word not in _SMALL and word.isalpha()
    ]
    return found


def _beside(before: Sequence[str], after: Sequence[str]) -> list[str]:
    return [
        *(f"L{n}={word}" for n, word in enumerate(reversed(before[-_WIDTH:]))),
        *(f"R{n}={word}" for n, word in enumerate(after[:_WIDTH])),
        f"LL={' '.join(before[-2:])}",
        f"RR={' '.join(after[:2])}",
        *(f"Ls={stem}" for stem in stems(before[-4:])),
        *(f"Rs={stem}" for stem in stems(after[:4])),
    ]


def _runs(words: Sequence[str], size: int) -> list[str]:
    return ["|".join(words[at : at + size]) for at in range(len(words) - size + 1)]


def _words(text: str) -> list[str]:
    """Words and marks in lower case, in order."""
    found: list[str] = []
    done = 0
    for start, end in segmenter().places(text):
        found += _MARK.findall(text[done:start])
        found.append(text[start:end].lower())
        done = end
    return found + _MARK.findall(text[done:])


def _head(text: str) -> str:
    return (_words(text) or [""])[-1]


@dataclass
class PassageVectors:
    """An encoder as a maker of vectors for relations.

    Args:
        source: as `load_encoder` takes it.
        states: whether sentences are read too, which takes longer.
    """

    source: str
    states: bool = False

    def __post_init__(self) -> None:
        self.model, self.tokenizer = load_encoder(self.source)
        table = self.model.get_input_embeddings().weight.detach().float().numpy()
        self._table: NDArray[np.float32] = table - table.mean(0)
        self._known: dict[str, NDArray[np.float32]] = {}

    def made(self, examples: Sequence[Related]) -> NDArray[np.float32]:
        """(N, 3·D), or (N, 7·D) with `states`; each part of length 1."""
        still = np.stack([self._still(each) for each in examples])
        return np.hstack([still, self._read(examples)]) if self.states else still

    def _still(self, example: Related) -> NDArray[np.float32]:
        first, second = sorted((example.head, example.tail))
        between = example.text[first[1] : second[0]]
        heads = [_head(example.text[slice(*span)]) for span in (example.head, example.tail)]
        parts = [self._mean(text) for text in (*heads, between)]
        if example.head > example.tail:
            parts[2] = -parts[2]  # what is said the other way round is another thing
        return np.concatenate(parts)

    def _mean(self, text: str) -> NDArray[np.float32]:
        if text not in self._known:
            ids = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
            self._known[text] = _unit(self._table[ids].mean(0) if ids else 0 * self._table[0])
        return self._known[text]

    @torch.inference_mode()
    def _read(self, examples: Sequence[Related]) -> NDArray[np.float32]:
        width = self._table.shape[1]
        made = np.zeros((len(examples), 4 * width), np.float32)
        order = np.argsort([len(each.text) for each in examples], kind="stable").tolist()
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            coded = self.tokenizer(
                [examples[n].text for n in chosen],
                padding=True,
                truncation=True,
                max_length=_LONGEST,
                return_offsets_mapping=True,
                return_tensors="pt",
            )
            offsets = coded.pop("offset_mapping").numpy()
            hidden: Any = self.model(**coded, output_hidden_states=True).hidden_states
            middle, last = hidden[min(_LAYER, len(hidden) - 1)].numpy(), hidden[-1].numpy()
            for row, n in enumerate(chosen):
                example = examples[n]
                first, second = sorted((example.head, example.tail))
                places = offsets[row]
                made[n] = np.concatenate(
                    [
                        _inside(middle[row], places, example.head),
                        _inside(middle[row], places, example.tail),
                        _inside(last[row], places, (first[1], second[0])),
                        _inside(last[row], places, (0, len(example.text))),
                    ]
                )
        return made


def _inside(states: Any, places: NDArray[np.int64], span: Span) -> NDArray[np.float32]:
    """The mean state of the tokens that a passage has a part in, of length 1; (D,)."""
    starts, ends = places[:, 0], places[:, 1]
    held = np.flatnonzero((ends > starts) & (starts < span[1]) & (ends > span[0]))
    return _unit(states[held if len(held) else [0]].mean(0))


def _unit(vector: Any) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, np.float32)
