"""Parts of speech and dependency trees of a text, sentence by sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speaq.apps.understand.results import Word
from speaq.apps.understand.units import sentences_of, words_and_marks
from speaq.training.supervised.examples import Parsed
from speaq.training.supervised.result import Tuned


class Parser(Protocol):
    """A parser."""

    def words(self, texts: Sequence[str]) -> list[tuple[Word, ...]]:
        """The words of each text with their parts, heads and relations."""


@dataclass(frozen=True)
class NeuralParser:
    """A fine-tuned parser. Words are cut as in `units`, Chinese ones by a dictionary."""

    tuned: Tuned
    task: str = ""

    def words(self, texts: Sequence[str]) -> list[tuple[Word, ...]]:
        """See `Parser`."""
        whose, places, examples = [], [], []
        for number, text in enumerate(texts):
            for start, end in sentences_of(text):
                here = [(start + a, start + b) for a, b in words_and_marks(text[start:end])]
                if here:
                    whose.append(number)
                    places.append(here)
                    examples.append(Parsed(tuple(text[a:b] for a, b in here)))
        made: list[list[Word]] = [[] for _ in texts]
        if not examples:
            return [() for _ in texts]
        for number, here, parse in zip(
            whose, places, self.tuned.answers(examples, self.task), strict=True
        ):
            first = len(made[number])
            for n, (start, end) in enumerate(here):
                head = parse.heads[n]
                made[number].append(
                    Word(
                        texts[number][start:end],
                        start,
                        end,
                        parse.parts[n],
                        first + head - 1 if head else -1,
                        parse.relations[n],
                        parse.sure[n],
                    )
                )
        return [tuple(each) for each in made]
