"""Finding a term in a text whatever its ending, in English, German and French; as it is in Chinese.

Words are compared by their stems (Snowball, through PyStemmer). A term in capitals, such as US,
is found in capitals only; a German noun not in small letters, where the text has capitals at all:
`Junge`, a boy, is not in `eine junge Frau`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speaq.text.units import HAN

_WORD = re.compile(rf"[^\W_{HAN}]+(?:[-'’][^\W_{HAN}]+)*")
_HAN = re.compile(f"[{HAN}]")
_ENDS = re.compile(r"[^\w\s'’-]")
"""A sign that no term reaches over."""
_STEMMERS = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian"}
_ENDINGS = {
    "en": ("s", "es", "'s"),
    "de": ("e", "en", "n", "er", "s", "es"),
    "fr": ("s", "x", "e", "es"),
}

_IRREGULAR = {
    "children": "child", "feet": "foot", "teeth": "tooth", "geese": "goose", "mice": "mouse",
    "oxen": "ox", "knives": "knife", "lives": "life", "wives": "wife", "wolves": "wolf",
    "leaves": "leaf", "shelves": "shelf", "halves": "half", "loaves": "loaf", "thieves": "thief",
}  # fmt: skip
"""English plurals that no stemmer knows, beside those in -men."""
_MEN = re.compile(r"men$")


@dataclass(frozen=True, slots=True)
class Stemmed:
    """The words of a text with their places and stems."""

    text: str
    places: tuple[tuple[int, int], ...]
    stems: tuple[str, ...]
    nouns_are_large: bool = False
    """The language writes nouns with a capital, and this text has capitals."""


def stemmed(text: str, language: str) -> Stemmed:
    """The words of `text`, each with its stem in the language; in others, in small letters."""
    places = tuple(each.span() for each in _WORD.finditer(text))
    words = [text[start:end].lower() for start, end in places]
    if language == "en":
        words = [_singular(word) for word in words]
    algorithm = _STEMMERS.get(language)
    if algorithm is not None and words:
        # An import that is wanted only here; a stemmer is not safe to share between threads.
        from Stemmer import Stemmer

        words = Stemmer(algorithm).stemWords(words)
    large = language == "de" and text != text.lower()
    return Stemmed(text, places, tuple(words), large)


def find(term: Stemmed, text: Stemmed) -> list[tuple[int, int]]:
    """Where the term stands in the text, in characters, from left to right."""
    if _HAN.search(term.text) or not term.stems:
        if not term.text:
            return []
        return [each.span() for each in re.finditer(re.escape(term.text), text.text)]
    count = len(term.stems)
    found = []
    for first in range(len(text.stems) - count + 1):
        if text.stems[first : first + count] != term.stems:
            continue
        place = (text.places[first][0], text.places[first + count - 1][1])
        said = text.text[place[0] : place[1]]
        small = said[0].islower() and term.text[:1].isupper() and text.nouns_are_large
        if not small and _ENDS.search(said) is None and _case_fits(term.text, said):
            found.append(place)
    return found


def holds(text: str, term: str, language: str) -> bool:
    """Whether a text has a term, whatever its ending."""
    return bool(find(stemmed(term, language), stemmed(text, language)))


def forms(term: str, language: str) -> list[str]:
    """The term, and its regular inflections of the last word, where they have the same stem."""
    made = [term]
    base = stemmed(term, language).stems
    endings: Sequence[str] = _ENDINGS.get(language, ())
    candidates = [term + ending for ending in endings]
    if language == "en":
        candidates[:0] = _plurals(term)
    made += [each for each in candidates if stemmed(each, language).stems == base]
    return made


def _singular(word: str) -> str:
    """Of an irregular plural; the word itself if it is none. An omen becomes an oman in every
    text alike, which harms nobody."""
    return _IRREGULAR.get(word) or _MEN.sub("man", word)


def _plurals(term: str) -> list[str]:
    """What an English word's plural is where its ending changes."""
    made = [
        term[: len(term) - len(one)] + many
        for many, one in _IRREGULAR.items()
        if term.lower().endswith(one)
    ]
    if term.endswith("man"):
        made.append(term[:-3] + "men")
    if term.endswith("y"):
        made.append(term[:-1] + "ies")
    return made


def _case_fits(term: str, found: str) -> bool:
    letters = [letter for letter in term if letter.isalpha()]
    shouted = len(letters) > 1 and all(letter.isupper() for letter in letters)
    return not shouted or term == found
