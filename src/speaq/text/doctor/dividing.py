"""Dividing data into splits: classes in the same shares, copies and groups never torn apart.

Examples that are copies, near-duplicates or of one group form a block. Blocks are given out one by
one, those of the rarest classes first, each to the split that lacks most of its rarest class
(iterative stratification, Sechidis, Tsoumakas and Vlahavas 2011, here over blocks).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from speaq.core.errors import DataError, SettingsError
from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.text.doctor.copies import leaking
from speaq.text.doctor.labels import entity_labels
from speaq.text.doctor.similar import Clusters
from speaq.text.doctor.thinning import alike_places
from speaq.text.files.data_files import DataFile, Entry
from speaq.text.files.examples import labels
from speaq.text.files.layouts import get, put


@dataclass(frozen=True)
class SplitSettings:
    """How data are divided.

    Raises:
        SettingsError: a value out of range.
    """

    train: float = 0.8
    """Share of the training split."""
    dev: float = 0.1
    """Share of the development split; 0: none."""
    test: float = 0.1
    """Share of the test split; 0: none. The three may add up to anything: their ratio counts."""
    group: str = ""
    """A column: rows of one value in it, such as a person or a template, stay together."""
    near: float = 0.8
    """Least similarity of near-duplicates, which stay together; 1: only duplicates do."""
    stratify: bool = True
    """Whether every split has each class in the same share."""
    seed: int = 0
    """Of the order in which equals are given out."""

    def __post_init__(self) -> None:
        require(
            "split",
            self,
            {
                "train": (self.train > 0, "> 0"),
                "dev": (self.dev >= 0, "≥ 0"),
                "test": (self.test >= 0, "≥ 0"),
                "near": (0.3 <= self.near <= 1, "0.3–1"),
            },
        )

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split that is wanted; they add up to 1."""
        wanted = {"train": self.train, "dev": self.dev, "test": self.test}
        whole = sum(wanted.values())
        return {name: share / whole for name, share in wanted.items() if share > 0}


def divide(
    files: Sequence[DataFile], settings: SplitSettings | None = None
) -> dict[str, list[Mapping[str, Any]]]:
    """The records of each split, in the order of the files.

    Args:
        files: of one layout; more than one are divided as if they were one.
        settings: shares, groups, seed.

    Raises:
        DataError: files that do not go together, or no column of the group's name.
        SettingsError: fewer than two splits are wanted.
    """
    settings = settings or SplitSettings()
    shares = settings.shares
    if len(shares) < 2:
        raise SettingsError(
            "split: give at least two of train, dev and test a share above 0.",
            "split：train、dev、test 中至少两个的比例须大于 0。",
        )
    _require_alike(files)
    entries = [entry for data in files for entry in data.entries]
    blocks = _blocks(entries, settings, files[0].name)
    classes = [_classes(entry, settings.stratify) for entry in entries]
    owner = _give_out(blocks, classes, shares, settings.seed)
    column = files[0].layout.columns.get("part", "")
    made: dict[str, list[Mapping[str, Any]]] = {part: [] for part in shares}
    for entry, part in zip(entries, owner, strict=True):
        # The split that the file itself names would contradict the new one.
        record = put(entry.record, column, part) if column else entry.record
        made[part].append(record)
    return made


def _require_alike(files: Sequence[DataFile]) -> None:
    first = files[0]
    for data in files[1:]:
        same = ("format", "kind", "names", "columns", "spans")
        if any(vars(data.layout)[name] != vars(first.layout)[name] for name in same):
            raise DataError(
                f"this file is laid out otherwise than {first.name}; divide them one by one.",
                f"该文件的布局与 {first.name} 不同；请分别划分。",
                file=data.name,
            )


def _blocks(entries: Sequence[Entry], settings: SplitSettings, name: str) -> list[list[int]]:
    clusters = Clusters(len(entries))
    examples = [entry.example for entry in entries]
    first: dict[str, int] = {}
    for place, example in enumerate(examples):
        mark = leaking(example)
        if mark.strip("\x1f"):
            clusters.join(first.setdefault(f"text {mark}", place), place)
    if settings.group:
        if not any(get(entry.record, settings.group) is not None for entry in entries):
            raise DataError(
                "there is no such column to group by.",
                "没有可用于分组的该列。",
                file=name,
                field=settings.group,
            )
        for place, entry in enumerate(entries):
            value = get(entry.record, settings.group)
            clusters.join(first.setdefault(f"group {value}", place), place)
    if settings.near < 1:
        for one, two in alike_places(examples, settings.near):
            clusters.join(one, two)
    return clusters.groups()


def _classes(entry: Entry, stratify: bool) -> tuple[str, ...]:
    """What the shares of an example are counted by; one class for all where there are none."""
    if not stratify:
        return ("",)
    whole = [f"label {label}" for label in labels(entry.example)]
    inner = [f"entity {label}" for label in set(entity_labels(entry.example))]
    return tuple([*whole, *sorted(inner)]) or ("",)


def _give_out(
    blocks: Sequence[Sequence[int]],
    classes: Sequence[tuple[str, ...]],
    shares: Mapping[str, float],
    seed: int,
) -> list[str]:
    """The split of each example."""
    counts = Counter(chain.from_iterable(classes))
    lacking = {
        part: {name: share * times for name, times in counts.items()}
        for part, share in shares.items()
    }
    room = {part: share * len(classes) for part, share in shares.items()}
    noise = generator(seed, "split").random((len(blocks), 1 + len(shares)))
    rarest = [
        min((each for place in block for each in classes[place]), key=lambda c: (counts[c], c))
        for block in blocks
    ]
    order = sorted(
        range(len(blocks)), key=lambda b: (counts[rarest[b]], -len(blocks[b]), noise[b, 0])
    )
    owner = [""] * len(classes)
    for b in order:
        tie = dict(zip(shares, noise[b, 1:], strict=True))
        part = max(shares, key=lambda p: (lacking[p][rarest[b]], room[p], tie[p]))
        for place in blocks[b]:
            owner[place] = part
            room[part] -= 1
            for name in classes[place]:
                lacking[part][name] -= 1
    return owner
