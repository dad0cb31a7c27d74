"""Random edits of texts: replacement, insertion, swap, deletion (EDA, Wei & Zou 2019), in Chinese
and English, with and without labelled spans.

Differences from EDA: words come from a list or from vectors instead of WordNet, so that Chinese
and any domain are served; where nothing is known of a word, insertion puts in a punctuation mark
(AEDA, Karimi, Rossi & Prati 2021); words that turn a meaning around (not, 不) are neither deleted
nor replaced; what a span covers is never cut, only moved as a whole, and replaced or deleted only
if asked for. One edit of one kind makes one text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.text.augmentation.lines import Cut, Line, Unit
from speaq.text.augmentation.synonyms import Synonyms
from speaq.text.files.examples import Span
from speaq.text.marked import Marked
from speaq.text.segmentation import is_chinese, segmenter
from speaq.text.stop_words import stop_words

Edit = Literal["replace", "insert", "swap", "delete", "mention"]
EDITS: tuple[Edit, ...] = get_args(Edit)
_NEGATIONS = (
    "not no never none nobody nothing neither nor cannot without hardly barely n't "
    "不 没 没有 别 未 无 非 勿 莫 不是 不要 不会 不能 不用 毫无 并非 从不 绝不"
)
_MARKS = {"en": ".;?:!,", "zh": "。；？：！，"}
_TRIES = 4
"""Tries for each copy asked for, until one differs from those before."""


@dataclass(frozen=True)
class AugmentationSettings:
    """How texts are edited.

    Raises:
        SettingsError: an unknown edit or a value out of its range.
    """

    edits: tuple[Edit, ...] = ("replace", "insert", "swap", "delete")
    """Kinds to draw from; mention: put another mention of the same label in the place of one."""
    share: float = 0.1
    """Share of a text's words that one edit changes, at least one word."""
    copies: int = 4
    """New texts from each; fewer where a text is too short to differ."""
    drop_spans: bool = False
    """Deletion may take out a span together with its words."""

    def __post_init__(self) -> None:
        known = all(edit in EDITS for edit in self.edits)
        require(
            "augmentation",
            self,
            {
                "edits": (bool(self.edits) and known, f"one or more of {', '.join(EDITS)}"),
                "share": (0 < self.share <= 1, "> 0 and ≤ 1"),
                "copies": (1 <= self.copies <= 1000, "1–1000"),
            },
        )


Mentions = Mapping[str, Sequence[str]]
"""By label, how such things are called."""


@dataclass(frozen=True)
class Augmenter:
    """Edits texts at random."""

    settings: AugmentationSettings = AugmentationSettings()
    synonyms: Synonyms | None = None
    """What may stand for a word; without, replacement does nothing and insertion puts in marks."""
    mentions: Mentions | None = None
    """For the edit `mention`; see `mentions_of`."""
    cut: Cut | None = None
    """Where the words are; None: as `segmentation` finds them."""
    joint: str = " "
    """What parts two words that would run together."""

    def copies(self, marked: Marked, seed: int, place: int = 0) -> list[Marked]:
        """Up to `copies` new texts that differ from this one and from each other.

        Args:
            marked: a text and its spans.
            seed: of the draws.
            place: of this text among the others, so that each has draws of its own.
        """
        stream = generator(seed, "augmentation", place)
        found: dict[str, Marked] = {marked.text: marked}
        for _ in range(_TRIES * self.settings.copies):
            if len(found) > self.settings.copies:
                break
            made = self.edited(marked, stream)
            if made.text.strip():
                found.setdefault(made.text, made)
        return list(found.values())[1:]

    def edited(self, marked: Marked, stream: np.random.Generator) -> Marked:
        """The text after one edit of a kind drawn at random among those that change it; the same
        text if none does."""
        line = Line.of(marked, self.cut or segmenter().places, self.joint)
        count = max(1, round(self.settings.share * sum(unit.free for unit in line.units)))
        for number in stream.permutation(len(self.settings.edits)):
            kind = self.settings.edits[int(number)]
            made = _EDITS[kind](self, line, count, stream).marked()
            if made.text != marked.text:
                return made
        return marked


def mentions_of(texts: Sequence[Marked]) -> Mentions:
    """How things of each label are called in these texts, each name once."""
    found: dict[str, dict[str, None]] = {}
    for marked in texts:
        for words, label in marked.covered():
            found.setdefault(label, {})[words] = None
    return {label: list(names) for label, names in found.items()}


def _replace(augmenter: Augmenter, line: Line, count: int, stream: np.random.Generator) -> Line:
    """Put another word in the place of some; stop words stay."""
    for place in _some(_content(line), count, stream, _has(augmenter, line)):
        unit = line.units[place]
        options = _options(augmenter, unit.text)
        word = _cased(options[int(stream.integers(len(options)))], unit.text)
        line = line.changed(place, replace(unit, text=word))
    return line


def _insert(augmenter: Augmenter, line: Line, count: int, stream: np.random.Generator) -> Line:
    """Put in words that may stand for some of the text's own, anywhere; else marks."""
    if not line.units:
        return line
    sources = _some(_content(line), count, stream, _has(augmenter, line))
    for word in [line.units[place].text for place in sources]:
        options = _options(augmenter, word)
        new = Unit(options[int(stream.integers(len(options)))])
        line = line.put(int(stream.integers(len(line.units) + 1)), new)
    if sources:
        return line
    marks = _MARKS["zh" if is_chinese(" ".join(unit.text for unit in line.units)) else "en"]
    bare = [place for place in range(len(line.units) - 1) if not line.gaps[place + 1].strip()]
    for place in _some(bare, count, stream):
        line = line.marked_off(place, marks[stream.integers(len(marks))])
    return line


def _swap(augmenter: Augmenter, line: Line, count: int, stream: np.random.Generator) -> Line:
    """Let two words change places, so many times; what a span covers moves as one."""
    if len(line.units) < 2:
        return line
    for _ in range(count):
        first, second = (int(place) for place in stream.choice(len(line.units), 2, replace=False))
        one, other = line.units[first], line.units[second]
        line = line.changed(first, other).changed(second, one)
    return line


def _delete(augmenter: Augmenter, line: Line, count: int, stream: np.random.Generator) -> Line:
    """Leave out words; the last one stays."""
    open_ = [
        place
        for place, unit in enumerate(line.units)
        if (unit.free or augmenter.settings.drop_spans) and not _negates(unit.text.lower())
    ]
    count = min(count, len(line.units) - 1)
    for place in sorted(_some(open_, count, stream), reverse=True):
        line = line.without(place)
    return line


def _mention(augmenter: Augmenter, line: Line, count: int, stream: np.random.Generator) -> Line:
    """Put other names in the place of some that one span covers (Dai & Adel 2020, mention
    replacement); the span covers the new name."""
    mentions = augmenter.mentions or {}
    names: dict[int, list[str]] = {}
    for place, unit in enumerate(line.units):
        if len(unit.spans) == 1:
            others = mentions.get(unit.spans[0].label, ())
            names[place] = [name for name in others if name != unit.text]
    for place in _some([place for place, others in names.items() if others], count, stream):
        name = names[place][int(stream.integers(len(names[place])))]
        span = line.units[place].spans[0]
        unit = Unit(name, (Span(0, len(name), span.label),), line.units[place].origin)
        line = line.changed(place, unit)
    return line


_EDITS: dict[Edit, Callable[[Augmenter, Line, int, np.random.Generator], Line]] = {
    "replace": _replace,
    "insert": _insert,
    "swap": _swap,
    "delete": _delete,
    "mention": _mention,
}


def _negates(word: str) -> bool:
    """Whether a word turns a meaning around; 不快 is one word to a segmenter."""
    ends = word.endswith(("n't", "n’t")) or word.startswith(("不", "没"))
    return ends or word in _NEGATIONS.split()


def _content(line: Line) -> list[int]:
    """The places of free words that say what the text is about."""
    left_out = stop_words() | frozenset(_NEGATIONS.split())
    return [
        place
        for place, unit in enumerate(line.units)
        if unit.free and unit.text.lower() not in left_out and not unit.text[0].isdigit()
    ]


def _has(augmenter: Augmenter, line: Line) -> Callable[[int], bool]:
    """Whether anything may stand for the word at a place."""
    return lambda place: bool(_options(augmenter, line.units[place].text))


def _options(augmenter: Augmenter, word: str) -> Sequence[str]:
    return augmenter.synonyms(word) if augmenter.synonyms is not None else ()


def _some(
    places: Sequence[int],
    count: int,
    stream: np.random.Generator,
    fits: Callable[[int], bool] | None = None,
) -> list[int]:
    """Up to `count` of the places that fit, drawn without repetition."""
    found: list[int] = []
    for place in stream.permutation(places):
        if len(found) == count:
            break
        if fits is None or fits(int(place)):
            found.append(int(place))
    return found


def _cased(word: str, like: str) -> str:
    """The word written large where the one it stands for was."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
