"""What a translation must not lose or invent: numbers, dates, names, addresses. It only warns.

Facts of both sides are read in their own languages (`numerals.py`, `dates.py`, `names.py`) and
compared by value: 1.250,5 is 1,250.5, and 二〇二四年五月三日 is 3 May 2024. What is doubtful, such
as `ein` or the month of May, answers a fact of the other side and is not asked for itself.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, TypeVar

from pypinyin import lazy_pinyin

from speaq.apps.translate.checks.dates import Moment, moments
from speaq.apps.translate.checks.names import Name, foreign, names, table
from speaq.apps.translate.checks.numerals import Number, numbers
from speaq.apps.translate.texts.protection import Span, protected
from speaq.text.units import HAN

FactKind = Literal["number", "date", "name", "url"]
Fact = TypeVar("Fact", Number, Moment, Name, Span)

_HAN = re.compile(f"[{HAN}]")
_LATIN = re.compile(rf"[^\W\d_{HAN}]+(?:[-'’][^\W\d_{HAN}]+)*")
_ALIKE = 0.7
"""Names written this much alike in two languages are the same, such as Italy and Italien."""
_CONSONANTS = re.compile(r"er$|^ao|^ou|th|sh|zh|ch|ph|qu|[bcdfghjklmnpqrstvwxz]|^[aeiouyäöü]")
_SOUNDS = (
    ("b", "p"),
    ("d", "t"),
    ("g", "k", "c", "q", "qu", "j", "x", "zh", "ch", "h"),
    ("l", "r", "er"),
    ("f", "ph", "v", "w"),
    ("s", "sh", "th", "z"),
    ("a", "e", "i", "y", "ä"),
    ("o", "u", "ao", "ou", "ö", "ü"),
)
_WORDS = {
    "number": ("number", "数字"),
    "date": ("date or time", "日期或时间"),
    "name": ("name", "名称"),
    "url": ("address, code or placeholder", "网址、代码或占位符"),
}


@dataclass(frozen=True, slots=True)
class Warned:
    """A fact that only one side has."""

    kind: FactKind
    what: Literal["lost", "invented"]
    text: str
    start: int
    """In characters: of the source where it is lost, of the translation where it is invented."""
    end: int

    def record(self, offset: int = 0) -> dict[str, Any]:
        """As JSON, with a sentence in both languages; places counted from `offset` before."""
        en, zh = _WORDS[self.kind]
        said = {
            "lost": (
                f"the {en} '{self.text}' of the source is not in the translation.",
                f"原文中的{zh}“{self.text}”未出现在译文中。",
            ),
            "invented": (
                f"the {en} '{self.text}' of the translation is not in the source.",
                f"译文中的{zh}“{self.text}”在原文中没有。",
            ),
        }[self.what]
        return {
            "kind": self.kind,
            "what": self.what,
            "text": self.text,
            "start": self.start + offset,
            "end": self.end + offset,
            "en": said[0],
            "zh": said[1],
        }


@dataclass(frozen=True)
class _Facts:
    """What one side says."""

    text: str
    language: str
    urls: tuple[Span, ...]
    dates: tuple[Moment, ...]
    numbers: tuple[Number, ...]
    names: tuple[Name, ...]


def compare(source: str, target: str, pair: tuple[str, str]) -> list[Warned]:
    """What `target` loses of `source`, and what it invents.

    Args:
        source: a text.
        target: its translation.
        pair: plain codes of their languages.
    """
    one, two = _facts(source, pair[0]), _facts(target, pair[1])
    found: list[Warned] = []
    found += _both("url", one, two, one.urls, two.urls, lambda a, b: a.text == b.text)
    found += _numbers(one, two)
    found += [_warned("name", "lost", one, each) for each in _unanswered(one, two)]
    found += [_warned("name", "invented", two, each) for each in _unanswered(two, one)]
    return found


def _facts(text: str, language: str) -> _Facts:
    urls = tuple(each for each in protected(text) if each.kind not in ("term", "emoji"))
    hidden = _hidden(text, urls)
    dates = tuple(moments(hidden))
    plain = _hidden(hidden, [each for each in dates if each.sure])
    return _Facts(
        text, language, urls, dates, tuple(numbers(plain, language)), tuple(names(plain, language))
    )


def _hidden(text: str, spans: Sequence[Span] | Sequence[Moment]) -> str:
    """The text with spaces where the spans stand, so that all places stay."""
    for span in spans:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def _numbers(one: _Facts, two: _Facts) -> list[Warned]:
    """Dates and numbers; `six` may be a number on one side and six o'clock on the other."""
    dates = _both(
        "date", one, two, one.dates, two.dates, lambda a, b: bool(a.readings & b.readings)
    )
    found = _both("number", one, two, one.numbers, two.numbers, lambda a, b: a.value == b.value)
    for date in dates:
        said, other = (one, "invented") if date.what == "lost" else (two, "lost")
        [moment] = [each for each in said.dates if each.start == date.start]
        hours = {
            float(each[1:3]) for each in moment.readings if each[0] == "t" and each.endswith(":00")
        }
        facing = two if said is one else one
        partner = next(
            (
                each
                for each in found
                if each.what == other
                and any(n.start == each.start and n.value in hours for n in facing.numbers)
            ),
            None,
        )
        if partner is None:
            found.append(date)
        else:
            found.remove(partner)
    return found


def _both(
    kind: FactKind,
    one: _Facts,
    two: _Facts,
    ours: Sequence[Fact],
    theirs: Sequence[Fact],
    same: Callable[[Fact, Fact], bool],
) -> list[Warned]:
    """Pair the facts of both sides one to one, sure ones first; what is sure and left is told."""
    free: list[Fact] = sorted(theirs, key=lambda each: not _sure(each))
    lost: list[Fact] = []
    for fact in sorted(ours, key=lambda each: not _sure(each)):
        partner = next((each for each in free if same(fact, each)), None)
        if partner is not None:
            free.remove(partner)
        elif _sure(fact):
            lost.append(fact)
    lost.sort(key=lambda each: each.start)
    free.sort(key=lambda each: each.start)
    return [
        *(_warned(kind, "lost", one, each) for each in lost),
        *(_warned(kind, "invented", two, each) for each in free if _sure(each)),
    ]


def _sure(fact: Number | Moment | Name | Span) -> bool:
    return isinstance(fact, Span) or fact.sure


def _warned(
    kind: FactKind,
    what: Literal["lost", "invented"],
    side: _Facts,
    fact: Number | Moment | Name | Span,
) -> Warned:
    return Warned(kind, what, side.text[fact.start : fact.end], fact.start, fact.end)


def _unanswered(ours: _Facts, theirs: _Facts) -> list[Name]:
    return [name for name in ours.names if name.sure and not _answered(name, ours, theirs)]


def _answered(name: Name, ours: _Facts, theirs: _Facts) -> bool:
    said = re.sub(r"['’]s?$", "", ours.text[name.start : name.end])
    if said in theirs.text:
        return True
    if name.known:
        forms = {
            form for row in name.known for form in table()[row].get(theirs.language, frozenset())
        }
        return any(form in theirs.text for form in forms)
    if _HAN.search(said):
        return theirs.language == "zh" or _spelt(said, theirs)
    if theirs.language == "zh":
        return said.lower() in "".join(lazy_pinyin(theirs.text)) or any(
            _sounds(said, part)
            for each in theirs.names
            for part in _parts(theirs.text[each.start : each.end])
        )
    return any(_alike(said, word) for word in _LATIN.findall(theirs.text))


def _alike(one: str, two: str) -> bool:
    """Whether two names of languages with the same letters are one."""
    a, b = one.lower(), two.lower()
    if a.isascii() and a.isupper() and len(a) < 4:
        return a == b
    return (a[:4] == b[:4] and len(a) > 3) or SequenceMatcher(None, a, b).ratio() >= _ALIKE


def _spelt(said: str, theirs: _Facts) -> bool:
    """Whether a Chinese name stands on the other side: in pinyin, or as a foreign name's sound."""
    letters = re.sub(r"[^a-zü]", "", theirs.text.lower()).replace("ü", "v")
    if all(syllable.replace("ü", "v") in letters for syllable in lazy_pinyin(said)):
        return True
    words = [theirs.text[each.start : each.end] for each in theirs.names]
    parts = [part for part in _parts(said) if foreign(part) or len(_parts(said)) > 1]
    return any(_sounds(word, part) for part in parts for word in words)


def _parts(said: str) -> list[str]:
    return [part for part in re.split("[·・‧•]", said) if part]


def _sounds(latin: str, han: str) -> bool:
    """Whether Chinese characters may write a foreign name: their consonants are its consonants.

    The first agree, and of the rest as many in order as 60 % of the syllables.
    """
    one = [_sound(match) for match in _CONSONANTS.findall(latin.lower())]
    syllables = lazy_pinyin("".join(_HAN.findall(han)))
    two = [_sound(found[0]) for each in syllables if (found := _CONSONANTS.findall(each))]
    if not one or not two or one[0] != two[0]:
        return False
    rest = iter(one)
    return sum(sound in rest for sound in two) >= min(len(two), max(2, 0.6 * len(two)))


def _sound(letters: str) -> str:
    return next((group[0] for group in _SOUNDS if letters in group), letters)
