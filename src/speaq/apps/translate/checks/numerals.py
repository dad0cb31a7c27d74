"""Numbers in a text, written in digits or in words, in English, German, French and Chinese."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from speaq.text.units import HAN


@dataclass(frozen=True, slots=True)
class Number:
    """A number where it stands."""

    start: int
    end: int
    value: float
    sure: bool
    """Whether it is meant as a number: `ein` and `一` may be articles, `neuf` means new as well."""


_SPACE = "\u00a0\u202f\u2009"
_DIGITS = re.compile(
    rf"(?<![\d.,])\d{{1,3}}(?:(?P<mark>[.,'’ {_SPACE}])\d{{3}})(?:(?P=mark)\d{{3}})*"
    rf"(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?"
)
_SCALES = {
    "hundred": 1e2,
    "hundert": 1e2,
    "cent": 1e2,
    "cents": 1e2,
    "thousand": 1e3,
    "tausend": 1e3,
    "mille": 1e3,
    "million": 1e6,
    "millions": 1e6,
    "millionen": 1e6,
    "billion": 1e9,
    "billions": 1e9,
    "milliarde": 1e9,
    "milliarden": 1e9,
    "milliard": 1e9,
    "milliards": 1e9,
}
_HAN_SCALES = {"百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "亿": 1e8, "億": 1e8}
_SCALED = re.compile(rf"[ {_SPACE}-]?(?:({'|'.join(_SCALES)})\b|([百千万萬亿億]+))", re.IGNORECASE)
_HAN_DIGITS = {
    **{sign: value for value, sign in enumerate("零一二三四五六七八九")},
    **{sign: value for value, sign in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    "两": 2,
    "兩": 2,
}
_HAN_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_HAN_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HAN_NUMBER = re.compile(f"[{''.join({**_HAN_DIGITS, **_HAN_TENS, **_HAN_MYRIADS})}]+")
_MEASURES = (
    "个個只隻条條名位张張本辆輛匹头頭件块塊双雙对對杯瓶座家间間次岁歲年月日天号號楼樓点點分秒元"
    "人群排架艘棵朵顶頂支根幅场場部首台片封句种種倍米周週期小层層"
)
_WORD = re.compile(rf"[^\W\d_{HAN}]+(?:[’'][^\W\d_{HAN}]+)*")
_LIKE_TWO = {
    "both", "couple", "pair", "beide", "beiden", "beider", "paar", "zweit", "zweier", "second",
    "zweite", "zweiten", "zweiter", "deuxième", "doppelt", "double", "twins", "zu zweit",
}  # fmt: skip
_EXTRA = {
    "en": {
        "dozen": 12.0,
        "first": 1.0,
        "third": 3.0,
        "half": 0.5,
        "twice": 2.0,
        "a thousand": 1e3,
        "a million": 1e6,
    },
    "de": {"dutzend": 12.0, "erste": 1.0, "ersten": 1.0, "dritte": 3.0, "dritten": 3.0},
    "fr": {"douzaine": 12.0, "premier": 1.0, "première": 1.0, "troisième": 3.0},
}
_UNSURE = {"en": {"one", "half", "second"}, "de": {"eins", "ein", "eine"}, "fr": {"un", "une"}}
_AMBIGUOUS = {"neuf", "cent", "mille", "acht", "first", "twice", "erste", "ersten", "premier"}


def numbers(text: str, language: str) -> list[Number]:
    """The numbers of a text in order.

    Args:
        text: any.
        language: whose words count, and whose comma parts decimals (German, French) or thousands.
    """
    found = list(_in_digits(text, language))
    taken = [(each.start, each.end) for each in found]
    for number in (*_in_han(text), *_in_words(text, language)):
        if all(number.end <= start or number.start >= end for start, end in taken):
            found.append(number)
    return sorted(found, key=lambda each: each.start)


def _in_digits(text: str, language: str) -> Iterator[Number]:
    for match in _DIGITS.finditer(text):
        value, end = _read(match.group(), match.group("mark"), language), match.end()
        scale = _SCALED.match(text, end)
        if scale is not None:
            end = scale.end()
            if scale.group(1):
                value *= _SCALES[scale.group(1).lower()]
            for sign in scale.group(2) or "":
                value *= _HAN_SCALES[sign]
        yield Number(match.start(), end, value, True)


def _read(digits: str, mark: str | None, language: str) -> float:
    """What digits say; a single mark before three digits parts thousands only in languages where
    it does."""
    decimal = "," if language in ("de", "fr", "es", "it") else "."
    if mark == decimal and digits.count(mark) == 1:
        return float(digits.replace(",", "."))
    if mark is not None:
        head, *rest = re.split(rf"[{re.escape(mark)}]", digits)
        digits = head + "".join(rest)
    return float(re.sub("[^0-9.]", ".", digits))


def _in_han(text: str) -> Iterator[Number]:
    for match in _HAN_NUMBER.finditer(text):
        signs, after = match.group(), text[match.end() : match.end() + 1]
        value = han_value(signs)
        ordinal = text[match.start() - 1 : match.start()] == "第"
        percent = text[match.start() - 3 : match.start()] == "百分之"
        measured = bool(after) and after in _MEASURES
        long = len(signs) > 1 and any(sign in _HAN_DIGITS for sign in signs)
        # 百, 千, 万 alone are vague, 数十 and 几百 as well, and 十分 means very.
        before = text[max(0, match.start() - 1) : match.start()]
        vague = (
            signs + after == "十分"
            or before in ("数", "几", "數", "幾")
            or (len(signs) == 1 and signs in "百佰千仟万萬亿億")
        )
        sure = (measured or long or ordinal or percent) and value > 1 and not vague
        yield Number(match.start(), match.end(), value, sure)


def han_value(signs: str) -> float:
    """The value of a Chinese numeral: 三百零五, 二〇二四, 两万."""
    if all(sign in _HAN_DIGITS for sign in signs):
        return float("".join(str(_HAN_DIGITS[sign]) for sign in signs))
    total = section = digit = 0
    for sign in signs:
        if sign in _HAN_DIGITS:
            digit = _HAN_DIGITS[sign]
        elif sign in _HAN_TENS:
            section += max(digit, 1) * _HAN_TENS[sign]
            digit = 0
        else:
            total = (total + max(section + digit, 1)) * _HAN_MYRIADS[sign]
            section = digit = 0
    return float(total + section + digit)


def _in_words(text: str, language: str) -> Iterator[Number]:
    known = _words(language)
    unsure = _UNSURE.get(language, set()) | _AMBIGUOUS
    matches = list(_WORD.finditer(text))
    place = 0
    while place < len(matches):
        number = None
        for count in (6, 5, 4, 3, 2, 1):
            run = matches[place : place + count]
            said = text[run[0].start() : run[-1].end()].lower()
            if len(run) == count and said in known:
                sure = known[said] > 1 and said not in unsure and said not in _LIKE_TWO
                number = Number(run[0].start(), run[-1].end(), known[said], sure)
                place += count - 1
                break
        place += 1
        if number is not None:
            scale = _SCALED.match(text, number.end)
            if scale is not None and scale.group(1):
                value = number.value * _SCALES[scale.group(1).lower()]
                number = Number(number.start, scale.end(), value, True)
            yield number


@functools.cache
def _words(language: str) -> dict[str, float]:
    """The number words up to 999 of a language, and a few more."""
    makers = {"en": _english, "de": _german, "fr": _french}
    if language not in makers:
        return {}
    known = {say: float(n) for n in range(1000) for say in makers[language](n)}
    return {**dict.fromkeys(_LIKE_TWO, 2.0), **known, **_EXTRA[language]}


_EN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_EN_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety"
_DE = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_DE_TENS = "_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
_FR = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
    "seize dix-sept dix-huit dix-neuf"
)
_FR_TENS = "_ _ vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt"


def _english(n: int) -> list[str]:
    if n < 20:
        return [_EN.split()[n]]
    if n < 100:
        tens, ones = _EN_TENS.split()[n // 10], n % 10
        return (
            [tens] if not ones else [f"{tens}-{_EN.split()[ones]}", f"{tens} {_EN.split()[ones]}"]
        )
    head = f"{_EN.split()[n // 100]} hundred"
    if n % 100 == 0:
        return [head, "a hundred"] if n == 100 else [head]
    return [f"{head}{glue}{rest}" for rest in _english(n % 100) for glue in (" and ", " ")]


def _german(n: int) -> list[str]:
    if n == 1:
        return ["eins", "ein", "eine"]
    if n < 20:
        return [_DE.split()[n]]
    if n < 100:
        tens, ones = _DE_TENS.split()[n // 10], n % 10
        return [tens] if not ones else [f"{'ein' if ones == 1 else _DE.split()[ones]}und{tens}"]
    heads = [f"{'ein' if n // 100 == 1 else _DE.split()[n // 100]}hundert"]
    heads += ["hundert"] if n < 200 else []
    if n % 100 == 0:
        return heads
    return [head + rest for head in heads for rest in _german(n % 100)]


def _french(n: int) -> list[str]:
    if n < 20:
        return [_FR.split()[n], "une"] if n == 1 else [_FR.split()[n]]
    if n < 100:
        tens, ones = _FR_TENS.split()[n // 10], n % 10 + (10 if n // 10 in (7, 9) else 0)
        if not ones:
            return [tens + "s"] if n == 80 else [tens]
        joint = " et " if ones in (1, 11) and n < 80 else "-"
        return [f"{tens}{joint}{_FR.split()[ones]}", f"{tens} {_FR.split()[ones]}"]
    head = "cent" if n < 200 else f"{_FR.split()[n // 100]} cent"
    if n % 100 == 0:
        return [head if n == 100 else head + "s"]
    return [f"{head} {rest}" for rest in _french(n % 100)]
