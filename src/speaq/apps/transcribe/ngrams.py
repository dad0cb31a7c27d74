"""Which letter follows which: an n-gram model over letters, smoothed after Witten and Bell (1991).

    P(c|h) = (N(h c) + D(h) · P(c|h')) / (N(h) + D(h))

with N(·) counts, D(h) how many different letters followed h, and h' = h without its first letter;
below the empty history every letter is alike. Over six letters it knows words, their neighbours'
beginnings, and in Chinese whole phrases.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from speaq.core.errors import ModelError, SettingsError

NAME = "ngrams.json"
BEGIN, END = "\x02", "\x03"
Counts = Mapping[str, Mapping[str, int]]


class NGrams:
    """How likely a letter is after others.

    Args:
        order: letters looked at, the foretold one included.
        counts: by history (up to order - 1 letters), how often each letter followed.
        letters: how many kinds of letter there are.
    """

    def __init__(self, order: int, counts: Counts, letters: int) -> None:
        self.order = order
        self._counts = counts
        self._letters = letters
        self._known = lru_cache(1 << 18)(self._probability)

    def log_probability(self, letter: str, history: str) -> float:
        """ln P(letter | history); `END` asks whether a text ends here."""
        kept = (BEGIN + history)[-(self.order - 1) :] if self.order > 1 else ""
        return math.log(self._known(letter, kept))

    def _probability(self, letter: str, history: str) -> float:
        shorter = self._known(letter, history[1:]) if history else 1.0 / (self._letters + 1)
        followed = self._counts.get(history)
        if not followed:
            return shorter
        kinds = len(followed)
        return (followed.get(letter, 0) + kinds * shorter) / (sum(followed.values()) + kinds)

    def write(self, folder: Path) -> None:
        """Put the counts into a folder."""
        record = {"order": self.order, "letters": self._letters, "counts": self._counts}
        (folder / NAME).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")


def counted(texts: Iterable[str], order: int) -> NGrams:
    """The n-grams of texts.

    Raises:
        SettingsError: an order below 1.
    """
    if order < 1:
        raise SettingsError(
            f"order = {order} of the n-grams must be at least 1.", f"n 元阶数 {order} 至少为 1。"
        )
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    letters = set()
    for text in texts:
        letters |= set(text)
        whole = BEGIN + text + END
        for place in range(1, len(whole)):
            for length in range(min(order - 1, place) + 1):
                counts[whole[place - length : place]][whole[place]] += 1
    return NGrams(order, counts, len(letters))


def open_ngrams(folder: Path) -> NGrams | None:
    """The n-grams in a folder; None if it has none.

    Raises:
        ModelError: the file is damaged.
    """
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return NGrams(record["order"], record["counts"], record["letters"])
    except (ValueError, KeyError) as error:
        raise ModelError(f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。") from error
