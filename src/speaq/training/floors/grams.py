"""Texts as weighted counts of n-grams: words and their letters, or Chinese characters."""

import re
from collections.abc import Sequence
from typing import Any

from speaq.text.units import HAN
from speaq.training.floors.extra import classic

_HAN = re.compile(f"[{HAN}]")


def mostly_chinese(texts: Sequence[str]) -> bool:
    """Whether more than half of the letters are Chinese characters."""
    han = sum(len(_HAN.findall(text)) for text in texts)
    return han > sum(character.isalpha() for text in texts for character in text) / 2


def vectorisers(chinese: bool, *, counts: bool = False) -> list[Any]:
    """What counts n-grams: of 1 to 4 characters in Chinese; else of 1 and 2 words, and of 2 to 5
    letters inside of words.

    Args:
        chinese: see `mostly_chinese`.
        counts: plain counts, for naive Bayes; else tf-idf with 1 + ln tf.
    """
    text = classic("sklearn.feature_extraction.text")

    def made(analyzer: str, shortest: int, longest: int) -> Any:
        shared = {"analyzer": analyzer, "ngram_range": (shortest, longest), "lowercase": True}
        if analyzer == "word":
            shared["token_pattern"] = r"(?u)\b\w+\b"
        if counts:
            return text.CountVectorizer(**shared)
        return text.TfidfVectorizer(**shared, sublinear_tf=True)

    if chinese:
        return [made("char", 1, 4)]
    return [made("word", 1, 2), made("char_wb", 2, 5)]


def fitted(tools: Sequence[Any], texts: Sequence[str]) -> Any:
    """Fit vectorisers on texts: the sparse matrix (N, F) of all of them side by side."""
    return _beside([tool.fit_transform(texts) for tool in tools])


def counted(tools: Sequence[Any], texts: Sequence[str]) -> Any:
    """The matrix (N, F) of texts by fitted vectorisers."""
    return _beside([tool.transform(texts) for tool in tools])


def _beside(parts: Sequence[Any]) -> Any:
    return classic("scipy.sparse").hstack(parts, format="csr")
