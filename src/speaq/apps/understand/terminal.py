"""Findings in a terminal: entities under the text, trees beside the words, Chinese aligned.

A Chinese character is two cells wide, so columns are counted in cells, not in characters.
"""

from collections.abc import Sequence

from rich.cells import cell_len

from speaq.apps.understand.results import Entity, Tie, Understanding, Word

_WIDTH = 100
_CROSSED = {" ": "─", "│": "┼", "╭": "┬", "╰": "┴", "├": "┼"}
"""What a line from the right makes of what stands there."""


def drawn(found: Understanding, width: int = _WIDTH) -> str:
    """Everything that was found, at most `width` cells wide."""
    blocks = []
    if found.labels:
        rows = [
            (
                task,
                ", ".join(f"{e.label} {e.score:.2f}" for e in labels.given)
                + (" ?" if labels.abstained else ""),
            )
            for task, labels in found.labels.items()
        ]
        blocks.append(table(rows))
    if found.entities:
        blocks.append(entity_lines(found.text, found.entities, width))
    if found.ties:
        blocks.append(tie_lines(found.entities, found.ties))
    if found.words:
        blocks.append(tree_lines(found.words))
    return "\n\n".join(blocks)


def entity_lines(text: str, entities: Sequence[Entity], width: int = _WIDTH) -> str:
    """The text in lines of at most `width` cells, with a bar and a label under each entity."""
    lines = []
    for start, end in _wrapped(text, width):
        lines.append(_flat(text[start:end]))
        bars, names = "", ""
        for each in entities:
            first, last = max(each.start, start), min(each.end, end)
            if first >= last:
                continue
            at = cell_len(_flat(text[start:first]))
            size = cell_len(_flat(text[first:last]))
            bars = padded(bars, at) + ("╰" + "─" * (size - 2) + "╯" if size > 1 else "╵")
            if each.start >= start:
                # A label longer than its entity pushes the next one on.
                names = padded(names, max(at, cell_len(names) + bool(names))) + each.label
        lines += [row for row in (bars, names) if row]
    return "\n".join(lines)


def _flat(text: str) -> str:
    return text.replace("\t", " ").replace("\r", " ")


def _wrapped(text: str, width: int) -> list[tuple[int, int]]:
    """Where lines begin and end: at line ends of the text, and where the width is used up."""
    found, start, used, space = [], 0, 0, -1
    for n, character in enumerate(text):
        if character == "\n":
            found.append((start, n))
            start, used, space = n + 1, 0, -1
            continue
        size = cell_len(_flat(character))
        while used + size > width and n > start:
            cut = space + 1 if space >= start else n
            found.append((start, cut))
            start, space = cut, -1
            used = cell_len(_flat(text[start:n]))
        used += size
        if character == " ":
            space = n
    found.append((start, len(text)))
    return [(a, b) for a, b in found if b > a]


def padded(text: str, width: int) -> str:
    """The text with blanks up to so many cells."""
    return text + " " * (width - cell_len(text))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines, columns aligned by cells."""
    widths = [max(cell_len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def tie_lines(entities: Sequence[Entity], ties: Sequence[Tie]) -> str:
    """A line for each relation."""
    return table(
        [
            (
                entities[tie.head].text,
                f"─ {tie.label} →",
                entities[tie.tail].text,
                f"{tie.score:.2f}",
            )
            for tie in ties
        ]
    )


def tree_lines(words: Sequence[Word]) -> str:
    """A line for each word: arcs on the left from heads (├, ┌, └) to words (►), then the word, its
    part of speech, and what it is to its head."""
    lanes = arc_lanes(words)
    width = max(lanes.values(), default=0)
    grid = [[" "] * (width + 1) for _ in words]
    for n, lane in sorted(lanes.items(), key=lambda each: each[1]):
        head = words[n].head
        top, bottom = min(n, head), max(n, head)
        column = width - lane
        for row in range(top, bottom + 1):
            corner = "╭" if row == top else "╰" if row == bottom else "│"
            before = grid[row][column]
            grid[row][column] = "├" if before in "╭╰├" and before != " " else corner
        for row in (n, head):
            for place in range(column + 1, width + 1):
                grid[row][place] = _CROSSED.get(grid[row][place], grid[row][place])
        grid[n][width] = "►"
    rows = []
    for n, word in enumerate(words):
        rows.append(("".join(grid[n]), word.text, word.pos, word.relation))
    return table(rows)


def arc_lanes(words: Sequence[Word]) -> dict[int, int]:
    """How far from the words the arc of each word is drawn, from 1: further than every arc that
    it spans, and apart from those that it crosses."""
    arcs = sorted(
        ((abs(n - word.head), min(n, word.head), max(n, word.head), n)
         for n, word in enumerate(words) if word.head >= 0)
    )  # fmt: skip
    lanes: dict[int, int] = {}
    taken: list[tuple[int, int, int]] = []
    for _, low, high, n in arcs:
        used = {lane for a, b, lane in taken if a < high and low < b}
        lane = 1
        while lane in used or any(other >= lane for other in used):
            lane += 1
        lanes[n] = lane
        taken.append((low, high, lane))
    return lanes
