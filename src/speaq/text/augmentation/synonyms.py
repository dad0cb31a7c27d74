"""What may stand for a word: a user's own list, or the nearest words of word vectors."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from speaq.core.errors import DataError
from speaq.text.augmentation.lines import is_han
from speaq.text.corpus import lines
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.stemming import stems
from speaq.text.stop_words import stop_words

Synonyms = Callable[[str], Sequence[str]]
"""Words that may stand for a word, best first; none if nothing may."""

_SEPARATOR = re.compile(r"\s*[\t,;，；、=|]\s*")


class SynonymList:
    """Groups of words that may stand for each other.

    Args:
        groups: each of two words or more; a word may be in several.
    """

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._others: dict[str, dict[str, None]] = {}
        for group in groups:
            for word in group:
                others = (other for other in group if other.lower() != word.lower())
                self._others.setdefault(word.lower(), {}).update(dict.fromkeys(others))

    def __call__(self, word: str) -> Sequence[str]:
        """The words that share a group with it."""
        return list(self._others.get(word.lower(), ()))


def read_synonyms(file: Path | str) -> SynonymList:
    """A list of synonyms: a group a line, its words parted by tabs, commas, 、, ; or =.

    Raises:
        DataError: no such file, or a line that does not hold two words; names the row.
    """
    groups = []
    for row, line in enumerate(lines(Path(file)), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        words = [word for word in _SEPARATOR.split(line.strip()) if word]
        if len(words) < 2:
            raise DataError(
                "expected two words or more, parted by tabs or commas.",
                "应有以制表符或逗号分隔的两个或更多的词。",
                file=file,
                row=row,
            )
        groups.append(words)
    if not groups:
        raise DataError("the file holds no synonyms.", "文件中没有近义词。", file=file)
    return SynonymList(groups)


class NearWords:
    """The nearest words by word vectors, without other forms of the word itself and stop words.

    Nearest words are used alike, which includes opposites (good, bad); a higher `least` and
    vectors from an encoder keep more of those out.

    Args:
        vectors: of the language of the texts.
        count: at most so many for a word.
        least: the smallest cosine.
    """

    def __init__(self, vectors: WordVectors, count: int = 5, least: float = 0.6) -> None:
        self.vectors = vectors
        self.count = count
        self.least = least
        self._known: dict[str, list[str]] = {}

    def __call__(self, word: str) -> Sequence[str]:
        """The nearest words, looked up once."""
        word = word.lower()
        if word not in self._known:
            self._known[word] = self._look_up(word)
        return self._known[word]

    def _look_up(self, word: str) -> list[str]:
        if word not in self.vectors:
            return []
        near = self.vectors.near(word, 3 * self.count)
        kept = [other for other, score in near if score >= self.least and _may_stand(other, word)]
        return kept[: self.count]


def first_of(*sources: Synonyms) -> Synonyms:
    """The words of the first source that has any."""

    def look_up(word: str) -> Sequence[str]:
        return next((found for source in sources if (found := source(word))), ())

    return look_up


def _may_stand(other: str, word: str) -> bool:
    if other in stop_words() or any(sign.isdigit() for sign in other):
        return False
    if is_han(other[0]) != is_han(word[0]):
        return False
    first, second = stems([other, word])
    return first != second
