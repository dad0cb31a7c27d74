"""The doctor on tagged tokens: numbers that differ, schemes that mix, tags that cannot follow."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from speaq.text.doctor.findings import DoctorSettings, Finding, found
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Tagged
from speaq.text.tagging import SCHEMES, Scheme, convert, faults, recognise

_HABIT = 0.2
"""A file with this share of sentences in another scheme mixes two, rather than has errors."""


def check_tags(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield sentences whose tags cannot be right."""
    tagged = [
        [each for each in data.examples if isinstance(each, Tagged)]
        for data in files
        if data.layout.kind == "tagged"
    ]
    whole = recognise(each.tags for examples in tagged for each in examples)
    for examples in tagged:
        own = recognise(each.tags for each in examples)
        for example in examples:
            if len(example.tokens) != len(example.tags):
                yield _uneven(example)
            elif whole and own:
                yield from _broken(example, examples, whole, own)


def _uneven(example: Tagged) -> Finding:
    words, tags = len(example.tokens), len(example.tags)
    return found(
        "misaligned-tags",
        example,
        f"{words} tokens but {tags} tags.",
        f"有 {words} 个词元，却有 {tags} 个标签。",
    )


def _broken(
    example: Tagged, examples: Sequence[Tagged], whole: Scheme, own: Scheme
) -> Iterator[Finding]:
    places = faults(example.tags, whole)
    if not places:
        return
    other = next((scheme for scheme in SCHEMES if not faults(example.tags, scheme)), None)
    mended = replace(example, tags=tuple(convert(example.tags, whole)))
    tag = example.tags[places[0]]
    before = example.tags[places[0] - 1] if places[0] else "-"
    if other in ("IO", "IOB1") and not (own != whole or _is_habit(examples, whole)):
        # A sentence that begins with I may be IOB1; alone among others, it is a mistake.
        other = None
    if other is not None:
        yield found(
            "mixed-schemes",
            example,
            f"tagged in {other}, the others in {whole} ('{tag}').",
            f"标注体系为 {other}，其他为 {whole}（“{tag}”）。",
            mended=mended,
        )
        return
    row = example.place.row + places[0]
    place = replace(example.place, row=row) if len(examples) and _by_line(examples) else None
    yield found(
        "invalid-transition",
        example,
        f"token {places[0] + 1} ('{example.tokens[places[0]]}') is '{tag}' after '{before}', "
        f"which {whole} does not have.",
        f"第 {places[0] + 1} 个词元“{example.tokens[places[0]]}”的标签“{tag}”在“{before}”之后，"
        f"{whole} 中没有这种情况。",
        mended=mended,
        place=place,
    )


def _is_habit(examples: Sequence[Tagged], scheme: Scheme) -> bool:
    broken = sum(bool(faults(each.tags, scheme)) for each in examples)
    return broken >= _HABIT * len(examples)


def _by_line(examples: Sequence[Tagged]) -> bool:
    """Whether every token has a line of its own, as in CoNLL files."""
    rows = [each.place.row for each in examples]
    sizes = [len(each.tokens) for each in examples]
    return all(a + size < b for a, size, b in zip(rows, sizes, rows[1:], strict=False))
