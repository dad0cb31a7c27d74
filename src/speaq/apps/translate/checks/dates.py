"""Dates, times of day and days of the week in a text, so that two languages' can be compared.

A date has as many readings as its writing leaves open: 3/4/2024 is in March or in April.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from speaq.apps.translate.checks.numerals import han_value


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, a time or a weekday where it stands."""

    start: int
    end: int
    readings: frozenset[str]
    """`2024-05-03`, `-05-03`, `-05-`; `t14:30`; `w1` for Monday."""
    sure: bool = True


_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_SHORT = {
    "en": "jan feb mar apr may jun jul aug sep oct nov dec",
    "de": "jan feb mär apr mai jun jul aug sep okt nov dez",
    "fr": "janv févr mars avr mai juin juil août sept oct nov déc",
}
_MONTH = {
    name: number
    for table in (_MONTHS, _SHORT)
    for names in table.values()
    for number, name in enumerate(names.split(), start=1)
} | {"sept": 9, "jänner": 1}
_WEAK_MONTHS = {"may", "march", "mars", "mar", "mai", "jan", "sep", "dec", "nov", "oct", "okt"}
_DAYS = {
    name: number
    for names in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    )
    for number, name in enumerate(names.split(), start=1)
} | {"sonnabend": 6}
_HAN_DAYS = {sign: number for number, sign in enumerate("一二三四五六", start=1)} | {
    "日": 7,
    "天": 7,
}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_NUM = r"(?:\d{1,4}|[〇零一二两兩三四五六七八九十]{1,4})"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)",
        r"(?<!\d)(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})(?!\d)",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:\.|st|nd|rd|th|er)?\s+(?:of\s+|de\s+)?(?P<n>{_NAMES})\b\.?"
        r"(?:,?\s+(?:de\s+)?(?P<y>\d{4})(?!\d))?",
        rf"\b(?P<n>{_NAMES})\b\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(?P<y>\d{{4}})"
        r"(?!\d))?",
        rf"\b(?P<n>{_NAMES})\b\.?\s+(?:of\s+|de\s+)?(?P<y>\d{{4}})(?!\d)",
        rf"(?:(?P<y>{_NUM})年\s*)?(?P<m>{_NUM})月(?:份|\s*(?P<d>{_NUM})\s*[日号號])?",
        rf"\b(?P<n>{_NAMES})\b",
    )
)
_WEEKDAY = re.compile(
    rf"\b(?P<w>{'|'.join(_DAYS)})s?\b|(?:星期|礼拜|禮拜|周|週)(?P<h>[一二三四五六日天])",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?<![\d:])(?P<h>\d{1,2})[:.](?P<m>\d{2})(?![\d:])(?:\s*(?P<x>[ap])\.?m\b\.?|\s*uhr\b)?"
    r"|(?<!\d)(?P<h2>\d{1,2})\s*(?:(?P<x2>[ap])\.?m\b\.?|uhr\b(?:\s*(?P<m2>\d{2})(?!\d))?"
    r"|h\s?(?P<m3>\d{2})?\b|heures?\b)"
    rf"|(?P<z>上午|早上|凌晨|下午|晚上|中午)?(?P<h4>{_NUM})[点點时時]"
    rf"(?:(?P<half>半)|(?P<m4>{_NUM})分?)?",
    re.IGNORECASE,
)


def moments(text: str) -> list[Moment]:
    """The dates, times and weekdays of a text, in order."""
    found: list[Moment] = []
    for made in (*_dates(text), *_weekdays(text), *_times(text)):
        if all(made.end <= each.start or made.start >= each.end for each in found):
            found.append(made)
    return sorted(found, key=lambda each: each.start)


def _dates(text: str) -> Iterator[Moment]:
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            readings = frozenset(_readings(parts))
            if not readings:
                continue
            name = (parts.get("n") or "").lower()
            alone = not (parts.get("d") or parts.get("y"))
            sure = not (alone and name in _WEAK_MONTHS)
            yield Moment(match.start(), match.end(), readings, sure)


def _readings(parts: dict[str, str | None]) -> Iterator[str]:
    year = _number(parts.get("y"))
    day = _number(parts.get("d"))
    if parts.get("a"):
        a, b = int(parts["a"] or 0), int(parts["b"] or 0)
        for month, own in {(a, b), (b, a)}:
            if 1 <= month <= 12 and 1 <= own <= 31:
                yield _date(year, month, own)
        return
    named = parts.get("n")
    month = _MONTH[named.lower()] if named else (_number(parts.get("m")) or 0)
    if 1 <= month <= 12 and (day is None or 1 <= day <= 31):
        yield _date(year, month, day)


def _date(year: int | None, month: int, day: int | None) -> str:
    full = year + (2000 if year < 50 else 1900) if year is not None and year < 100 else year
    return f"{'' if full is None else full}-{month:02}-{'' if day is None else f'{day:02}'}"


def _number(said: str | None) -> int | None:
    if not said:
        return None
    return int(said) if said.isascii() else int(han_value(said))


def _weekdays(text: str) -> Iterator[Moment]:
    for match in _WEEKDAY.finditer(text):
        word, sign = match.group("w"), match.group("h")
        number = _DAYS[word.lower()] if word else _HAN_DAYS[sign]
        yield Moment(match.start(), match.end(), frozenset({f"w{number}"}))


def _times(text: str) -> Iterator[Moment]:
    for match in _TIME.finditer(text):
        part = match.groupdict()
        hour = _number(part["h"] or part["h2"] or part["h4"]) or 0
        minute = (
            30
            if part["half"]
            else _number(part["m"] or part["m2"] or part["m3"] or part["m4"]) or 0
        )
        if hour > 24 or minute > 59:
            continue
        half = (part["x"] or part["x2"] or "").lower()
        half = half or {"上": "a", "早": "a", "凌": "a"}.get((part["z"] or " ")[0], "")
        half = half or ("p" if part["z"] else "")
        # A full stop between two numbers is a decimal more often than a time.
        if "." in match.group().rstrip(".") and not (half or "uhr" in match.group().lower()):
            continue
        hours = {hour % 12 + (12 if half == "p" else 0)} if half else {hour, hour % 12 + 12}
        if hour > 12:
            hours = {hour % 24}
        readings = frozenset(f"t{each % 24:02}:{minute:02}" for each in hours)
        # 一点 is a little, unless it says 一点钟 or 下午一点.
        little = (
            match.group() in ("一点", "一點") and text[match.end() : match.end() + 1] not in "钟鐘"
        )
        yield Moment(match.start(), match.end(), readings, sure=not little)
