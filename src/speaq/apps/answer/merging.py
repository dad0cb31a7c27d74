"""Small segments made one, so that a question never asks many; what was removed is left out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.apps.answer.segments import Segment, save_postings
from speaq.core.files import replacing_folder


def merge(folder: Path, segments: Sequence[Segment]) -> None:
    """Write one segment that holds what is left of several, in their order."""
    documents: list[dict[str, Any]] = []
    fields: dict[str, int] = {"": 0}
    parts: list[NDArray[Any]] = []
    passages: list[NDArray[Any]] = []
    vectors, owners = [], []
    size = 0
    with replacing_folder(folder) as temporary:
        with (temporary / "texts.bin").open("wb") as texts:
            for segment in segments:
                kept = _kept_parts(segment)
                moved = _moved(segment, kept, size, len(documents), fields)
                for row in np.flatnonzero(kept):
                    texts.write(segment.stored(int(row)))
                size += int((segment.parts["titled"] - segment.parts["begin"])[kept].sum())
                first = sum(len(each) for each in passages)
                passages.append(_passages(segment, kept, moved, sum(len(each) for each in parts)))
                parts.append(moved)
                documents += [d._asdict() for d in segment.documents if d.name not in segment.gone]
                if len(segment.vectors):
                    here = segment.alive[segment.owners]
                    vectors.append(segment.vectors[here])
                    owners.append(first + _numbers(segment.alive)[segment.owners[here]])
        facts = {"documents": documents, "fields": list(fields)}
        (temporary / "documents.json").write_text(json.dumps(facts), encoding="utf-8")
        np.save(temporary / "parts.npy", np.concatenate(parts))
        np.save(temporary / "passages.npy", np.concatenate(passages))
        _save_postings(temporary, segments)
        if vectors:
            np.save(temporary / "vectors.npy", np.concatenate(vectors))
            np.save(temporary / "owners.npy", np.concatenate(owners).astype(np.int32))


def _numbers(kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The new numbers of what is kept."""
    return (np.cumsum(kept) - 1).astype(np.int32)


def _kept_parts(segment: Segment) -> NDArray[np.bool_]:
    alive = np.array([each.name not in segment.gone for each in segment.documents], bool)
    return np.asarray(alive[segment.parts["document"]])


def _moved(
    segment: Segment, kept: NDArray[np.bool_], size: int, documents: int, fields: dict[str, int]
) -> NDArray[Any]:
    """The kept parts as they stand behind `size` bytes and so many `documents`."""
    made = np.array(segment.parts[kept])
    lengths = made["titled"] - made["begin"]
    begin = size + np.cumsum(lengths) - lengths
    shift = begin - made["begin"]
    for name in ("begin", "end", "asked", "titled"):
        made[name] += shift
    alive = np.array([each.name not in segment.gone for each in segment.documents], bool)
    made["document"] = documents + _numbers(alive)[made["document"]]
    renamed = np.array([fields.setdefault(each, len(fields)) for each in segment.fields], np.int32)
    made["field"] = renamed[made["field"]]
    return made


def _passages(
    segment: Segment, kept: NDArray[np.bool_], moved: NDArray[Any], first: int
) -> NDArray[Any]:
    made = np.array(segment.passages[segment.alive])
    old = segment.parts["begin"][made["part"]]
    number = _numbers(kept)[made["part"]]
    shift = moved["begin"][number] - old
    made["begin"] += shift
    made["finish"] += shift
    made["part"] = first + number
    return made


def _save_postings(folder: Path, segments: Sequence[Segment]) -> None:
    hashes = np.unique(np.concatenate([segment.hashes for segment in segments]))
    terms, places, counts = [], [], []
    first = 0
    for segment in segments:
        here = segment.alive[segment.places]
        rows = np.searchsorted(hashes, segment.hashes).astype(np.int32)
        terms.append(np.repeat(rows, np.diff(segment.starts))[here])
        places.append(first + _numbers(segment.alive)[segment.places[here]])
        counts.append(segment.counts[here])
        first += int(segment.alive.sum())
    save_postings(
        folder,
        hashes,
        np.concatenate(terms),
        np.concatenate(places).astype(np.int32),
        np.concatenate(counts),
    )
