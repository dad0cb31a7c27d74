"""Names in a text, so that two languages' can be compared.

Known names have their forms in four languages in `names.tsv`. Others are recognised by how they
are written: large letters within an English or French sentence; titles, neighbours and odd capitals
in German, whose nouns are all written large; in Chinese what jieba tags as a person and begins with
a surname, and transliterations with a dot in them.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from speaq.text.units import HAN

_COLUMNS = ("en", "de", "fr", "zh")


@dataclass(frozen=True, slots=True)
class Name:
    """A name where it stands."""

    start: int
    end: int
    known: frozenset[int] = frozenset()
    """Rows of the table it may be."""
    sure: bool = True
    """Whether it is a name without doubt; others only answer those of the other side."""


_LARGE = re.compile(rf"[^\W\d_{HAN}]+(?:[-’'.][^\W\d_{HAN}]+)*\.?")
_LETTER = rf"[^\W{HAN}]"
_ODD = re.compile(
    rf"(?<!{_LETTER})(?:[A-ZÄÖÜ]{{2,}}\d*|[A-Z]+\d+{_LETTER}*|[a-zäöü]+[A-ZÄÖÜ]{_LETTER}*"
    rf"|[A-Z][a-z]+[A-Z]{_LETTER}*)(?!{_LETTER})"
)
_OPENING = re.compile(r"(?:^|[.!?:;…\n\"“„»«‘(\[–—-])\s*$")
_TITLES = {
    "herr", "herrn", "frau", "dr", "prof", "professor", "könig", "königin", "präsident",
    "mr", "mrs", "ms", "miss", "sir", "monsieur", "madame", "mme", "m", "namens", "heißt",
    "heiße", "firma",
}  # fmt: skip
_MEASURES = (
    "gruppe paar glas tasse stück flasche menge haufen reihe art teller schüssel dose kiste anzahl "
    "sorte art mitte anfang ende ausschnitt stapel schluck typ team teil becher form bild packung "
    "dutzend bund blatt scheibe meter kilo liter uhr euro prozent familie"
)
_NO_NAMES = (
    "i i'm i'll i've i'd mr mrs ms dr english french german chinese japanese american british "
    "italian spanish russian asian african european indian christmas easter god internet earth "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december ok tv t-shirt dvd cd bmx lkw pkw vtt gi "
    "dj"
)
_DETERMINERS = (
    "der die das den dem des ein eine einen einem einer eines kein keine keinen mein meine dein "
    "sein seine seinem seinen seiner ihr ihre ihrem ihren ihrer unser unsere dieser diese dieses "
    "diesem diesen jeder jede jedes einige mehrere viele zwei drei vier fünf sechs am im vom "
    "zum zur ans ins beim"
)
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛"
    "叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔崔康毛邱秦江史顾侯邵孟龙段雷钱汤尹黎易常武乔"
    "賴龔張劉陳楊趙黃吳孫馬羅鄭謝韓馮蕭鄧許呂蘇盧蔣賈葉閻鍾範譚鄒陸顧龍錢湯喬"
)
_DOT = re.compile("[·・‧•]")
_HAN_TITLED = re.compile(rf"([{HAN}]{{1,8}}?)(?:先生|女士|小姐|太太|夫人|教授|博士|老师|医生|经理)")
_FOREIGN = set(
    "阿巴贝比伯布查达德迪杜多尔法菲费夫弗戈格古哈赫亨霍基吉杰卡凯科克肯拉莱兰劳雷里丽莉琳卢鲁露伦罗洛玛麦"
    "曼梅蒙米密莫姆穆纳娜奈尼妮诺欧帕佩皮普奇乔琼萨塞桑瑟莎尚施斯丝索塔泰坦汤特托威韦维温沃希谢休雅扬伊"
    "尤约泽詹朱兹佐安艾爱史彼保汉瓦柯奎勃奥福特莫兰比杰森顿逊"
)


def names(text: str, language: str) -> list[Name]:
    """The names of a text in order, none over another."""
    makers = [_known(text, language)]
    if language == "zh":
        makers.append(_known(text, "en"))
        makers = [
            _titled(text),
            _dotted(text),
            *makers,
            _persons(text),
            _foreign(text),
            _odd(text),
            _latin(text),
        ]
    elif language == "de":
        makers += [_odd(text), _german(text)]
    else:
        makers += [_odd(text), _large(text)]
    found: list[Name] = []
    for made in makers:
        for name in made:
            if all(name.end <= each.start or name.start >= each.end for each in found):
                found.append(name)
    return sorted(found, key=lambda each: each.start)


@functools.cache
def table() -> tuple[dict[str, frozenset[str]], ...]:
    """The rows of the table: forms by language."""
    text = resources.files(__package__).joinpath("names.tsv").read_text(encoding="utf-8")
    return tuple(
        {
            code: frozenset(cell.split(","))
            for code, cell in zip(_COLUMNS, line.split("\t"), strict=True)
        }
        for line in text.splitlines()
    )


@functools.cache
def _forms(language: str) -> tuple[dict[str, frozenset[int]], re.Pattern[str]]:
    column = language if language in _COLUMNS else "en"
    rows: dict[str, set[int]] = {}
    for number, row in enumerate(table()):
        for form in row[column]:
            rows.setdefault(form, set()).add(number)
    longest = sorted((form for form in rows if len(form) > 1), key=len, reverse=True)
    body = "|".join(map(re.escape, longest))
    border = (rf"(?<![^\W{HAN}])", rf"(?![^\W{HAN}])") if column != "zh" else ("", "")
    # A German or English genitive keeps the name.
    tail = r"(?:['’]?s)?" if column in ("en", "de") else ""
    pattern = re.compile(f"{border[0]}({body}){tail}{border[1]}")
    return {form: frozenset(each) for form, each in rows.items()}, pattern


def _known(text: str, language: str) -> Iterator[Name]:
    rows, pattern = _forms(language)
    for match in pattern.finditer(text):
        yield Name(match.start(), match.end(), rows[match.group(1)])


def _odd(text: str) -> Iterator[Name]:
    shouted = sum(letter.isupper() for letter in text) > sum(letter.islower() for letter in text)
    for match in _ODD.finditer(text):
        if match.group().lower() not in _NO_NAMES.split():
            yield Name(match.start(), match.end(), sure=not shouted)


def _large(text: str) -> Iterator[Name]:
    """English or French: large letters where no sentence begins."""
    words = list(_LARGE.finditer(text))
    titled = sum(word.group()[0].isupper() for word in words) > 0.8 * len(words) > 2.4
    for place, word in enumerate(words):
        said = word.group().rstrip(".")
        bare = said.lower()
        if not said[0].isupper() or bare in _NO_NAMES.split() or bare in _TITLES:
            continue
        before = words[place - 1].group().rstrip(".").lower() if place else ""
        opening = before not in _TITLES and _OPENING.search(text[: word.start()]) is not None
        sure = not opening and len(bare) > 1 and not titled
        yield Name(word.start(), word.start() + len(said), sure=sure)


def _latin(text: str) -> Iterator[Name]:
    """Chinese: Latin words that are written large are names."""
    for word in _LARGE.finditer(text):
        if word.group()[0].isupper() and word.group().lower() not in _NO_NAMES.split():
            yield Name(word.start(), word.end(), sure=len(word.group()) > 1)


def _german(text: str) -> Iterator[Name]:
    """German: behind a title, or two large words side by side without an article before them."""
    words = list(_LARGE.finditer(text))
    for place, word in enumerate(words):
        said = word.group().rstrip(".")
        if not said[0].isupper() or len(said) < 2 or said.lower() in _TITLES:
            continue
        before = words[place - 1] if place else None
        after = words[place + 1] if place + 1 < len(words) else None
        titled = before is not None and before.group().rstrip(".").lower() in _TITLES
        yield Name(
            word.start(), word.start() + len(said), sure=titled or _pairs(text, before, word, after)
        )


def _pairs(
    text: str, before: re.Match[str] | None, word: re.Match[str], after: re.Match[str] | None
) -> bool:
    if after is None or not after.group()[0].isupper():
        return False
    said = before.group().lower() if before is not None else "der"
    alone = said not in _DETERMINERS.split() and not (before and before.group()[0].isupper())
    apart = text[word.end() : after.start()] == " "
    measure = word.group().lower() in _MEASURES.split() or after.group().lower() in _TITLES
    # A sentence's first word is large without being a name.
    return apart and alone and not measure and _OPENING.search(text[: word.start()]) is None


def _titled(text: str) -> Iterator[Name]:
    """Chinese: what stands before a title, a surname or the characters of a foreign name."""
    for match in _HAN_TITLED.finditer(text):
        end = start = match.end(1)
        while start > match.start(1) and text[start - 1] in _FOREIGN:
            start -= 1
        if end - start < 2:
            start = end - 1 if text[end - 1] in _SURNAMES else end
        if start < end:
            yield Name(start, end)


def _dotted(text: str) -> Iterator[Name]:
    """Chinese: names of several parts, as far as characters that names are written with reach."""
    signs = _FOREIGN | {sign for row in table() for form in row["zh"] for sign in form}
    for dot in _DOT.finditer(text):
        start, end = dot.span()
        while start > 0 and text[start - 1] in signs:
            start -= 1
        while end < len(text) and (text[end] in signs or _DOT.match(text[end])):
            end += 1
        if start < dot.start() and end > dot.end():
            yield Name(start, end)


def _persons(text: str) -> Iterator[Name]:
    """What jieba's tagger takes for a person; without doubt if it begins with a surname."""
    place = 0
    for word, tag in _tagger().tag(text, True):
        if tag in ("nr", "nrt", "nrfg") and len(word) in (2, 3, 4):
            foreign = all(sign in _FOREIGN for sign in word[1:])
            yield Name(place, place + len(word), sure=word[0] in _SURNAMES and not foreign)
        place += len(word)


@functools.cache
def _tagger() -> Any:
    from rjieba import Jieba

    return Jieba()


def foreign(text: str) -> bool:
    """Whether a text is written with the characters of foreign names only."""
    return all(sign in _FOREIGN for sign in text)


def _foreign(text: str) -> Iterator[Name]:
    """Runs of characters that foreign names are written with; they answer, and are not asked."""
    start = None
    for place, sign in enumerate(f"{text} "):
        if sign in _FOREIGN:
            start = place if start is None else start
        elif start is not None:
            if place - start >= 2:
                yield Name(start, place, sure=False)
            start = None
