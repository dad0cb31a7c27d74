"""Texts with annotated entities and relations: examples to learn either from.

One record a line (.jsonl), or a list (.json):

    {"text": "...", "entities": [[0, 5, "person"], ...],
     "relations": [{"head": 0, "tail": 1, "label": "works for"}, ...]}

An entity may also be `{"start", "end", "label"}`, and a relation's `head` and `tail` are the
numbers of entities. Every pair of a sentence that no relation is stated of, is an example of none.
"""

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

from speaq.apps.understand.units import sentences_of
from speaq.core.errors import DataError
from speaq.text.files.readers import Row, read_rows, suffix_of
from speaq.text.segmentation import Place
from speaq.text.tagging import Stretch, encode
from speaq.training.supervised.examples import Related, Tagged
from speaq.training.supervised.files import pieces

NONE = "none"
"""The label of pairs that nothing is stated of."""

Annotated = tuple[int, str, list[tuple[int, int, str]], list[tuple[int, int, str]]]
"""Row, text, entities (start, end, label) in order, relations (head, tail, label)."""


def holds_relations(file: Path) -> bool:
    """Whether a file's first record is a text with entities and relations."""
    if suffix_of(file) not in (".jsonl", ".ndjson", ".json") or not file.is_file():
        return False
    first = next(iter(read_rows(file)), None)
    return first is not None and {"text", "entities", "relations"} <= set(first[1])


def read_annotated(file: Path) -> list[Annotated]:
    """The records of a file.

    Raises:
        DataError: entities that overlap, lie outside of the text or inside of words, or a relation
            of an entity that is not there.
    """
    made = [_record(file, row) for row in read_rows(file)]
    if not made:
        raise DataError("the file holds no examples.", "文件中没有样本。", file=file)
    return made


def _record(file: Path, numbered: Row) -> Annotated:
    row, record = numbered
    text = record.get("text")
    if not isinstance(text, str):
        raise DataError("expected a text.", "应为文本。", file=file, row=row, field="text")
    try:
        given = [_entity(each) for each in record["entities"]]
        related = [(int(e["head"]), int(e["tail"]), str(e["label"]))
                   for e in record.get("relations") or ()]  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            "expected entities as [start, end, label] and relations as {head, tail, label}.",
            "entities 应为 [开始, 结束, 标签]，relations 应为 {head, tail, label}。",
            file=file,
            row=row,
        ) from error
    order = sorted(range(len(given)), key=lambda n: given[n])
    entities = [given[n] for n in order]
    _check(file, row, text, entities)
    place = {old: new for new, old in enumerate(order)}
    for head, tail, _ in related:
        if head not in place or tail not in place or head == tail:
            raise DataError(
                f"a relation is between entities {head} and {tail}; there are {len(entities)}, "
                "counted from 0.",
                f"关系指向第 {head} 与第 {tail} 个实体；共有 {len(entities)} 个，从 0 数起。",
                file=file,
                row=row,
                field="relations",
            )
    return row, text, entities, [(place[a], place[b], label) for a, b, label in related]


def _entity(given: Any) -> tuple[int, int, str]:
    if isinstance(given, Mapping):
        return int(given["start"]), int(given["end"]), str(given["label"])
    start, end, label = given
    return int(start), int(end), str(label)


def _check(file: Path, row: int, text: str, entities: list[tuple[int, int, str]]) -> None:
    places = pieces(text)
    starts, ends = {a for a, _ in places}, {b for _, b in places}
    done, before = 0, ""
    for start, end, label in entities:
        if not 0 <= start < end <= len(text):
            raise DataError(
                f"the entity {start}-{end} ({label}) does not lie in a text of {len(text)} "
                "characters.",
                f"实体 {start}-{end}（{label}）不在长度为 {len(text)} 的文本之内。",
                file=file,
                row=row,
                field="entities",
            )
        if start < done:
            raise DataError(
                f"the entity '{text[start:end]}' ({label}, {start}-{end}) overlaps the one before "
                f"it ('{before}'); keep one of the two.",
                f"实体“{text[start:end]}”（{label}，{start}-{end}）与前一个“{before}”重叠；"
                "请保留其一。",
                file=file,
                row=row,
                field="entities",
            )
        if start not in starts or end not in ends:
            raise DataError(
                f"the entity {start}-{end} ('{text[start:end]}') begins or ends inside of a word.",
                f"实体 {start}-{end}（“{text[start:end]}”）的边界落在词内。",
                file=file,
                row=row,
                field="entities",
            )
        done, before = end, text[start:end]


def tagged(records: list[Annotated]) -> Iterator[Tagged]:
    """Every sentence with tags for its entities."""
    for row, text, entities, _ in records:
        for start, end in sentences_of(text):
            places = [(start + a, start + b) for a, b in pieces(text[start:end])]
            yield Tagged(
                tuple(text[a:b] for a, b in places),
                tuple(encode(_stretches(places, entities), len(places))),
                row,
            )


def _stretches(places: list[Place], entities: list[tuple[int, int, str]]) -> Iterator[Stretch]:
    for start, end, label in entities:
        inside = [n for n, (a, b) in enumerate(places) if start <= a and b <= end]
        if inside:
            yield Stretch(inside[0], inside[-1] + 1, label)


def related(records: list[Annotated]) -> Iterator[Related]:
    """Every ordered pair of entities of a sentence, with its label or `NONE`."""
    for row, text, entities, relations in records:
        stated = {(head, tail): label for head, tail, label in relations}
        for start, end in sentences_of(text):
            here = [n for n, (a, b, _) in enumerate(entities) if start <= a and b <= end]
            for head, tail in permutations(here, 2):
                spans = [(entities[n][0] - start, entities[n][1] - start) for n in (head, tail)]
                label = stated.get((head, tail), NONE)
                yield Related(text[start:end], spans[0], spans[1], label, row)
