"""Taking out copies: within a file, and of what stands in other files."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from speaq.text.doctor.copies import answer, identity, leaking, part_order
from speaq.text.doctor.similar import near_pairs
from speaq.text.files.data_files import DataFile, Entry
from speaq.text.files.examples import Example, Place, Question, texts


@dataclass(frozen=True)
class Thinned:
    """A file without its copies."""

    kept: tuple[Entry, ...]
    dropped: tuple[tuple[Place, Place], ...]
    """What was left out, and what it is a copy of."""


def dedupe(data: DataFile, against: Sequence[DataFile] = (), near: float = 1.0) -> Thinned:
    """Leave out examples that are in the file before, or in another file.

    Of copies in one split the first is kept; of copies in two splits of a file, that of the later
    split (test before training), so that what is measured on stays what it was. Copies with
    another label are kept: which is right is not known.

    Args:
        data: the file that loses its copies.
        against: files that keep all.
        near: the least similarity of near-duplicates, which are left out too; 1: only duplicates.
    """
    entries = sorted(
        data.entries, key=lambda entry: -part_order(entry.example.place.part)
    )  # a stable sort: rows stay in order
    others = [example for each in against for example in each.examples]
    copies = _exact(entries, others)
    if near < 1:
        copies |= _near([entry for entry in entries if id(entry) not in copies], others, near)
    gone = [entry for entry in data.entries if id(entry) in copies]
    return Thinned(
        tuple(entry for entry in data.entries if id(entry) not in copies),
        tuple((entry.example.place, copies[id(entry)]) for entry in gone),
    )


def _exact(entries: Sequence[Entry], others: Sequence[Example]) -> dict[int, Place]:
    """The copies, by the identity of their entries, with what they are copies of."""
    elsewhere = {_leak(example): example.place for example in others}
    seen: dict[Hashable, Place] = {}
    leaks: dict[Hashable, tuple[str, Place]] = {}
    copies: dict[int, Place] = {}
    for entry in entries:
        example = entry.example
        part, leak = example.place.part, _leak(example)
        if not str(leak[1]).strip("\x1f"):
            continue
        origin, place = leaks.setdefault(leak, (part, example.place))
        own = (type(example), identity(example), answer(example))
        first = seen.setdefault(own, example.place) if identity(example) else example.place
        if leak in elsewhere:
            copies[id(entry)] = elsewhere[leak]
        elif origin != part:
            copies[id(entry)] = place
        elif first is not example.place:
            copies[id(entry)] = first
    return copies


def _leak(example: Example) -> tuple[type, str]:
    return type(example), leaking(example)


def _near(entries: Sequence[Entry], others: Sequence[Example], near: float) -> dict[int, Place]:
    examples = [*others, *(entry.example for entry in entries)]
    alike: dict[int, list[int]] = defaultdict(list)
    for one, two in alike_places(examples, near):
        alike[two].append(one)
    copies: dict[int, Place] = {}
    gone: set[int] = set()
    for place, entry in enumerate(entries, start=len(others)):
        # A copy of what was left out itself is kept: the two may be less alike.
        origin = next((one for one in alike[place] if one not in gone), None)
        if origin is not None:
            gone.add(place)
            copies[id(entry)] = examples[origin].place
    return copies


def alike_places(examples: Sequence[Example], near: float) -> list[tuple[int, int]]:
    """The places of near-duplicates in a list, the first one earlier; never questions, nor what
    may well repeat."""
    kinds: dict[type, list[int]] = defaultdict(list)
    for place, example in enumerate(examples):
        if not isinstance(example, Question) and identity(example).strip("\x1f"):
            kinds[type(example)].append(place)
    found = []
    for places in kinds.values():
        fields = [list(texts(examples[place]).values()) for place in places]
        found += [(places[one], places[two]) for one, two, _ in near_pairs(fields, near)]
    return sorted(found)
