"""Words and marks of a text with their places, and texts in pieces that models can read."""

import re

from speaq.text.segmentation import Place, segmenter
from speaq.text.sentences import places as sentence_places

_MARK = re.compile(r"[^\w\s]|_")


def words_and_marks(text: str) -> list[Place]:
    """The places of words, Chinese ones by a dictionary, and of every mark, in order."""
    found: list[Place] = []
    done = 0
    for start, end in [*segmenter().places(text), (len(text), len(text))]:
        found += [(done + m.start(), done + m.end()) for m in _MARK.finditer(text[done:start])]
        if end > start:
            found.append((start, end))
        done = end
    return found


def sentences_of(text: str) -> list[Place]:
    """The places of the sentences; a line of a list is one of its own."""
    found: list[Place] = []
    for start, end in sentence_places(text):
        for line in re.finditer(r"[^\n]+", text[start:end]):
            stripped = line.group().strip()
            if stripped:
                place = start + line.start() + line.group().index(stripped)
                found.append((place, place + len(stripped)))
    return found
