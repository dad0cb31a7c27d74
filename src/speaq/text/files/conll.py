"""CoNLL and IOB files: one token a line with its tag, an empty line after each sentence.

Columns are parted by tabs or by blanks. The first is the token (the second in CoNLL-U), the last
the tag (the part of speech in CoNLL-U). A sentence may end with a line of one word, its class.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.text.files.columns import is_tag
from speaq.text.files.layouts import Layout
from speaq.text.files.readers import Row

_WIDTH_U, _TAG_U = 10, 3
"""CoNLL-U has ten columns, of which the fourth is the universal part of speech."""
_APART = ("#", "-DOCSTART-")

Block = list[tuple[int, str]]
"""The numbered lines of a sentence."""


@dataclass(frozen=True)
class Lines:
    """What `sniff` found."""

    delimiter: str
    """A tab, or a blank for any white space."""
    width: int
    tag: int
    """The column of the tag, from 0."""
    labelled: bool
    """Whether sentences end with a line of their class."""


def sniff(lines: Sequence[str]) -> Lines | None:
    """How the first lines of a file are CoNLL; None if they are something else."""
    kept = [line for line in map(_bare, lines) if line.strip() and not line.startswith(_APART)]
    if not kept:
        return None
    delimiter = "\t" if sum("\t" in line for line in kept) > 0.5 * len(kept) else " "
    rows = [cells(line, delimiter) for line in kept]
    # A line of one word is the class of the sentence.
    words = [row for row in rows if len(row) > 1]
    if not words or len(words) < 0.5 * len(rows):
        return None
    width, times = Counter(map(len, words)).most_common(1)[0]
    tag = _tag_column([row for row in words if len(row) == width], width, lines)
    if times < 0.8 * len(words) or tag < 0:
        return None
    ends = [cells(block[-1][1], delimiter) for block in blocks(lines)]
    labelled = sum(len(end) == 1 for end in ends) > 0.5 * len(ends)
    return Lines(delimiter, width, tag, labelled)


def _tag_column(rows: list[list[str]], width: int, lines: Sequence[str]) -> int:
    """The column of the tags, -1 if there is none."""
    if width == _WIDTH_U and all(row[0][:1].isdigit() for row in rows):
        return _TAG_U
    tags = [row[-1] for row in rows]
    if len(rows) > 1 and sum(map(is_tag, tags)) >= 0.8 * len(tags):
        return width - 1
    # Parts of speech are known by their capitals, in a file of sentences that are set apart.
    apart = any(not line.strip() for line in lines)
    coded = all(tag.isascii() and tag.upper() == tag and len(tag) <= 6 for tag in tags)
    lettered = sum(tag.isalpha() for tag in tags) > 0.5 * len(tags)
    return 1 if width == 2 and apart and coded and lettered else -1


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def cells(line: str, delimiter: str) -> list[str]:
    """The columns of a line."""
    line = _bare(line)
    return line.split(delimiter) if delimiter == "\t" else line.split()


def blocks(lines: Iterable[str]) -> Iterator[Block]:
    """Yield the sentences: numbered lines between empty ones, comments included."""
    block: Block = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def read_conll(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    """Yield (line of the first token, sentence); a sentence with a bad line goes to `faults`.

    A sentence is a record of `tokens`, `tags`, `label`, and of what has to be written again:
    `comments`, `columns` (of each token) and `apart` (lines of CoNLL-U that are no tokens).
    """
    width = len(layout.names)
    for block in blocks(text):
        record, bad = _sentence(block, layout, width)
        if bad:
            faults.append(
                DataError(
                    f"expected {width} columns, a token and its tag among them.",
                    f"应有 {width} 列，其中包括词元及其标签。",
                    file=path,
                    row=bad,
                )
            )
        elif record["tokens"]:
            yield record["row"], record


def _sentence(block: Block, layout: Layout, width: int) -> tuple[dict[str, Any], int]:
    """The record of a sentence, and its first bad line or 0."""
    comments = [_bare(line) for _, line in block if line.startswith(_APART)]
    rows = [
        (number, cells(line, layout.delimiter))
        for number, line in block
        if not line.startswith(_APART)
    ]
    label = ""
    if rows and "label" in layout.columns and len(rows[-1][1]) == 1:
        label = rows.pop()[1][0]
    bad = next((number for number, row in rows if len(row) != width), 0)
    universal = width == _WIDTH_U and layout.tag_column == _TAG_U
    plain = [(n, row) for n, row in rows if not universal or row[0].isdigit()]
    record = {
        "tokens": [row[1 if universal else 0] for _, row in plain] if not bad else [],
        "tags": [row[layout.tag_column] for _, row in plain] if not bad else [],
        "label": label,
        "row": plain[0][0] if plain else 0,
        "comments": comments,
        "columns": [row for _, row in plain],
        "apart": [(place, row) for place, (_, row) in enumerate(rows) if (_, row) not in plain],
    }
    return record, bad


def write_conll(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write sentences as `read_conll` reads them, in UTF-8."""
    universal = len(layout.names) == _WIDTH_U and layout.tag_column == _TAG_U
    with path.open("w", encoding="utf-8", newline="") as stream:
        for record in records:
            rows = []
            for token, tag, row in zip(
                record["tokens"], record["tags"], record["columns"], strict=True
            ):
                changed = list(row)
                changed[1 if universal else 0] = token
                changed[layout.tag_column] = tag
                rows.append(changed)
            for place, row in record["apart"]:
                rows.insert(place, row)
            lines = [*record["comments"], *(layout.delimiter.join(row) for row in rows)]
            if record["label"]:
                lines.append(record["label"])
            stream.write("\n".join(lines) + "\n\n")
