"""Stems of words, so that "running" and "runs" are one feature to a classical model.

English by Snowball's second Porter stemmer, through PyStemmer. Chinese words have no endings and
are their own stems.
"""

from collections.abc import Sequence


def stems(words: Sequence[str]) -> list[str]:
    """The stem of each word, in lower case."""
    # An import that is wanted only here; a stemmer is not safe to share between threads.
    from Stemmer import Stemmer

    found: list[str] = Stemmer("english").stemWords([word.lower() for word in words])
    return found
