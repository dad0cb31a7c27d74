"""Which language a text is in: by its script where that says it, else by py3langid.

py3langid (a naive Bayes classifier over byte n-grams of 97 languages, Lui and Baldwin 2012) is
asked only about texts of some length, and believed only where it is sure: few words in a row, a
name or an order number say nothing about a language.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from speaq.text.units import HAN

_CODES = (
    "ar bg bn ca cs cy da de el en es et eu fa fi fr ga gl he hi hr hu is it ja jv ka kk ko lt "
    "lv mk ml mn mr ms my nb nl no pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh "
    "zh-cn zh-tw zh-hans zh-hant en-us en-gb pt-br"
)
CODES = frozenset(_CODES.split())
"""Codes that name columns and files of parallel texts. Not `id`, which names a column of numbers
more often than one of Indonesian."""

_CHINESE = {"wuu", "yue", "lzh", "cdo", "hak", "nan"}
_HAN = re.compile(f"[{HAN}]")
_KANA = re.compile("[\u3040-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7af\u1100-\u11ff]")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’][A-Za-zÀ-ɏ]+)*")
_LETTER = re.compile(r"[^\W\d_]")
_NOT_WORDS = re.compile(r"https?://\S+|[A-Za-z0-9._%+-]+@\S+|[@#]\w+|<[^<>]*>|__[A-Za-z]+__")
_WORDS = 5
"""Fewer Latin words are not judged."""
_SEEN = 1000
"""Characters of a long text that are looked at."""
_TOGETHER = 100
"""Characters of short texts that are judged as one."""
_SURE = 0.7


@functools.lru_cache(maxsize=256)
def language(text: str, sure: float = _SURE) -> str:
    """The code of the language of `text`, empty where that cannot be said.

    Chinese is one language here, whatever its dialect and script.

    Args:
        text: any.
        sure: the least probability, tempered by length, that the classifier is believed with.
    """
    text = _NOT_WORDS.sub(" ", text[:_SEEN])
    letters = len(_LETTER.findall(text))
    han, kana, hangul = (len(each.findall(text)) for each in (_HAN, _KANA, _HANGUL))
    # A few kana are names, or faces drawn with them.
    if kana > 3 and kana + han > 0.5 * letters and kana >= 0.25 * (kana + han):
        return "ja"
    words = _LATIN.findall(text)
    # A Chinese character says about as much as half a word.
    if han >= 2 and han >= len(words):
        return "zh"
    if hangul >= 2 and hangul > 0.5 * letters:
        return "ko"
    latin = sum(map(len, words))
    if latin > 0.5 * letters and len(words) < _WORDS:
        return ""
    if letters < 10:
        return ""
    code, probability = _model().classify(text.lower() if text.isupper() else text)
    return ("zh" if code in _CHINESE else str(code)) if probability >= sure else ""


def of_many(texts: Sequence[str], sample: int = 200) -> str:
    """The language of most of the texts; empty where there is no such one.

    Short ones, which alone say nothing, are judged together.
    """
    step = max(1, len(texts) // sample)
    pieces = [""]
    for text in texts[::step]:
        if len(pieces[-1]) > _TOGETHER:
            pieces.append("")
        pieces[-1] += f"{text[: 2 * _TOGETHER]}\n"
    return majority(map(language, pieces))


def majority(found: Iterable[str]) -> str:
    """The code that at least 70 % of the answers give; no answer is not counted."""
    counts = Counter(code for code in found if code)
    if not counts:
        return ""
    code, times = counts.most_common(1)[0]
    return code if times >= 0.7 * sum(counts.values()) else ""


def plain_code(code: str) -> str:
    """A code without its region or script: `zh` for `zh-Hans`."""
    return re.split("[-_]", code.lower())[0]


@functools.lru_cache(maxsize=1)
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    made = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Of creoles, dialects and languages of a few books it sees too many in plain English.
    made.set_languages((CODES | _CHINESE) & set(made.labels))
    return made
