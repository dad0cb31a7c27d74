"""Tagging schemes: IOB1, IOB2, IOBES, BILOU, BMES and IO; checking, reading and converting.

A tag is `O`, or a letter for the place in a stretch and the label behind `-` or `_`: `B-city`.
IOB2 is what CoNLL-2002 and later call IOB; IOBES is also written BIOES.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

Scheme = Literal["IOB2", "IOBES", "BILOU", "BMES", "IOB1", "IO"]


class _Letters(NamedTuple):
    begin: str
    inside: str
    end: str
    single: str


_LETTERS: dict[Scheme, _Letters] = {
    "IOB2": _Letters("B", "I", "I", "B"),
    "IOBES": _Letters("B", "I", "E", "S"),
    "BILOU": _Letters("B", "I", "L", "U"),
    "BMES": _Letters("B", "M", "E", "S"),
    "IOB1": _Letters("I", "I", "I", "I"),
    "IO": _Letters("I", "I", "I", "I"),
}
SCHEMES: tuple[Scheme, ...] = tuple(_LETTERS)
_OPENS = frozenset("BSU")
_CLOSES = frozenset("ESLU")


class Stretch(NamedTuple):
    """A labelled stretch of tokens: `tokens[start:end]`."""

    start: int
    end: int
    label: str


def parts(tag: str) -> tuple[str, str]:
    """The letter and the label of a tag; O has no label, and a tag of no scheme no letter."""
    if tag == "O":
        return "O", ""
    if len(tag) > 2 and tag[1] in "-_" and tag[0] in "BIESLUMW":
        return tag[0], tag[2:]
    return "", tag


def are_tags(tags: Iterable[str]) -> bool:
    """Whether these are tags of a scheme at all, rather than parts of speech."""
    found = [parts(tag)[0] for tag in tags]
    return bool(found) and "" not in found and set(found) != {"O"}


def faults(tags: Sequence[str], scheme: Scheme) -> list[int]:
    """The places of tags that cannot stand where they stand, in order."""
    return [
        place
        for place in range(len(tags))
        if not _may_stand(
            parts(tags[place - 1]) if place else ("O", ""),
            parts(tags[place]),
            parts(tags[place + 1]) if place + 1 < len(tags) else ("O", ""),
            scheme,
        )
    ]


def _may_stand(
    before: tuple[str, str], tag: tuple[str, str], after: tuple[str, str], scheme: Scheme
) -> bool:
    letter, label = tag
    if letter == "O":
        return True
    if scheme in ("IO", "IOB1"):
        # In IOB1, B only parts two neighbours of one label.
        apart = scheme == "IOB1" and before[0] in ("B", "I") and before[1] == label
        return letter == "I" or (letter == "B" and apart)
    letters = _LETTERS[scheme]
    if letter not in letters:
        return False
    goes_on = after[1] == label and after[0] in {letters.inside, letters.end} - {letters.begin}
    came = before[1] == label and before[0] in (letters.begin, letters.inside)
    if letter in (letters.inside, letters.end) and not came:
        return False
    if scheme == "IOB2":
        return True
    return goes_on if letter in (letters.begin, letters.inside) else True


def recognise(sentences: Iterable[Sequence[str]]) -> Scheme | None:
    """The scheme that most sentences keep; None where nothing is labelled."""
    votes: Counter[Scheme] = Counter()
    labelled, begun = 0, False
    for tags in sentences:
        if not are_tags(tags):
            continue
        labelled += 1
        begun = begun or any(tag[0] == "B" for tag in tags)
        votes.update(scheme for scheme in SCHEMES if not faults(tags, scheme))
    if not labelled:
        return None
    if not votes:
        return "IOB2"
    if not begun and votes["IO"] == max(votes.values()):
        return "IO"
    # Of equals the first: a file of IOB2 with no two neighbours of a label is no IOB1.
    return max(SCHEMES, key=lambda scheme: votes[scheme])


def stretches(tags: Sequence[str]) -> list[Stretch]:
    """The labelled stretches, whatever the scheme; where tags break it, as `conlleval` reads them.

    A stretch begins at a tag that opens one, and wherever the label changes or the last one ended.
    """
    found: list[Stretch] = []
    start, label = -1, ""
    closed = True
    for place, tag in enumerate([*tags, "O"]):
        letter, own = parts(tag)
        begins = letter in _OPENS or closed or own != label
        if start >= 0 and (letter == "O" or begins):
            found.append(Stretch(start, place, label))
            start = -1
        if letter != "O" and start < 0:
            start, label = place, own
        closed = letter == "O" or letter in _CLOSES
    return found


def encode(found: Iterable[Stretch], count: int, scheme: Scheme = "IOB2") -> list[str]:
    """The tags of `count` tokens with these stretches, which must not overlap.

    IO cannot part two neighbours of one label.
    """
    tags = ["O"] * count
    letters = _LETTERS[scheme]
    last = Stretch(-1, -1, "")
    for each in sorted(found):
        size = each.end - each.start
        inner = [letters.begin, *[letters.inside] * (size - 2), letters.end]
        marks = inner if size > 1 else [letters.single]
        if scheme == "IOB1" and last.end == each.start and last.label == each.label:
            marks[0] = "B"
        tags[each.start : each.end] = [f"{mark}-{each.label}" for mark in marks]
        last = each
    return tags


def convert(tags: Sequence[str], scheme: Scheme = "IOB2") -> list[str]:
    """The same stretches in another scheme; tags that broke theirs come out right."""
    return encode(stretches(tags), len(tags), scheme)
