"""Stop words: those that say how a sentence is built rather than what it is about.

Lists of our own, one for English and one for Chinese. Words that turn a meaning around (not, 不)
are not on them: a classifier needs those more than most.
"""

from functools import cache
from importlib.resources import files

from speaq.core.language import Language


@cache
def stop_words(language: Language | None = None) -> frozenset[str]:
    """The stop words of English (`en`) or Chinese (`zh`), in lower case; None gives both."""
    if language is None:
        return stop_words("en") | stop_words("zh")
    text = files(__name__).joinpath(f"{language}.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
