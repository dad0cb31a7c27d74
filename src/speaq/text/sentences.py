"""Sentences and their places, in Chinese, English and both mixed.

A Chinese sentence ends at 。！？… with the closing marks behind it, or at the end of a line. An
English one ends at . ! ? before a space, unless the full stop belongs to an abbreviation, an
initial or a number, or the next word is written small. A blank line ends any sentence.
"""

import re

from speaq.text.segmentation import Place
from speaq.text.units import HAN

_CLOSING = "”’」』）】》〉〕\"')\\]}"
_END = re.compile(
    rf"[。！？｡]+[。！？｡…!?]*[{_CLOSING}]*"
    rf"|(?:…+|\.{{3,}})[。！？!?]*[{_CLOSING}]*"
    rf"|[.!?]+[{_CLOSING}]*(?=\s|[{HAN}]|$)"
    rf"|\n[^\S\n]*\n\s*"
    rf"|(?<=[{HAN}，。；：！？”」』）】》])\n"
)
_LAST_WORD = re.compile(rf"(?:[^\W{HAN}]|[.’'-])*\Z")
_NEXT = re.compile(rf"\s*[“‘「『（《\"'(\[]*([^\W\d_{HAN}])?")
_HAN = re.compile(rf"[{HAN}]")

_NEVER_LAST = (
    "mr mrs ms mx dr prof rev hon gen col capt lt sgt maj cmdr gov sen rep pres st mt ft messrs "
    "vs cf al viz e.g i.e eq eqs fig figs sec ch vol ed eds pp nos approx ca resp"
)
"""Abbreviations that something always follows."""
_MAYBE_LAST = (
    "etc inc ltd co corp bros jr sr esq ph.d m.d b.a m.a a.m p.m u.s u.k u.n e.u d.c no "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd rd "
    "dept est univ assn min max tel ext"
)
"""Abbreviations that may end a sentence; they do if the next word is written large."""
_LETTERED = (
    "plan vitamin grade part appendix section group type class option level figure table point "
    "team hepatitis channel"
)
"""Words that a single letter belongs to; after others it is the initial of a name."""


def places(text: str) -> list[Place]:
    """The places of the sentences in `text`, in order, without the space around them."""
    found: list[Place] = []
    start = 0
    for mark in _END.finditer(text):
        if _ends(text, mark):
            _add(found, text, start, mark.end())
            start = mark.end()
    _add(found, text, start, len(text))
    return found


def sentences(text: str) -> list[str]:
    """The sentences of `text`, in order, without the space around them."""
    return [text[start:end] for start, end in places(text)]


def _add(found: list[Place], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start < end:
        found.append((start, end))


def _ends(text: str, mark: re.Match[str]) -> bool:
    sign = mark.group()
    if sign[0] in "。！？｡\n":
        return True
    after = _NEXT.match(text, mark.end())
    letter = after.group(1) if after else None
    if letter is not None and letter.islower():
        return False
    if sign[0] == "…" or sign.startswith("..."):
        return _ellipsis_ends(text, mark.end())
    return sign[0] != "." or not _abbreviates(text, mark.start(), letter)


def _ellipsis_ends(text: str, end: int) -> bool:
    """Whether a sentence ends at dots: before a space, a Chinese character or nothing."""
    rest = text[end : end + 1]
    return not rest or rest.isspace() or bool(_HAN.match(rest))


def _abbreviates(text: str, stop: int, letter: str | None) -> bool:
    """Whether the full stop at `stop` belongs to the word before it, and ends no sentence."""
    # No abbreviation is longer; looking at all of the text would take its square.
    before = _LAST_WORD.search(text[max(0, stop - 16) : stop])
    word = before.group().lower() if before else ""
    if word in _NEVER_LAST.split():
        return True
    if word in _MAYBE_LAST.split():
        # What follows a number or an opening bracket is not known to be a new sentence.
        return letter is None and bool(text[stop + 1 :].strip())
    if len(word) != 1 or not word.isalpha() or word == "i":
        return False
    earlier = text[max(0, stop - 32) : stop - 1].split()
    return not earlier or earlier[-1].lower() not in _LETTERED.split()
