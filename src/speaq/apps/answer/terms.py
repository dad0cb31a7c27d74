"""What passages are found by: stems of words, and Chinese characters single and in pairs.

English stop words are left out of passages and of questions alike. Chinese has no list: its
function words are parts of others as well (的 in 目的), and their low weight does the same. A
question of nothing but stop words keeps them.
"""

import re
from functools import cache
from typing import Any

from speaq.text.stop_words import stop_words
from speaq.text.units import HAN

_RUN = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*")
_HAN = re.compile(f"[{HAN}]")
_ASKING = re.compile(
    "为什么|什么|怎么样|怎样|怎么|多少|多长|多久|多大|哪里|哪儿|哪个|哪些|哪|谁|几|吗|呢|如何|是否|请问"
    "|[的是了在有和与及]"
)


class Terms:
    """Cuts texts into terms; remembers the stems it has made. Not for several threads at once."""

    def __init__(self) -> None:
        # Imported where it is wanted: listing applications should not.
        from Stemmer import Stemmer

        self._stemmer: Any = Stemmer("english")
        self._known: dict[str, str] = {}

    def of(self, text: str) -> list[str]:
        """The terms of a text in order, with repetitions."""
        found = self._cut(text, stop_words("en"))
        return found or self._cut(text, frozenset())

    def asked(self, question: str) -> frozenset[str]:
        """The terms of a question that an answer can be expected to hold: without the words that
        only ask, where something else is left."""
        return frozenset(self.of(_ASKING.sub(" ", question)) or self.of(question))

    def _cut(self, text: str, left_out: frozenset[str]) -> list[str]:
        found: list[str] = []
        for run in _RUN.findall(text.lower()):
            if _HAN.match(run):
                found += run
                found += [run[n : n + 2] for n in range(len(run) - 1)]
            elif run not in left_out:
                found.append(self._known.get(run) or self._stem(run))
        return found

    def _stem(self, word: str) -> str:
        stem: str = self._stemmer.stemWord(word)
        self._known[word] = stem
        return stem


@cache
def terms() -> Terms:
    """The process's own cutter; a question is cut in the thread that answers it."""
    return Terms()
