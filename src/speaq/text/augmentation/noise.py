"""Reverse augmentation: misspelt texts out of clean ones, as pairs to learn repairing from.

The mistakes are those that people make: keys beside each other, letters lost, doubled or turned
around, words that sound alike; in Chinese, characters that sound or look alike, 的 地 得 taken for
each other, characters lost; in both, words written twice and punctuation lost or of the other
language.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.text.augmentation import tables
from speaq.text.segmentation import segmenter
from speaq.text.units import HAN

Mistake = Literal[
    "key", "lose", "double", "turn", "confuse", "article", "sound", "shape", "particle", "repeat",
    "punctuation",
]  # fmt: skip
MISTAKES: tuple[Mistake, ...] = get_args(Mistake)

_LETTER = re.compile(r"(?<=[A-Za-z])[a-z]")
_PAIR = re.compile(rf"(?<=[A-Za-z])(?=([a-z])(?!\1)([a-z]))|(?=([{HAN}])(?!\3)([{HAN}]))")
_SIGN = re.compile(rf"(?<=[A-Za-z])[a-z]|[{HAN}]")
_HAN = re.compile(rf"[{HAN}]")
_ARTICLE = re.compile(r"\b([Aa])(n?)(?= [A-Za-z])")
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
_MARK = re.compile(r"[,.;:?!，。；：？！、](?!\d)")
_OTHER_MARK = str.maketrans(",.;:?!，。；：？！", "，。；：？！,.;:?!")


@dataclass(frozen=True)
class NoiseSettings:
    """Which mistakes are made and how many.

    Raises:
        SettingsError: an unknown mistake or a value out of its range.
    """

    mistakes: tuple[Mistake, ...] = MISTAKES
    """Kinds to draw from: key, lose, double, turn (letters); confuse, article (English words);
    sound, shape, particle (Chinese characters); repeat, punctuation."""
    rate: float = 0.05
    """Mistakes for each word (a Chinese character counts as half of one), at least one a text."""
    clean: float = 0.1
    """Share of the texts that stay as they are, so that a model learns to leave good text alone."""

    def __post_init__(self) -> None:
        known = all(mistake in MISTAKES for mistake in self.mistakes)
        kinds = f"one or more of {', '.join(MISTAKES)}"
        require(
            "noise",
            self,
            {
                "mistakes": (bool(self.mistakes) and known, kinds),
                "rate": (0 < self.rate <= 1, "> 0 and ≤ 1"),
                "clean": (0 <= self.clean < 1, "≥ 0 and < 1"),
            },
        )


class Noisy(NamedTuple):
    """A text with mistakes, and what it should be."""

    noisy: str
    clean: str
    mistakes: tuple[Mistake, ...]
    """Their kinds in the order in which they were made."""


def noisy_pairs(
    texts: Iterable[str], settings: NoiseSettings | None = None, seed: int = 0
) -> Iterator[Noisy]:
    """A pair for each text, in order; what a text gets depends on its place, not on the others."""
    settings = settings or NoiseSettings()
    for place, text in enumerate(texts):
        stream = generator(seed, "noise", place)
        if stream.random() < settings.clean:
            yield Noisy(text, text, ())
        else:
            yield with_mistakes(text, settings, stream)


def with_mistakes(text: str, settings: NoiseSettings, stream: np.random.Generator) -> Noisy:
    """A text with mistakes drawn at random; with none where no kind fits it."""
    words = len(_WORD.findall(text)) + len(_HAN.findall(text)) / 2
    count = max(1, int(stream.poisson(settings.rate * words)))
    noisy, made = text, []
    for _ in range(count):
        for number in stream.permutation(len(settings.mistakes)):
            kind = settings.mistakes[int(number)]
            changed = _MISTAKES[kind](noisy, stream)
            # A second mistake must not mend the first.
            if changed is not None and changed not in (noisy, text):
                noisy = changed
                made.append(kind)
                break
    return Noisy(noisy, text, tuple(made))


Maker = Callable[[str, np.random.Generator], str | None]
"""The text with one mistake; None where it does not fit."""


def _spliced(text: str, start: int, end: int, put: str) -> str:
    return text[:start] + put + text[end:]


def _drawn(options: "str | list[str]", stream: np.random.Generator) -> str:
    return options[int(stream.integers(len(options)))]


def _one(found: list[re.Match[str]], stream: np.random.Generator) -> re.Match[str] | None:
    return found[int(stream.integers(len(found)))] if found else None


def _exchange(pattern: re.Pattern[str], others: Callable[[], dict[str, str]]) -> Maker:
    """A mistake that puts another character of a table in the place of one."""

    def make(text: str, stream: np.random.Generator) -> str | None:
        table = others()
        fitting = [each for each in pattern.finditer(text) if each.group().lower() in table]
        sign = _one(fitting, stream)
        if sign is None:
            return None
        return _spliced(text, *sign.span(), _drawn(table[sign.group().lower()], stream))

    return make


def _lose(text: str, stream: np.random.Generator) -> str | None:
    sign = _one(list(_SIGN.finditer(text)), stream)
    return None if sign is None else _spliced(text, *sign.span(), "")


def _double(text: str, stream: np.random.Generator) -> str | None:
    letter = _one(list(_LETTER.finditer(text)), stream)
    return None if letter is None else _spliced(text, *letter.span(), 2 * letter.group())


def _turn(text: str, stream: np.random.Generator) -> str | None:
    pair = _one(list(_PAIR.finditer(text)), stream)
    if pair is None:
        return None
    place = pair.start()
    return _spliced(text, place, place + 2, text[place + 1] + text[place])


def _confuse(text: str, stream: np.random.Generator) -> str | None:
    table = tables.confused()
    word = _one([each for each in _WORD.finditer(text) if each.group().lower() in table], stream)
    if word is None:
        return None
    other = _drawn(table[word.group().lower()], stream)
    large = word.group()[0].isupper()
    return _spliced(text, *word.span(), other[0].upper() + other[1:] if large else other)


def _article(text: str, stream: np.random.Generator) -> str | None:
    article = _one(list(_ARTICLE.finditer(text)), stream)
    if article is None:
        return None
    return _spliced(text, *article.span(), article.group(1) + ("" if article.group(2) else "n"))


def _sound(text: str, stream: np.random.Generator) -> str | None:
    # Most slips keep the sound; some are those of speakers who do not tell two sounds apart.
    table = tables.homophones if stream.random() < 0.8 else tables.near_homophones
    return _exchange(_HAN, table)(text, stream)


def _particle(text: str, stream: np.random.Generator) -> str | None:
    return _exchange(
        re.compile(f"[{tables.PARTICLES}]"),
        lambda: {sign: tables.PARTICLES.replace(sign, "") for sign in tables.PARTICLES},
    )(text, stream)


def _repeat(text: str, stream: np.random.Generator) -> str | None:
    places = segmenter().places(text)
    if not places:
        return None
    start, end = places[int(stream.integers(len(places)))]
    word = text[start:end]
    return _spliced(text, start, end, word + word if _HAN.match(word) else f"{word} {word}")


def _punctuation(text: str, stream: np.random.Generator) -> str | None:
    mark = _one(list(_MARK.finditer(text)), stream)
    if mark is None:
        return None
    other = mark.group().translate(_OTHER_MARK)
    return _spliced(text, *mark.span(), "" if stream.random() < 0.5 else other)


_MISTAKES: dict[Mistake, Maker] = {
    "key": _exchange(_LETTER, tables.keyboard),
    "lose": _lose,
    "double": _double,
    "turn": _turn,
    "confuse": _confuse,
    "article": _article,
    "sound": _sound,
    "shape": _exchange(_HAN, tables.lookalikes),
    "particle": _particle,
    "repeat": _repeat,
    "punctuation": _punctuation,
}
