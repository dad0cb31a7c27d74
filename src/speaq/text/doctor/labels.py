"""The doctor on classes: missing, misspelt, too rare, unknown in training, written in the text."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from speaq.text import tagging
from speaq.text.doctor.findings import DoctorSettings, Finding, found, shortened
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import (
    Example,
    Labelled,
    Pair,
    Spans,
    Tagged,
    labels,
    texts,
)

_SPACES = re.compile(r"[\s_-]+")
_IDENTIFIER = re.compile(r"_|[a-z][A-Z]")
_WORD = r"(?:labels?|class|category|intent|sentiment|tag|标签|类别|分类|意图|情感)"
_EDGE_SHARE, _EDGE_ROWS = 0.8, 5
"""A word at one edge of this share of the texts of its class was put there by somebody."""


def check_labels(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield what is wrong with the classes of examples and of the stretches in them."""
    examples = list(chain.from_iterable(data.examples for data in files))
    for of in (labels, entity_labels):
        classed = [example for example in examples if of(example)]
        if classed and _are_classes(classed, of):
            yield from _misspelt(classed, of)
            yield from _rare(classed, of)
            yield from _unseen(classed, of)
    if classed := [example for example in examples if labels(example)]:
        yield from _missing(examples, len(classed))
        if _are_classes(classed, labels):
            yield from _one_class(classed)
            yield from _leaked(classed)


Of = Callable[[Example], tuple[str, ...]]


def entity_labels(example: Example) -> tuple[str, ...]:
    """The labels of the stretches in an example, once for each stretch."""
    match example:
        case Spans(spans=spans):
            return tuple(span.label for span in spans)
        case Tagged(tags=tags) if tagging.are_tags(tags):
            return tuple(each.label for each in tagging.stretches(tags))
        case _:
            return ()


def _are_classes(examples: Sequence[Example], of: Of) -> bool:
    """Whether the labels are classes, not scores or free text: they repeat."""
    counts = Counter(chain.from_iterable(map(of, examples)))
    numbers = sum("." in name and name.replace(".", "").isdigit() for name in counts)
    return len(counts) <= max(2, 0.5 * counts.total()) and numbers <= 0.5 * max(4, len(counts))


def _missing(examples: Sequence[Example], labelled: int) -> Iterator[Finding]:
    kinds = (Labelled, Pair)
    members = [example for example in examples if isinstance(example, kinds)]
    if labelled > 0.5 * len(members):
        for example in members:
            if not labels(example) and any(text.strip() for text in texts(example).values()):
                yield found("missing-label", example, "there is no label.", "没有标签。")


def folded(label: str) -> str:
    """A label without case, width, and kinds of space: labels that differ only so are one."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", label).casefold()).strip()


def _misspelt(examples: Sequence[Example], of: Of) -> Iterator[Finding]:
    counts = Counter(chain.from_iterable(map(of, examples)))
    forms: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        forms[folded(label)].append(label)
    usual = {label: same[0] for same in forms.values() for label in same[1:]}
    if not usual:
        return
    for example in examples:
        odd = [label for label in of(example) if label in usual]
        if odd:
            yield found(
                "label-spelling",
                example,
                f"'{odd[0]}' is spelt '{usual[odd[0]]}' elsewhere "
                f"({counts[odd[0]]} against {counts[usual[odd[0]]]} times).",
                f"“{odd[0]}”在别处写作“{usual[odd[0]]}”"
                f"（{counts[odd[0]]} 次对 {counts[usual[odd[0]]]} 次）。",
                mended=renamed(example, usual),
            )


def renamed(example: Example, names: dict[str, str]) -> Example:
    """The example with other names for some labels, of the whole and of stretches."""
    match example:
        case Labelled(labels=old):
            return replace(example, labels=tuple(names.get(label, label) for label in old))
        case Pair(label=label):
            return replace(example, label=names.get(label, label))
        case Spans(spans=spans, label=label):
            moved = tuple(replace(s, label=names.get(s.label, s.label)) for s in spans)
            return replace(example, spans=moved, label=names.get(label, label))
        case Tagged(tags=tags, label=label):
            pieces = [(tag, *tagging.parts(tag)) for tag in tags]
            made = (
                f"{tag[:2]}{names[own]}" if letter and own in names else tag
                for tag, letter, own in pieces
            )
            return replace(example, tags=tuple(made), label=names.get(label, label))
        case _:
            return example


def _rare(examples: Sequence[Example], of: Of) -> Iterator[Finding]:
    trained = _training(examples)
    counts = Counter(map(folded, chain.from_iterable(map(of, trained))))
    for example in trained:
        once = [label for label in of(example) if counts[folded(label)] == 1]
        if once:
            yield found(
                "rare-class",
                example,
                f"'{once[0]}' has this one example; add some, or leave the class out.",
                f"类别“{once[0]}”只有这一例；请补充样本或去掉该类别。",
            )


def _training(examples: Sequence[Example]) -> list[Example]:
    """Those of the training split, all where there is none."""
    found = [example for example in examples if example.place.part == "train"]
    return found or list(examples)


def _unseen(examples: Sequence[Example], of: Of) -> Iterator[Finding]:
    known = set(map(folded, chain.from_iterable(map(of, _training(examples)))))
    told: set[tuple[str, str]] = set()
    for example in examples:
        for label in of(example):
            mark = (label, example.place.part)
            if folded(label) not in known and mark not in told:
                told.add(mark)
                yield found(
                    "unseen-class",
                    example,
                    f"'{label}' is in '{example.place.part}' but not in 'train'.",
                    f"“{label}”出现在“{example.place.part}”中，训练集中没有。",
                )


def _one_class(examples: Sequence[Example]) -> Iterator[Finding]:
    known = set(chain.from_iterable(map(labels, examples)))
    if len(known) == 1 and len(examples) > 1:
        (only,) = known
        yield found(
            "one-class",
            examples[0],
            f"every example is '{only}'; nothing can be told apart.",
            f"所有样本都是“{only}”，无从区分。",
        )


def _leaked(examples: Sequence[Example]) -> Iterator[Finding]:
    """Labels that somebody wrote into the texts: in a marker, as an identifier, at every edge."""
    edges = _labels_at_edges(examples)
    for example in examples:
        if not isinstance(example, Labelled | Pair):
            continue
        for label in labels(example):
            made = without_label(example, label, label in edges)
            if made != example:
                yield found(
                    "leaked-label",
                    example,
                    f"the label '{label}' stands in the text: "
                    f"'{shortened(next(iter(texts(example).values())))}'.",
                    f"标签“{label}”写在了文本中："
                    f"“{shortened(next(iter(texts(example).values())))}”。",
                    mended=made,
                )
                break


def _labels_at_edges(examples: Sequence[Example]) -> set[str]:
    """Classes whose name begins, or ends, almost every text of theirs."""
    rows: Counter[str] = Counter()
    at: Counter[tuple[str, str]] = Counter()
    for example in examples:
        text = folded(next(iter(texts(example).values())))
        for label in labels(example):
            rows[label] += 1
            name = re.escape(folded(label))
            at[label, "start"] += bool(re.match(rf"{name}(?!\w)", text))
            at[label, "end"] += bool(re.search(rf"(?<!\w){name}[.。!！]?$", text))
    return {
        label
        for (label, _), times in at.items()
        if rows[label] >= _EDGE_ROWS and times >= _EDGE_SHARE * rows[label]
    }


def without_label(example: Example, label: str, at_edge: bool) -> Example:
    """The example without its label in the text; the same one where it does not stand there."""
    pattern = _pattern(label, at_edge)
    match example:
        case Labelled(text=text):
            return replace(example, text=_cut(text, pattern))
        case Pair(first=first, second=second):
            return replace(example, first=_cut(first, pattern), second=_cut(second, pattern))
        case _:
            return example


def _cut(text: str, pattern: re.Pattern[str]) -> str:
    made = pattern.sub(" ", text)
    # A text of nothing but its label was no leak: a list of names has such.
    return text if made == text or not made.strip() else made.strip()


def _pattern(label: str, at_edge: bool) -> re.Pattern[str]:
    name = re.escape(label)
    ways = [
        rf"__label__{name}(?!\w)",
        rf"{_WORD}\s*[:=：]\s*[\"'“]?{name}[\"'”]?(?!\w)[,;，；.。]?",
    ]
    if not _is_number(label):
        bracketed = rf"[\[【<{{]\s*{name}\s*[\]】>}}]"
        ways += [bracketed, rf"^\s*{name}\s*(?:[:：|\t]|->)", rf"(?:[|\t]|->)\s*{name}\s*$"]
        if _IDENTIFIER.search(label):
            ways.append(rf"(?<!\w){name}(?!\w)")
        if at_edge:
            ways += [rf"^\s*{name}(?!\w)[\s,，:：]*", rf"[\s,，:：]*(?<!\w){name}\s*[.。!！]?\s*$"]
    return re.compile("|".join(ways), re.IGNORECASE)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).lstrip("-").isdigit()
