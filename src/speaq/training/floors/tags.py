"""The floor of tagging: a conditional random field over what words look like.

Features are those that serve named entities in general (Lample et al. 2016 count them as the
baseline): the word, its ends, its shape, and the same of its neighbours. Single Chinese characters
are described by themselves, the pairs and triples around them, and where the words of a dictionary
begin and end.
"""

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speaq.core.language import say
from speaq.core.progress import Bar, bar
from speaq.text.segmentation import is_chinese, segmenter
from speaq.training.floors.extra import classic
from speaq.training.supervised.examples import Tagged
from speaq.training.supervised.labels import require_examples
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.tagging import tagging

EDGE = "<>"


@dataclass
class Field:
    """A learnt field. The model is bytes of CRFsuite's own format; nothing in it can run."""

    model: bytes

    def answers(self, examples: Sequence[Tagged]) -> list[tuple[str, ...]]:
        """The likeliest tags of each example."""
        tagger = classic("pycrfsuite").Tagger()
        tagger.open_inmemory(self.model)
        found = [tuple(tagger.tag(features(example.words))) for example in examples]
        tagger.close()
        return found


def field(
    training: Sequence[Tagged],
    *,
    l1: float = 0.1,
    l2: float = 0.05,
    iterations: int = 80,
) -> Field:
    """Learn a field by L-BFGS with both penalties.

    Raises:
        DataError: no examples, tags that are not IOB2, or no span at all.
        SettingsError: the extra `classic` is missing.
    """
    require_examples(training, "training")
    tagging(training, FineTuneSettings())
    with bar(say("conditional random field", "条件随机场"), iterations) as progress:
        trainer = _trainer(progress)
        trainer.select("lbfgs")
        trainer.set_params(
            {
                "c1": l1,
                "c2": l2,
                "max_iterations": iterations,
                "feature.possible_transitions": True,
            }
        )
        for example in training:
            trainer.append(features(example.words), list(example.tags))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "field"
            trainer.train(str(file))
            return Field(file.read_bytes())


def _trainer(progress: Bar) -> Any:
    """CRFsuite's trainer, whose log moves the bar."""

    def heard(self: Any, message: str) -> None:
        if "Iteration #" in message:
            progress.advance()

    base = classic("pycrfsuite").BaseTrainer
    return type("Trainer", (base,), {"message": heard})()


def features(words: Sequence[str]) -> list[list[str]]:
    """What is said of each word of a sentence."""
    # Sentences of single characters are Chinese ones that were cut so.
    single = sum(len(word) == 1 for word in words)
    cut = single * 2 > len(words) and is_chinese("".join(words))
    return _of_characters(words) if cut else _of_words(words)


def _of_words(words: Sequence[str]) -> list[list[str]]:
    low = [word.lower() for word in words]
    found = []
    for n, word in enumerate(words):
        one, two = _at(low, n - 1), _at(low, n + 1)
        own = low[n]
        found.append(
            [
                "bias",
                f"w={own}",
                f"w-2={_at(low, n - 2)}",
                f"w-1={one}",
                f"w+1={two}",
                f"w+2={_at(low, n + 2)}",
                f"w-1w={one}|{own}",
                f"ww+1={own}|{two}",
                f"s={shape(word)}",
                f"s-1={shape(_at(words, n - 1))}",
                f"s+1={shape(_at(words, n + 1))}",
                *(f"p{size}={own[:size]}" for size in (1, 2, 3, 4) if len(own) >= size),
                *(f"e{size}={own[-size:]}" for size in (1, 2, 3, 4) if len(own) >= size),
            ]
        )
    return found


def _of_characters(words: Sequence[str]) -> list[list[str]]:
    cuts = _word_places(words)
    found = []
    for n in range(len(words)):
        a, b, c, d, e = (_at(words, n + shift) for shift in (-2, -1, 0, 1, 2))
        word, place = cuts[n]
        found.append(
            [
                "bias",
                f"c={c}",
                f"c-1={b}",
                f"c+1={d}",
                f"c-2={a}",
                f"c+2={e}",
                f"bc={b}{c}",
                f"cd={c}{d}",
                f"ab={a}{b}",
                f"de={d}{e}",
                f"bd={b}{d}",
                f"abc={a}{b}{c}",
                f"bcd={b}{c}{d}",
                f"cde={c}{d}{e}",
                f"s={shape(c)}",
                f"word={word}",
                f"place={place}",
                f"place-1={cuts[n - 1][1] if n else EDGE}",
                f"place+1={cuts[n + 1][1] if n + 1 < len(words) else EDGE}",
            ]
        )
    return found


def _word_places(words: Sequence[str]) -> list[tuple[str, str]]:
    """For each character the dictionary word it is in, and whether it begins, ends or is it."""
    text = "".join(words)
    starts = list(itertools.accumulate((len(word) for word in words), initial=0))
    at = {start: n for n, start in enumerate(starts[:-1])}
    found: list[tuple[str, str]] = [("", "O")] * len(words)
    for start, end in segmenter().places(text):
        inside = [at[place] for place in range(start, end) if place in at]
        for number, n in enumerate(inside):
            first, last = number == 0, number == len(inside) - 1
            mark = "S" if first and last else "B" if first else "E" if last else "M"
            found[n] = (text[start:end], mark)
    return found


def shape(word: str) -> str:
    """How a word looks: `Xx` for Paris, `d` for 1999, `xd` for covid19."""
    marks = (_mark(character) for character in word)
    return "".join(mark for mark, _ in itertools.groupby(marks))


def _mark(character: str) -> str:
    if character.isdigit():
        return "d"
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    return "c" if character.isalpha() else character


def _at(words: Sequence[str], place: int) -> str:
    return words[place] if 0 <= place < len(words) else EDGE
