"""Repairing typographic and simple grammatical mistakes by rules, in English and Chinese.

Rules are few and sure: a text without mistakes comes out as it went in. What was changed is
logged. Mistakes that need an understanding of the sentence are for a repair model
(`repair_model.py`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from speaq.apps.write.articles import right_article
from speaq.apps.write.particles import kind_of, right_particles
from speaq.text.segmentation import is_chinese, segmenter
from speaq.text.units import HAN


class Change(NamedTuple):
    """One repair."""

    kind: str
    """Such as `repeat`, `article`, `particle`, `mark`, `space`."""
    before: str
    after: str


@dataclass(frozen=True)
class Mended:
    """A text after repair, and what was changed, in order."""

    text: str
    changes: tuple[Change, ...]


_WIDE = str.maketrans(",;:?!.", "，；：？！。")
_NARROW = str.maketrans("，；：？！。", ",;:?!.")
_TWICE = (
    "had that very so no yes bye ha hey hee knock there many much long far more again now really "
    "come go on up well oh ho hi ah aye nay out in is do you"
)
"""Words that are written twice on purpose, or that two meanings put side by side."""
_DOUBLED = re.compile(r"\b([A-Za-z]+(?:'[a-z]+)?)(\s)\1\b(?![-'’])")
_ONCE = "的了是在和我你他她它这那就都也与及而或被把从对为以着其但并由该所于至自亦仅则较此牠约又"
"""Chinese words of one character that are not doubled on purpose."""
_ASKING = (
    "要 去 来 好好 可以 应该 想 请 我们 大家 让 多 得 该 需要 帮 你 我 他 她 咱们 能 先 再 一起"
)
"""Behind these a verb is doubled on purpose: 讨论讨论."""
_VIVID = "雪白 通红 笔直 冰凉 漆黑 碧绿 火红 金黄 滚烫 乌黑 煞白 高兴 快乐"
"""Adjectives that are doubled on purpose."""
_MAY_DOUBLE = ("z", "q", "m", "d", "o", "i")
"""Kinds of Chinese words, as jieba names them, that are doubled on purpose; verbs and adjectives
(v, a) may be where nothing follows or somebody is asked."""
_HAN = re.compile(rf"[{HAN}]")
_FINAL_EN = re.compile(r"[A-Za-z]\Z")
_FINAL_ZH = re.compile(rf"[{HAN}]\Z")


def mended(text: str, language: str = "") -> Mended:
    """A text without the mistakes that rules are sure of.

    Args:
        text: a sentence or more.
        language: `en` or `zh`; empty: what it is in.
    """
    changes: list[Change] = []
    chinese = language == "zh" or (not language and is_chinese(text))
    for rule in _CHINESE if chinese else _ENGLISH:
        text = rule(text, changes)
    return Mended(text, tuple(changes))


Rule = Callable[[str, list[Change]], str]


def _swap(kind: str, pattern: str, put: str | Callable[[re.Match[str]], str]) -> Rule:
    """The rule that puts something in the place of a pattern."""
    compiled = re.compile(pattern)

    def rule(text: str, changes: list[Change]) -> str:
        def replaced(found: re.Match[str]) -> str:
            new = found.expand(put) if isinstance(put, str) else put(found)
            if new != found.group():
                changes.append(Change(kind, found.group(), new))
            return new

        return compiled.sub(replaced, text)

    return rule


def _narrow(found: re.Match[str]) -> str:
    return found.group().translate(_NARROW)


def _wide(found: re.Match[str]) -> str:
    return found.group().translate(_WIDE)


def _once(text: str, changes: list[Change]) -> str:
    """Words written twice in a row; those meant so, and names, stay."""

    def replaced(found: re.Match[str]) -> str:
        word = found.group(1)
        if word.lower() in _TWICE.split() or not word.islower() or "\n" in found.group(2):
            return found.group()
        changes.append(Change("repeat", found.group(), word))
        return word

    return _DOUBLED.sub(replaced, text)


def _once_in_chinese(text: str, changes: list[Change]) -> str:
    """Chinese words written twice in a row; those that may be meant so stay (讨论讨论)."""
    made, done = "", 0
    places = segmenter().places(text)
    for number in range(1, len(places)):
        (start, stop), (again, end) = places[number - 1 : number + 1]
        word = text[again:end]
        if stop != again or text[start:stop] != word or not _HAN.match(word):
            continue
        earlier = text[slice(*places[number - 2])] if number > 1 else ""
        if _not_twice(word, earlier, text[end : end + 1]):
            changes.append(Change("repeat", word + word, word))
            made, done = made + text[done:again], end
    return made + text[done:]


def _not_twice(word: str, earlier: str, after: str) -> bool:
    """Whether a Chinese word is not doubled on purpose between these two."""
    if len(word) == 1:
        return word in _ONCE
    kind = kind_of(word)
    if kind.startswith(("v", "a")):
        meant = word in _VIVID.split() or earlier in _ASKING.split()
        return not meant and bool(_HAN.match(after)) and after != "吧"
    return not kind.startswith(_MAY_DOUBLE)


def _articles(text: str, changes: list[Change]) -> str:
    return right_article(text, lambda a, b: changes.append(Change("article", a, b)))


def _particles(text: str, changes: list[Change]) -> str:
    return right_particles(text, lambda a, b: changes.append(Change("particle", a, b)))


def _end_in_english(text: str, changes: list[Change]) -> str:
    """A full stop at the end of a sentence that lacks it."""
    line = text.rsplit("\n", 1)[-1]
    if len(line.split()) >= 6 and line[:1].isupper() and _FINAL_EN.search(line):
        changes.append(Change("mark", line[-1], f"{line[-1]}."))
        return f"{text}."
    return text


def _end_in_chinese(text: str, changes: list[Change]) -> str:
    line = text.rsplit("\n", 1)[-1]
    if len(line) >= 10 and _FINAL_ZH.search(line):
        changes.append(Change("mark", line[-1], f"{line[-1]}。"))
        return f"{text}。"
    return text


_ENGLISH: tuple[Rule, ...] = (
    _swap("mark", r"\A[,;]+\s*", ""),
    _swap("mark", r"(?<=[A-Za-z0-9)\"'’”])[，；：？！。]", _narrow),
    _swap("space", r"(?<=[A-Za-z0-9)]) +(?=[,;:!?](?:\s|\Z)|\.(?:\s|\Z))", ""),
    _swap("space", r"(?<=[a-z]{2})[,;](?=[A-Za-z]{2})", r"\g<0> "),
    _swap("space", r"(?<=[a-z]{3})[.!?](?=[A-Z][a-z]+ )", r"\g<0> "),
    _swap("space", r"(?<=\S) {2,}(?=\S)", " "),
    _swap("mark", r",(?:\s?,)+", ","),
    _swap("mark", r"(?<![.!?])\.\.(?![.])", "."),
    _swap("case", r"(?<= )i(?= [a-z]|['’](?:m|ve|ll|d)\b)", "I"),
    _once,
    _articles,
    _end_in_english,
)
_CHINESE: tuple[Rule, ...] = (
    _swap("mark", r"\A[，、；,;]+\s*", ""),
    _swap("mark", rf"(?<=[{HAN}”’」》）])[,;:?!](?=[{HAN}“‘「《（\s]|\Z)", _wide),
    _swap("mark", rf"(?<=[{HAN}”’」》）])\.(?=[{HAN}“‘「《（]|\Z)", _wide),
    _swap("mark", r"，{2,}", "，"),
    _swap("mark", r"(?<!。)。。(?!。)", "。"),
    _swap("repeat", r"(?<![\w.])([A-Za-z0-9.]{2,}) \1(?![\w.])", r"\1"),
    _swap("repeat", r"(?<=\d)([年月日岁时分米])\1(?!\1)", r"\1"),
    _swap("repeat", r"([于被牠她则])\1(?!\1)", r"\1"),
    _once_in_chinese,
    _particles,
    _end_in_chinese,
)
