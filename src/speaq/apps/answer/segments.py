"""A segment: passages that were indexed together, in files that are mapped, never read whole.

segment/
├── documents.json   their names and fingerprints
├── texts.bin        the parts, their titles and questions, in UTF-8
├── parts.npy, passages.npy                   where they stand in it
├── hashes.npy, starts.npy                    terms as sorted 64-bit hashes (H,), (H + 1,)
├── places.npy, counts.npy                    which passages hold a term, and how often, (P,)
└── vectors.npy, owners.npy                   dense vectors (M, D) and whose they are (M,), if any

Two terms of one hash would be taken for one; among a million terms that happens once in 40
million indexes.
"""

import hashlib
import json
import mmap
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speaq.apps.answer.documents import Part
from speaq.apps.answer.passages import PassageSettings, cut
from speaq.apps.answer.terms import Terms
from speaq.core.files import replacing_folder

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors of length 1: (N, D)."""

_PART = np.dtype(
    [(name, np.int64) for name in ("begin", "end", "asked", "titled")]
    + [(name, np.int32) for name in ("document", "line", "page", "field")]
)
"""Bytes of a part's text; behind it stand its question, up to `asked`, and its title."""
_PASSAGE = np.dtype(
    [("begin", np.int64), ("finish", np.int64)]
    + [(name, np.int32) for name in ("part", "start", "end", "line", "length")]
)
"""Bytes from `begin` to `finish`, characters of the part from `start` to `end`, terms."""


class Document(NamedTuple):
    """A file as it was indexed."""

    name: str
    digest: str
    language: str
    """The codes of its languages, with commas between; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage and where it stands."""

    file: str
    text: str
    start: int
    """The first character, counted in the part: the file, the page, the field of a row."""
    end: int
    """The character behind the last."""
    line: int
    """Of the file, from 1; of a table the row, of a Word document the paragraph."""
    page: int
    field: str
    question: str
    title: str
    key: str
    """Names the passage as long as its document is not changed."""


class _Growing:
    """The arrays of a segment that is being made."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, ...]] = []
        self.passages: list[tuple[int, ...]] = []
        self.fields: dict[str, int] = {"": 0}
        self.vocabulary: dict[str, int] = {}
        self.terms, self.places, self.counts = array("i"), array("i"), array("H")
        self.size = 0


def write_segment(
    folder: Path,
    documents: Iterable[tuple[Document, Sequence[Part]]],
    settings: PassageSettings,
    encode: Encode | None,
) -> int:
    """Index documents; the folder is there, whole, or not at all. Returns the passages."""
    growing, cutter, named = _Growing(), Terms(), []
    dense: list[tuple[int, str]] = []
    with replacing_folder(folder) as temporary:
        with (temporary / "texts.bin").open("wb") as texts:
            for number, (document, parts) in enumerate(documents):
                named.append(document._asdict())
                for part in parts:
                    for text in _add(growing, texts, part, number, settings, cutter):
                        if encode is not None:
                            owner = len(growing.passages) - 1
                            dense += [(owner, each) for each in text if each]
        facts = {"documents": named, "fields": list(growing.fields)}
        (temporary / "documents.json").write_text(json.dumps(facts), encoding="utf-8")
        _save(temporary, growing)
        if encode is not None:
            vectors = encode([text for _, text in dense])
            np.save(temporary / "vectors.npy", vectors)
            np.save(temporary / "owners.npy", np.array([n for n, _ in dense], np.int32))
    return len(growing.passages)


def _add(
    growing: _Growing,
    texts: Any,
    part: Part,
    document: int,
    settings: PassageSettings,
    cutter: Terms,
) -> Iterator[tuple[str, str]]:
    """Write a part and its passages; yields what the vectors of each are made of."""
    pieces = [each.encode() for each in (part.text, part.question, part.title)]
    begin = growing.size
    end, asked = begin + len(pieces[0]), begin + len(pieces[0]) + len(pieces[1])
    growing.size = asked + len(pieces[2])
    texts.write(b"".join(pieces))
    field = growing.fields.setdefault(part.field, len(growing.fields))
    growing.parts.append((begin, end, asked, growing.size, document, part.line, part.page, field))
    lines, seen, byte = part.line, 0, begin
    last = 0
    for start, stop in cut(part, settings):
        # Passages overlap, so the next may begin before this one ends.
        lines += part.text.count("\n", seen, start) if not part.field else 0
        byte += len(part.text[last:start].encode()) if start >= last else 0
        seen = last = start
        text = part.text[start:stop]
        found = Counter(cutter.of(f"{part.question}\n{part.title}\n{text}"))
        place = len(growing.passages)
        for term, count in found.items():
            growing.terms.append(growing.vocabulary.setdefault(term, len(growing.vocabulary)))
            growing.places.append(place)
            growing.counts.append(min(count, 65535))
        finish = byte + len(text.encode())
        length = sum(found.values())
        growing.passages.append((byte, finish, len(growing.parts) - 1, start, stop, lines, length))
        yield text, part.question


def _save(folder: Path, growing: _Growing) -> None:
    hashes = np.fromiter(map(hashed, growing.vocabulary), np.uint64, len(growing.vocabulary))
    ordered = np.argsort(hashes)
    rank = np.empty(len(hashes), np.int32)
    rank[ordered] = np.arange(len(hashes), dtype=np.int32)
    terms = rank[np.frombuffer(growing.terms, np.int32)] if growing.terms else rank[:0]
    save_postings(
        folder,
        hashes[ordered],
        terms,
        np.array(growing.places, np.int32),
        np.array(growing.counts, np.uint16),
    )
    np.save(folder / "parts.npy", np.array(growing.parts, _PART))
    np.save(folder / "passages.npy", np.array(growing.passages, _PASSAGE))


def save_postings(
    folder: Path,
    hashes: NDArray[np.uint64],
    terms: NDArray[np.int32],
    places: NDArray[np.int32],
    counts: NDArray[np.uint16],
) -> None:
    """Write postings (P,), whose passages ascend, in the order of their terms."""
    order = np.argsort(terms, kind="stable")
    starts = np.zeros(len(hashes) + 1, np.int64)
    np.cumsum(np.bincount(terms, minlength=len(hashes)), out=starts[1:])
    np.save(folder / "hashes.npy", hashes)
    np.save(folder / "starts.npy", starts)
    np.save(folder / "places.npy", places[order])
    np.save(folder / "counts.npy", counts[order])


def hashed(term: str) -> int:
    """A term as 64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "little")


class Segment:
    """An open segment.

    Args:
        folder: where it stands.
        gone: names of its documents that were removed.
    """

    def __init__(self, folder: Path, gone: Iterable[str] = ()) -> None:
        self.folder = folder
        facts = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
        self.documents = [Document(**each) for each in facts["documents"]]
        self.fields: list[str] = facts["fields"]
        self.gone = frozenset(gone)
        self.parts = self._array("parts")
        self.passages = self._array("passages")
        self.hashes = self._array("hashes")
        self.starts = self._array("starts")
        self.places = self._array("places")
        self.counts = self._array("counts")

    def _array(self, name: str) -> NDArray[Any]:
        file = self.folder / f"{name}.npy"
        mapped: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        return mapped

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """Dense vectors (M, D); (0, 0) without any."""
        if not (self.folder / "vectors.npy").is_file():
            return np.zeros((0, 0), np.float32)
        return self._array("vectors")

    @cached_property
    def owners(self) -> NDArray[np.int32]:
        """The passages of the vectors, ascending: (M,)."""
        return self._array("owners")

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """Which passages are of documents that were not removed: (N,)."""
        kept = np.array([each.name not in self.gone for each in self.documents], bool)
        return np.asarray(kept[self.parts["document"][self.passages["part"]]])

    @cached_property
    def lengths(self) -> NDArray[np.float32]:
        """Terms of each passage: (N,)."""
        return np.ascontiguousarray(self.passages["length"], np.float32)

    @cached_property
    def _texts(self) -> bytes | mmap.mmap:
        with (self.folder / "texts.bin").open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def postings(self, term: int) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """The passages (P,) that hold a hashed term, ascending, and how often."""
        row = int(np.searchsorted(self.hashes, np.uint64(term)))
        if row == len(self.hashes) or self.hashes[row] != term:
            return self.places[:0], self.counts[:0]
        start, end = int(self.starts[row]), int(self.starts[row + 1])
        return self.places[start:end], self.counts[start:end]

    def passage(self, place: int) -> Passage:
        """The passage with this number."""
        said = self.passages[place]
        part = self.parts[said["part"]]
        end, asked, titled = (int(part[n]) for n in ("end", "asked", "titled"))
        name = self.documents[int(part["document"])].name
        return Passage(
            file=name,
            text=self._text(int(said["begin"]), int(said["finish"])),
            start=int(said["start"]),
            end=int(said["end"]),
            line=int(said["line"]),
            page=int(part["page"]),
            field=self.fields[int(part["field"])],
            question=self._text(end, asked),
            title=self._text(asked, titled),
            key=f"{name}:{int(part['line'])}:{int(part['page'])}:{int(said['start'])}",
        )

    def part_of(self, place: int) -> Part:
        """The part that a passage is of."""
        return self._part(int(self.passages[place]["part"]))

    def _text(self, begin: int, end: int) -> str:
        return self._texts[begin:end].decode() if end > begin else ""

    def parts_of(self, name: str) -> list[Part]:
        """The parts of a document, in order."""
        numbers = [n for n, each in enumerate(self.documents) if each.name == name]
        rows = np.flatnonzero(np.isin(self.parts["document"], numbers))
        return [self._part(int(row)) for row in rows]

    def _part(self, row: int) -> Part:
        part = self.parts[row]
        begin, end, asked, titled = (int(part[n]) for n in ("begin", "end", "asked", "titled"))
        return Part(
            self._text(begin, end),
            int(part["line"]),
            int(part["page"]),
            self.fields[int(part["field"])],
            self._text(end, asked),
            self._text(asked, titled),
        )

    def stored(self, row: int) -> bytes:
        """The bytes of a part, its question and its title."""
        part = self.parts[row]
        return self._texts[int(part["begin"]) : int(part["titled"])]

    def wipe(self, name: str) -> None:
        """Overwrite the text of a removed document, and its vectors."""
        numbers = [n for n, each in enumerate(self.documents) if each.name == name]
        rows = np.isin(self.parts["document"], numbers)
        with (self.folder / "texts.bin").open("r+b") as stream:
            for part in self.parts[rows]:
                stream.seek(int(part["begin"]))
                stream.write(b" " * int(part["titled"] - part["begin"]))
        if len(self.vectors):
            here = rows[self.passages["part"]][self.owners]
            changed = np.load(self.folder / "vectors.npy", mmap_mode="r+", allow_pickle=False)
            changed[here] = 0
            changed.flush()
