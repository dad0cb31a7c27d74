"""Words and their places, in Chinese, in languages that write words apart, and in both mixed.

Runs of Chinese characters are cut by `rjieba`, a live port of jieba (a dictionary's likeliest cut,
and a hidden Markov model for words it does not know); everything else is cut where its writers
put spaces and punctuation. Punctuation is no word.
"""

import re
from collections.abc import Iterable
from functools import cache

from speaq.core.errors import DataError
from speaq.text.units import HAN

Place = tuple[int, int]
"""Where something begins and where it ends (exclusive), in characters of the text."""

_RUN = re.compile(
    rf"(?P<han>[{HAN}]+)"
    rf"|\d+(?:[.,:]\d+)+"
    rf"|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*"
)
_HAN = re.compile(rf"[{HAN}]")


class Segmenter:
    """Cuts text into words.

    Args:
        own: Chinese words that must not be cut, such as names of products; they are known to this
            segmenter only.

    Raises:
        DataError: an own word is empty or holds a space.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        from rjieba import Jieba

        self._cutter = Jieba()
        for word in own:
            if not word or len(word.split()) != 1:
                raise DataError(
                    f"'{word}' cannot be a word: it is empty or holds a space.",
                    f"“{word}”不能作为词：为空或含空格。",
                )
            self._cutter.add_word(word, None, None)

    def places(self, text: str) -> list[Place]:
        """The places of the words in `text`, in order."""
        found: list[Place] = []
        for run in _RUN.finditer(text):
            if run.lastgroup != "han":
                found.append(run.span())
                continue
            start = run.start()
            for word in self._cutter.cut(run.group(), True):
                found.append((start, start + len(word)))
                start += len(word)
        return found

    def words(self, text: str) -> list[str]:
        """The words of `text` as they are written, in order."""
        return [text[start:end] for start, end in self.places(text)]


@cache
def segmenter() -> Segmenter:
    """The segmenter without words of one's own; its dictionary is read once."""
    return Segmenter()


def words(text: str) -> list[str]:
    """The words of `text` as they are written, in order."""
    return segmenter().words(text)


def is_chinese(text: str) -> bool:
    """Whether at least half of the words are Chinese, a character counting half a word.

    Chinese words are about two characters long; so a sentence with a few English names in it is
    still Chinese, and an English one that quotes a Chinese word is not.
    """
    han = len(_HAN.findall(text))
    others = sum(run.lastgroup != "han" for run in _RUN.finditer(text))
    return han > 0 and han / 2 >= others
