"""CoNLL-U: sentences with parts of speech and dependency trees (universaldependencies.org/format).

Ten columns parted by tabs: ID, FORM, LEMMA, UPOS, XPOS, FEATS, HEAD, DEPREL, DEPS, MISC. Lines of
words that were written together (1-2) and of empty nodes (1.1) are no words of the tree.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speaq.core.errors import DataError
from speaq.core.places import require_file
from speaq.text.files.conll import blocks, cells
from speaq.text.files.encodings import detect
from speaq.text.files.readers import open_bytes, open_text

_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Tree:
    """A sentence and its tree."""

    words: tuple[str, ...]
    parts: tuple[str, ...]
    """Universal parts of speech; `_` where the file does not say."""
    heads: tuple[int, ...]
    """The number of each word's head, from 1; 0: the root."""
    relations: tuple[str, ...]
    row: int = 0
    """The line of the first word."""


def is_tree(heads: Sequence[int]) -> bool:
    """Whether heads (from 1, 0: the root) make one tree with one word at the root."""
    if sum(head == 0 for head in heads) != 1:
        return False
    for word in range(1, len(heads) + 1):
        place, steps = word, 0
        while place and steps <= len(heads):
            if not 0 <= heads[place - 1] <= len(heads):
                return False
            place, steps = heads[place - 1], steps + 1
        if place:
            return False
    return True


def read_trees(path: Path | str) -> list[Tree]:
    """The sentences of a file.

    Raises:
        DataError: no such file, a line without ten columns, a head that is no number, or heads
            that make no tree.
    """
    path = Path(path)
    require_file(path)
    with open_bytes(path) as stream:
        encoding = detect(stream, path)
    with open_text(path, encoding) as text:
        made = list(_trees(text, path))
    if not made:
        raise DataError("the file holds no sentences.", "文件中没有句子。", file=path)
    return made


def _trees(lines: Iterable[str], path: Path) -> Iterator[Tree]:
    for block in blocks(lines):
        rows = [(n, cells(line, "\t")) for n, line in block if not line.startswith("#")]
        for number, row in rows:
            if len(row) != _COLUMNS:
                raise DataError(
                    f"expected the {_COLUMNS} columns of CoNLL-U parted by tabs, found {len(row)}.",
                    f"应为以制表符分隔的 {_COLUMNS} 列（CoNLL-U），实为 {len(row)} 列。",
                    file=path,
                    row=number,
                )
        rows = [(number, row) for number, row in rows if row[0].isdigit()]
        if rows:
            yield _tree(rows, path)


def _tree(rows: list[tuple[int, list[str]]], path: Path) -> Tree:
    for number, row in rows:
        if not row[6].isdigit():
            raise DataError(
                f"expected the number of a head, found '{row[6]}'.",
                f"应为中心词的编号，实为“{row[6]}”。",
                file=path,
                row=number,
                field="HEAD",
            )
    heads = tuple(int(row[6]) for _, row in rows)
    if not is_tree(heads):
        raise DataError(
            "the heads make no tree: there must be one root, no circle, and no head that is not "
            "there.",
            "各词的中心词不构成树：应恰有一个根、无环，且中心词存在。",
            file=path,
            row=rows[0][0],
            field="HEAD",
        )
    return Tree(
        tuple(row[1] for _, row in rows),
        tuple(row[3] for _, row in rows),
        heads,
        tuple(row[7] for _, row in rows),
        rows[0][0],
    )
