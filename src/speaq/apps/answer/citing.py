"""Citations: what is quoted, word for word, and where it stands in the original."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from speaq.apps.answer.passages import sentences_in
from speaq.apps.answer.reader import Span
from speaq.apps.answer.searching import Found
from speaq.apps.answer.segments import Passage
from speaq.apps.answer.terms import terms
from speaq.text import sentences

MARK = re.compile(r"\[(\d{1,3})\]")
_SUPPORTED = 0.5
"""Share of a written sentence's terms that a passage has to hold to be cited for it unasked."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation: the part's text from `start` to `end`, character for character."""

    number: int
    """Of the passage, from 1."""
    file: str
    line: int
    page: int
    field: str
    start: int
    end: int
    text: str

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @property
    def place(self) -> str:
        """Where it stands, as people write it: `notes.txt:12`, `manual.pdf p. 3`."""
        return f"{self.file} p. {self.page}" if self.page else f"{self.file}:{self.line}"


def citation(number: int, passage: Passage, start: int, end: int) -> Citation:
    """The citation of `passage.text[start:end]`."""
    lines = 0 if passage.field else passage.text.count("\n", 0, start)
    return Citation(
        number=number,
        file=passage.file,
        line=passage.line + lines,
        page=passage.page,
        field=passage.field,
        start=passage.start + start,
        end=passage.start + end,
        text=passage.text[start:end],
    )


def quoted(number: int, found: Found, span: Span) -> Citation:
    """The citation of a span of a passage that was found."""
    return citation(number, found.passage, span.start, span.end)


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that was written, and what in the passages speaks for it."""

    text: str
    citations: tuple[Citation, ...]
    support: float
    """Share of its terms that the cited sentences' passages hold: in [0, 1]."""

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "text": self.text,
            "support": round(self.support, 3),
            "citations": [each.number for each in self.citations],
        }


def statements(text: str, found: Sequence[Found]) -> list[Statement]:
    """What was written, sentence by sentence, with its citations.

    A sentence cites the passages whose numbers it bears; one without a number the passage that
    holds most of its terms, if that is at least half of them. Quoted is always a sentence of the
    passage itself, the one most like what was written.
    """
    made: list[Statement] = []
    for start, end in sentences.places(text):
        written = text[start:end]
        plain = MARK.sub("", written).strip()
        if not plain and made and MARK.search(written):
            made[-1] = _stated(made[-1].text + written, found)
        elif plain:
            made.append(_stated(written, found))
    return made


def _stated(written: str, found: Sequence[Found]) -> Statement:
    numbers = [int(n) for n in MARK.findall(written) if 1 <= int(n) <= len(found)]
    said = set(terms().of(MARK.sub(" ", written)))
    held = [_share(said, each.passage.text) for each in found]
    if not numbers and held and max(held) >= _SUPPORTED:
        numbers = [held.index(max(held)) + 1]
    chosen = list(dict.fromkeys(numbers))
    made = tuple(_likest(n, found[n - 1].passage, said) for n in chosen)
    return Statement(written, made, max((held[n - 1] for n in chosen), default=0.0))


def _share(said: set[str], text: str) -> float:
    return len(said & set(terms().of(text))) / len(said) if said else 0.0


def _likest(number: int, passage: Passage, said: set[str]) -> Citation:
    places = sentences_in(passage.text) or [(0, len(passage.text))]
    start, end = max(
        places, key=lambda place: len(said & set(terms().of(passage.text[slice(*place)])))
    )
    return citation(number, passage, start, end)
