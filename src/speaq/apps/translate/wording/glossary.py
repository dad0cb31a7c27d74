"""Glossaries: how terms are to be translated, and which are not translated at all.

A table with two columns, source and target (TSV or CSV), or a TMX. A first row of two codes of
languages, such as `de` and `en`, says which; without one the table holds for every pair. The two
columns of a TMX are its first two languages. Read the other way round a glossary of a pair serves
the opposite pair.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from speaq.apps.translate.texts.languages import NAMES, plain
from speaq.apps.translate.texts.protection import Span
from speaq.apps.translate.wording.terms import find, forms, stemmed
from speaq.core.errors import DataError
from speaq.text.files.data_files import open_data
from speaq.text.files.encodings import detect
from speaq.text.files.examples import Parallel
from speaq.text.files.readers import open_bytes, open_text


@dataclass(frozen=True, slots=True)
class Term:
    """How one term is translated."""

    source: str
    target: str
    pair: tuple[str, str] = ("", "")
    """Plain codes; empty: any."""


@dataclass(frozen=True, slots=True)
class Match:
    """A term where it stands in a source."""

    start: int
    end: int
    term: Term
    choices: tuple[str, ...]
    """What may stand in the translation: the target, or its inflections where the source's word
    is inflected."""


class Glossary:
    """The terms of one or several tables."""

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        self.terms = tuple(dict.fromkeys(terms))

    @classmethod
    def of(cls, pairs: Mapping[str, str]) -> "Glossary":
        """Of source terms and their targets, for any pair of languages.

        Raises:
            DataError: a term is empty.
        """
        return cls(_checked(Term(*each), "glossary", None) for each in pairs.items())

    def __add__(self, other: "Glossary") -> "Glossary":
        return Glossary((*self.terms, *other.terms))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(
        self, text: str, source: str, target: str, taken: Iterable[Span] = ()
    ) -> list[Match]:
        """The terms in a text, in order, none over another; of two the longer one counts.

        Args:
            text: in the source language.
            source: plain code.
            target: plain code.
            taken: what is not translated, and so holds no term.
        """
        said = stemmed(text, source)
        found = []
        for term in self._of(source, target):
            for start, end in find(stemmed(term.source, source), said):
                same = text[start:end].lower() == term.source.lower()
                own = (term.target,) if same else tuple(forms(term.target, target))
                found.append(Match(start, end, term, own))
        found.sort(key=lambda each: (each.start - each.end, each.start))
        used = [(span.start, span.end) for span in taken]
        kept = []
        for each in found:
            if all(each.end <= start or each.start >= end for start, end in used):
                used.append((each.start, each.end))
                kept.append(each)
        return sorted(kept, key=lambda each: each.start)

    def _of(self, source: str, target: str) -> Iterator[Term]:
        for term in self.terms:
            if term.pair in (("", ""), (source, target)):
                yield term
            elif term.pair == (target, source):
                yield Term(term.target, term.source, (source, target))


def read_glossary(path: str | Path) -> Glossary:
    """A glossary's file.

    Raises:
        DataError: no such file, no term, or a row without two columns.
    """
    path = Path(path)
    if path.name.lower().removesuffix(".gz").endswith(".tmx"):
        return Glossary(_of_tmx(path))
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    with open_text(path, encoding) as text:
        lines = list(csv.reader(text, delimiter=_delimiter(path)))
    pair, terms = ("", ""), []
    for row, cells in enumerate(lines, start=1):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < 2:
            raise DataError(
                f"expected a source term and its translation in two columns, found '{cells[0]}'.",
                f"应为两列：源术语及其译法，却是“{cells[0]}”。",
                file=path,
                row=row,
            )
        codes = (plain(cells[0]), plain(cells[1]))
        if row == 1 and set(codes) <= set(NAMES):
            pair = codes
        elif row > 1 or tuple(cell.strip().lower() for cell in cells[:2]) != ("source", "target"):
            terms.append(_checked(Term(cells[0].strip(), cells[1].strip(), pair), path, row))
    if not terms:
        raise DataError("the file holds no terms.", "文件中没有术语。", file=path)
    return Glossary(terms)


def read_terms(path: str | Path) -> tuple[str, ...]:
    """Terms that are not translated, one a line.

    Raises:
        DataError: no such file.
    """
    path = Path(path)
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    with open_text(path, encoding) as text:
        return tuple(line.strip() for line in text if line.strip())


def _of_tmx(path: Path) -> Iterator[Term]:
    data = open_data(path)
    if data.faults:
        raise data.faults[0]
    languages = [plain(code) for code in data.layout.languages]
    pair = (languages[0], languages[1]) if len(languages) == 2 else ("", "")
    for example in data.examples:
        if isinstance(example, Parallel):
            yield _checked(Term(example.source, example.target, pair), path, example.place.row)


def _delimiter(path: Path) -> str:
    return "," if path.name.lower().removesuffix(".gz").endswith(".csv") else "\t"


def _checked(term: Term, file: Path | str, row: int | None) -> Term:
    if not (term.source.strip() and term.target.strip()):
        raise DataError(
            "a term and its translation must not be empty.",
            "术语及其译法均不能为空。",
            file=file,
            row=row,
        )
    return term
