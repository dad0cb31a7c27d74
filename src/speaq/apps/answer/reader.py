"""What of a passage answers a question: a span by a fine-tuned reader, else the best sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from speaq.apps.answer.passages import sentences_in
from speaq.apps.answer.searching import Found, Search
from speaq.apps.answer.terms import terms
from speaq.core.errors import ModelError
from speaq.training.supervised.examples import Question
from speaq.training.supervised.reading import Reading
from speaq.training.supervised.result import open_tuned


@dataclass(frozen=True, slots=True)
class Span:
    """An answer in a passage: `passage.text[start:end]`."""

    start: int
    end: int
    margin: float
    """By how much it scores above "no answer"; 0 where no reader says so."""


class Reads(Protocol):
    """What finds answers in passages."""

    name: str

    def spans(self, question: str, found: Sequence[Found]) -> list[Span]:
        """The best span of each passage."""
        ...


class SentenceReader:
    """The sentence with the rarest terms of the question; a row of a table is an answer whole."""

    name = "sentences"

    def __init__(self, search: Search) -> None:
        self._search = search

    def spans(self, question: str, found: Sequence[Found]) -> list[Span]:
        """See `Reads`."""
        asked = set(terms().of(question))
        weights = self._search.index.weights(asked)
        return [self._best(each, weights) for each in found]

    def _best(self, found: Found, weights: dict[str, float]) -> Span:
        text = found.passage.text
        places = sentences_in(text)
        if found.passage.field or not places:
            return Span(0, len(text), 0.0)

        def worth(place: tuple[int, int]) -> float:
            return sum(weights.get(term, 0.0) for term in set(terms().of(text[slice(*place)])))

        start, end = max(places, key=worth)
        return Span(start, end, 0.0)


class SpanReader:
    """A reader that `speaq fine-tune` made of questions with answers.

    Args:
        folder: of the model.

    Raises:
        ModelError: not such a folder, or one that learnt something else.
    """

    def __init__(self, folder: Path) -> None:
        self._tuned = open_tuned(folder)
        skill = self._tuned.skills.get("")
        if skill is None or not isinstance(skill.kind, Reading):
            raise ModelError(
                f"{folder} did not learn reading; speaq fine-tune makes one of SQuAD files.",
                f"{folder} 学的不是阅读理解；请用 speaq fine-tune 以 SQuAD 文件训练。",
            )
        # Whether to answer is decided later, by more than the reader's margin.
        skill.kind = replace(skill.kind, threshold=float("-inf"))
        self.name = f"reader {folder.parent.name if folder.name == 'model' else folder.name}"

    def spans(self, question: str, found: Sequence[Found]) -> list[Span]:
        """See `Reads`."""
        asked = [Question(question, each.passage.text) for each in found]
        made = []
        for each, said in zip(found, self._tuned.answers(asked), strict=True):
            start, end = said.start, said.start + len(said.text)
            if start < 0 or each.passage.question:
                # A row that answers a question is the answer whole.
                start, end = 0, len(each.passage.text)
            made.append(Span(start, end, float(said.margin)))
        return made
