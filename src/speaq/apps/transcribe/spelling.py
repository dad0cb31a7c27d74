"""What scores are given to: letters, or whole words where only a few are ever said.

Inside of the chain a text is a string of symbols, one character each. Where the units are letters
a symbol is the letter itself; a word is a symbol of Unicode's private area. So the n-grams and the
beam need not know which it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speaq.core.errors import DataError

Units = Literal["auto", "letters", "words"]
_PRIVATE = 0xE000
_MOST_WORDS = 1000
FEW = 100
"""So many different words at most are taken for units by `auto`, each said `OFTEN` or more."""
OFTEN = 5


@dataclass(frozen=True)
class Spelling:
    """The units, in the order of their scores from 1 on."""

    letters: str = ""
    words: tuple[str, ...] = ()
    """Instead of letters."""

    @property
    def symbols(self) -> str:
        """A character for each unit."""
        if self.words:
            return "".join(chr(_PRIVATE + number) for number in range(len(self.words)))
        return self.letters

    @property
    def between(self) -> str:
        """What stands between two texts: the space's symbol, nothing between word symbols."""
        return "" if self.words else " "

    def spell(self, text: str) -> str:
        """A text as symbols; units that are unknown are left out, as nobody can hear them."""
        if not self.words:
            return "".join(letter for letter in text if letter in self.letters)
        known = dict(zip(self.words, self.symbols, strict=True))
        return "".join(known[word] for word in text.split() if word in known)

    def read(self, symbols: str) -> str:
        """Symbols as a text."""
        if not self.words:
            return symbols
        return " ".join(self.words[ord(symbol) - _PRIVATE] for symbol in symbols)


def spelling_of(texts: Sequence[str], units: Units) -> Spelling:
    """The units of some texts.

    Raises:
        DataError: too many words to be units.
    """
    said = [word for text in texts for word in text.split()]
    words = tuple(sorted(set(said)))
    few = units == "auto" and len(words) <= FEW and min(Counter(said).values()) >= OFTEN
    if units == "words" and len(words) > _MOST_WORDS:
        raise DataError(
            f"{len(words)} different words are too many to be units (at most {_MOST_WORDS}); use "
            "letters.",
            f"{len(words)} 个不同的词过多，不能作为单位（至多 {_MOST_WORDS}）；请改用字母。",
        )
    if units == "words" or few:
        return Spelling(words=words)
    return Spelling("".join(sorted(set("".join(texts)) | {" "})))
