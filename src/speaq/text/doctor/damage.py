"""Text that was once read in the wrong encoding: finding it, and undoing it where that can be done.

UTF-8 read as a Western encoding (`Ã©`) is known and undone by ftfy. UTF-8 read as GBK (`浣犲ソ`)
and GBK read as a Western encoding (`ÄãºÃ`) are undone by going back the same way, if what comes of
it is Chinese throughout. What a program replaced by U+FFFD or `锟斤拷` is lost.
"""

import functools
import re
from typing import Literal

from speaq.text.cleaning import CleaningSettings, clean
from speaq.text.units import HAN

Damage = Literal["", "lost", "misread", "invisible"]

_LOST = re.compile("\ufffd|锟斤拷|锟斤|^[?？\\s]{4,}$")
_HAN = re.compile(f"[{HAN}]")
_COMMON = re.compile(f"[{HAN}\u3000-\u303f\uff00-\uffef“”‘’…—·\x00-\x7f]*")
_WESTERN_RUN = re.compile("[\x80-\xff]+")
_INVISIBLE = CleaningSettings(form="keep", width="keep", markup=False, blanks=False)


@functools.lru_cache(maxsize=256)
def damage(text: str) -> Damage:
    """What is wrong with a text: `lost` characters, `misread` ones, `invisible` ones, or nothing.

    Marks of order that a joined emoji or Arabic needs are not counted as invisible.
    """
    if text.isascii() and text.isprintable():
        return "lost" if _LOST.search(text) else ""
    if _LOST.search(text):
        return "lost"
    if reread(text) != text:
        return "misread"
    return "invisible" if clean(text, _INVISIBLE) != text else ""


def mend(text: str) -> str:
    """The text with misread characters read rightly and without invisible ones; lost ones stay."""
    return clean(reread(text), _INVISIBLE)


def reread(text: str) -> str:
    """The text as it was meant, if it was read in the wrong encoding; else as it is."""
    return _from_gbk(text) or _by_ftfy(text) or _from_western(text) or text


def _from_gbk(text: str) -> str:
    """UTF-8 that was read as GBK; empty if it was not."""
    if not _HAN.search(text):
        return ""
    try:
        meant = text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return ""
    # A word or two may be both by chance: 一 is also a letter of Cyrillic. Chinese is not.
    hanzi = len(_HAN.findall(meant))
    return meant if hanzi >= 2 and _COMMON.fullmatch(meant) else ""


def _from_western(text: str) -> str:
    """GBK that was read as Latin-1; empty if it was not."""
    runs = _WESTERN_RUN.findall(text)
    # Where there is Chinese already, `××` and `··` are what they are.
    if not runs or any(len(run) % 2 for run in runs) or _HAN.search(text):
        return ""
    meant = text
    for run in sorted(set(runs), key=len, reverse=True):
        data = run.encode("latin-1")
        # Hanzi of level 1 and Chinese punctuation, as in any everyday text.
        firsts, seconds = data[::2], data[1::2]
        usual = all(0xB0 <= b <= 0xD7 or b in (0xA1, 0xA3) for b in firsts)
        if not usual or min(seconds) < 0xA1:
            return ""
        try:
            meant = meant.replace(run, data.decode("gb18030"))
        except UnicodeDecodeError:
            return ""
    return meant if len(_HAN.findall(meant)) >= 2 else ""


def _by_ftfy(text: str) -> str:
    import ftfy

    if text.isascii():
        return ""
    meant, steps = ftfy.fix_encoding_and_explain(text)
    return meant if any(step.action in ("encode", "decode") for step in steps or ()) else ""
