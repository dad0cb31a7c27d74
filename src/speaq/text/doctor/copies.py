"""The doctor on copies: within and across splits, near ones, and copies that disagree."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from speaq.text.doctor.findings import DoctorSettings, Finding, found
from speaq.text.doctor.similar import key, near_pairs
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import (
    Example,
    Labelled,
    Pair,
    Parallel,
    Question,
    Spans,
    Tagged,
    Text,
    texts,
)
from speaq.text.units import units

_LINE = 8
"""Lines of a plain text with fewer words repeat without harm: headings, names of speakers."""


def identity(example: Example) -> str:
    """What makes two examples copies: their texts. Empty for what may well repeat."""
    if isinstance(example, Text) and len(units(example.text)) < _LINE:
        return ""
    return key(texts(example).values())


def leaking(example: Example) -> str:
    """What must not stand in two splits: the text; of a question, what it is asked about."""
    match example:
        case Question(context=context):
            return key([context])
        case Parallel(source=source):
            return key([source])
        case _:
            return identity(example)


def answer(example: Example) -> Hashable:
    """What is to be learnt of an example, None where copies cannot disagree."""
    match example:
        case Labelled(labels=labels):
            return frozenset(labels)
        case Tagged(tags=tags, label=label):
            return tags, label
        case Spans(spans=spans, label=label):
            return frozenset((span.start, span.end, span.label) for span in spans), label
        case Pair(label=label):
            return label
        case _:
            return None


def check_copies(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield duplicates within a split, across splits, with other labels, and near-duplicates."""
    examples = list(chain.from_iterable(data.examples for data in files))
    yield from _conflicts(examples)
    yield from _duplicates(examples)
    yield from _leaks(examples)
    if settings.near < 1:
        yield from _near(examples, settings.near)


def groups(examples: Sequence[Example], leaks: bool = False) -> list[list[Example]]:
    """Examples that are copies of each other, at least two at a time."""
    found: dict[tuple[type, str], list[Example]] = defaultdict(list)
    for example in examples:
        mark = leaking(example) if leaks else identity(example)
        if mark.strip("\x1f"):
            found[type(example), mark].append(example)
    return [group for group in found.values() if len(group) > 1]


def _duplicates(examples: Sequence[Example]) -> Iterator[Finding]:
    for group in groups(examples):
        first: dict[tuple[str, Hashable], Example] = {}
        for example in group:
            same = first.setdefault((example.place.part, answer(example)), example)
            if same is not example:
                yield found(
                    "duplicate",
                    example,
                    f"the same as {same.place}.",
                    f"与 {same.place} 相同。",
                    others=(same.place,),
                )


def _leaks(examples: Sequence[Example]) -> Iterator[Finding]:
    for group in groups(examples, leaks=True):
        origin = min(group, key=lambda example: part_order(example.place.part))
        told: set[str] = {origin.place.part}
        for example in group:
            part = example.place.part
            # The paragraph of several questions is told once for each split.
            if part == origin.place.part or (isinstance(example, Question) and part in told):
                continue
            told.add(part)
            what, there = what_leaks(example), origin.place
            yield found(
                "leak",
                example,
                f"{what} stands in '{part}' and in '{there.part}' ({there}).",
                f"{what} 同时在“{part}”与“{there.part}”（{there}）中。",
                others=(there,),
            )


def what_leaks(example: Example) -> str:
    """The field that is in two splits, for messages."""
    match example:
        case Question():
            return "context"
        case Parallel():
            return "source"
        case _:
            return "text"


_ORDER = {"train": 0, "dev": 1, "trial": 1, "test": 2}


def part_order(part: str) -> int:
    """Training first; files of other names count as given."""
    return _ORDER.get(part, 0)


def _conflicts(examples: Sequence[Example]) -> Iterator[Finding]:
    for group in groups(examples):
        answers = Counter(map(answer, group))
        if len(answers) < 2:
            continue
        (usual, times), (_, next_times) = answers.most_common(2)
        right = next(example for example in group if answer(example) == usual)
        for example in group:
            # Without a majority nobody knows which is right.
            undecided = times == next_times
            if undecided or answer(example) != usual:
                other = next(each for each in group if answer(each) != answer(example))
                yield found(
                    "conflict",
                    example,
                    f"labelled otherwise than the same text at {other.place}.",
                    f"标签与 {other.place} 的相同文本不一致。",
                    others=(other.place,),
                    mended=None if undecided else _relabelled(example, right),
                )


def _relabelled(example: Example, like: Example) -> Example | None:
    match example, like:
        case Labelled(), Labelled(labels=labels):
            return replace(example, labels=labels)
        case Pair(), Pair(label=label):
            return replace(example, label=label)
        case Tagged(tokens=tokens), Tagged(tags=tags, label=label) if len(tokens) == len(tags):
            return replace(example, tags=tags, label=label)
        case _:
            return None


def _near(examples: Sequence[Example], threshold: float) -> Iterator[Finding]:
    distinct: dict[type, dict[str, Example]] = defaultdict(dict)
    for example in examples:
        mark = identity(example)
        # Two questions about a paragraph are always alike.
        if not isinstance(example, Question) and mark.strip("\x1f"):
            distinct[type(example)].setdefault(mark, example)
    for members in distinct.values():
        yield from _near_members(list(members.values()), threshold)


def _near_members(members: Sequence[Example], threshold: float) -> Iterator[Finding]:
    best: dict[int, tuple[bool, float, int]] = {}
    for one, two, alike in near_pairs([list(texts(e).values()) for e in members], threshold):
        here, there = _placed(members, one, two)
        across = members[one].place.part != members[two].place.part
        best[here] = max(best.get(here, (False, 0.0, 0)), (across, alike, there))
    for here in sorted(best):
        across, alike, there = best[here]
        other = members[there].place
        where_en, where_zh = (f" in '{other.part}'", f"“{other.part}”的 ") if across else ("", " ")
        yield found(
            "near-leak" if across else "near-duplicate",
            members[here],
            f"{100 * alike:.0f} % the same as {other}{where_en}.",
            f"与{where_zh}{other} 有 {100 * alike:.0f}% 相同。",
            others=(other,),
        )


def _placed(members: Sequence[Example], one: int, two: int) -> tuple[int, int]:
    """The place to tell of and the other: that of the later split, or the later row."""
    if part_order(members[one].place.part) > part_order(members[two].place.part):
        return one, two
    return two, one
