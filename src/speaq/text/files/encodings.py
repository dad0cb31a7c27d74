"""Which encoding a text file is in: UTF-8 if it can be, else the likeliest of the common ones."""

import codecs
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from speaq.core.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHERS = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1251"]
_PIECE = 1 << 20
_SAMPLE = 1 << 16
_ZEROS = 0.002
_ODD = {"Cn", "Co", "Cs", "Cc"}
_ENOUGH = 100
"""With so many double-byte characters charset-normalizer is trusted over the rule for GBK."""


@dataclass(frozen=True)
class Encoding:
    """What `survey` found."""

    name: str
    """As Python's codecs call it."""
    broken_row: int | None = None
    """Where UTF-8 first has a broken character, such as where a file was cut; else None."""


def detect(stream: BinaryIO, name: Path | str) -> str:
    """The encoding of `stream`, which is read to the end if it is UTF-8.

    Args:
        stream: bytes, at the start.
        name: of the file, for the error.

    Raises:
        DataError: UTF-8 with broken places, such as a file cut in the middle of a character, or
            no encoding of text at all.
    """
    found = survey(stream, name)
    if found.broken_row is not None:
        raise DataError(
            "a character of this UTF-8 text is broken; the file may be cut off or damaged.",
            "文本是 UTF-8 编码，但此处有损坏的字符；文件可能被截断或损坏。",
            file=name,
            row=found.broken_row,
        )
    return found.name


def survey(stream: BinaryIO, name: Path | str) -> Encoding:
    """The encoding of `stream`, as `detect` finds it; broken places are told, not refused.

    Raises:
        DataError: no encoding of text at all.
    """
    piece = stream.read(_PIECE)
    for mark, encoding in _MARKS:
        if piece.startswith(mark):
            return Encoding(encoding)
    unmarked = _unmarked_utf16(piece[:_SAMPLE])
    if unmarked:
        return Encoding(unmarked)
    decoder = codecs.getincrementaldecoder("utf-8")()
    rows = 0
    while True:
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            # `error.object` is what was left of the piece before, then this piece.
            bad = bytes(error.object)
            sample = bad[max(0, error.start - _SAMPLE // 2) :][:_SAMPLE]
            row = rows + bad.count(b"\n", 0, error.start) + 1
            return _guess(sample, name, row)
        if not piece:
            return Encoding("utf-8")
        rows += piece.count(b"\n")
        piece = stream.read(_PIECE)


def _unmarked_utf16(sample: bytes) -> str:
    """`utf-16-le` or `utf-16-be` if it is that without a mark, else nothing.

    Line ends and Latin letters have a zero byte, always on the same side.
    """
    sample = sample[: len(sample) // 2 * 2]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    # The other side has some too: 一 is 4E00.
    more, fewer = max(first, second), min(first, second)
    if more < max(1, _ZEROS * len(sample)) or fewer > 0.3 * more:
        return ""
    encoding = "utf-16-le" if second > first else "utf-16-be"
    text = sample.decode(encoding, errors="replace")
    odd = sum(unicodedata.category(letter) in _ODD for letter in text if letter not in "\t\r\n")
    return encoding if odd <= 0.01 * len(text) else ""


def _guess(sample: bytes, name: Path | str, row: int) -> Encoding:
    text = sample.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(character > "\x7f" for character in text) - broken
    if whole > 3 * broken or (broken == 1 and text.endswith("\ufffd")):
        return Encoding("utf-8", row)
    if _looks_like_gbk(sample):
        return Encoding("gb18030")
    best = from_bytes(sample, cp_isolation=_OTHERS).best()
    if best is None:
        raise DataError(
            "this is not text in any common encoding; save it as UTF-8.",
            "不是任何常见编码的文本；请另存为 UTF-8。",
            file=name,
            row=row,
        )
    return Encoding(best.encoding)


def _looks_like_gbk(sample: bytes) -> bool:
    """Whether a short sample is almost all GB 2312 level 1 hanzi and Chinese punctuation.

    charset-normalizer wants more text than a small table holds and then answers Korean, whose
    syllables lie in the same places; so a small table is taken for Chinese.
    """
    try:
        # The sample may end between the two bytes of a character.
        codecs.getincrementaldecoder("gb18030")().decode(sample)
    except UnicodeDecodeError:
        return False
    common = total = place = 0
    while place < len(sample) - 1:
        first, second = sample[place], sample[place + 1]
        if first < 0x80:
            place += 1
            continue
        total += 1
        hanzi = 0xB0 <= first <= 0xD7
        punctuation = first in (0xA1, 0xA3)
        common += second >= 0xA1 and (hanzi or punctuation)
        place += 2
    return 0 < total < _ENOUGH and common >= 0.9 * total
