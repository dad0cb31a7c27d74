"""The English article by sound: a before a consonant, an before a vowel."""

import re
from collections.abc import Callable

_ARTICLE = re.compile(r"\b([Aa])(n?)( +)([\"“‘']?)([A-Za-z][A-Za-z'’]*|\d[\d,.]*)(?![\w-]*[.]\w)")
_VOWEL = re.compile(
    r"(?:hour|honest|honou?r|heir|hono)|(?!uni(?!n|m)|unanim|use|usu|uti|ub[ie]|eu|ew|once|one(?!i)|"
    r"uku|ur[aei]|ute|uv)[aeiou]",
    re.IGNORECASE,
)
_LETTERS = frozenset("AEFHILMNORSX")
"""Letters whose names begin with a vowel."""
_UNSAID = frozenset("BDFGJVXZ")
"""Behind another consonant these are never said in one syllable with it."""
_UNSURE = "herb herbs historic historian historical hotel hysterical habitual"


def right_article(text: str, changed: Callable[[str, str], None]) -> str:
    """A text with a and an as the next word sounds; `changed` hears what was and what is."""

    def replaced(found: re.Match[str]) -> str:
        letter, n, space, quote, word = found.groups()
        wanted = _wants_n(word)
        # A capital inside of a sentence is a name or a mark: vitamin A, section A.
        named = letter == "A" and found.start() > 0 and not _begins(text, found.start())
        if wanted is None or wanted == bool(n) or named or _is_no_article(text, found):
            return found.group()
        new = f"{letter}{'n' if wanted else ''}"
        changed(f"{letter}{n} {word}", f"{new} {word}")
        return f"{new}{space}{quote}{word}"

    return _ARTICLE.sub(replaced, text)


def _wants_n(word: str) -> bool | None:
    """Whether `an` stands before this word; None where usage differs."""
    if word[0].isdigit():
        digits = re.sub(r"\D", "", word)
        return digits.startswith("8") or digits in ("11", "18")
    if word.lower() in _UNSURE.split():
        return None
    if len(word) == 1:
        return word.upper() in _LETTERS
    if word.isupper():
        # NATO is said as a word, an FBI agent is spelt; where both may be, nothing is changed.
        spelt, said = word[0] in _LETTERS, bool(_VOWEL.match(word))
        if word[0] not in "AEIOU" and word[1] in _UNSAID:
            return spelt
        return spelt if spelt == said else None
    return bool(_VOWEL.match(word))


def _begins(text: str, place: int) -> bool:
    """Whether a sentence, a line or a quotation begins at a place."""
    before = text[:place].rstrip(" ")
    return not before or before[-1] in ".!?\n\"“‘'(:"


def _is_no_article(text: str, found: re.Match[str]) -> bool:
    """Whether the `a` before a word is something else: a letter (a, b and c), a foreign word."""
    word = found.group(5).lower()
    before = text[max(0, found.start() - 1) : found.start()]
    if before in ("'", "’", "-", ".", "&", "(", "/"):
        return True
    return word in ("is", "or", "and", "in", "as", "of", "are", "at", "if", "la", "e", "o", "i")
