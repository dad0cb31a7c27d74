"""The user's own recordings with their texts: CSV, Kaldi folders, spoken digits.

data.csv          columns path,text; paths are beside the file
folder/wav.scp    `id path` lines, with folder/text of `id words` lines (Kaldi)
folder/*.wav      7_jackson_12.wav: digit, speaker, number (Free Spoken Digit Dataset)
"""

import re
from dataclasses import dataclass
from pathlib import Path

from speaq.core.errors import DataError
from speaq.text.files.readers import read_rows
from speaq.text.units import HAN

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FSDD = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav", re.IGNORECASE)
_OTHER = re.compile(rf"[^\w'{HAN}]+|_")
_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}]) +(?=[{HAN}])")


@dataclass(frozen=True)
class Recording:
    """One recording and what is said in it."""

    path: Path
    text: str
    """As `plain` makes it."""
    speaker: str = ""
    number: int = 0
    """Of the take, where the file's name says it."""


def plain(text: str) -> str:
    """What of a text can be heard: lower case, no punctuation, single spaces, none between
    Chinese characters."""
    words = _OTHER.sub(" ", text.lower()).split()
    return _BETWEEN_HAN.sub("", " ".join(words))


def read_recordings(source: Path | str) -> list[Recording]:
    """The recordings of a CSV (or other data file), or of a folder.

    Raises:
        DataError: nothing there, an unknown layout, a missing file, an empty text.
    """
    source = Path(source)
    if source.is_file():
        found = _of_table(source)
    elif (source / "wav.scp").is_file():
        found = _of_kaldi(source)
    elif source.is_dir():
        found = _of_names(source)
    else:
        raise DataError("there is no such file or folder.", "没有这个文件或目录。", file=source)
    if not found:
        raise DataError("there are no recordings.", "没有录音。", file=source)
    return found


def _of_table(file: Path) -> list[Recording]:
    found = []
    for row, record in read_rows(file):
        if not {"path", "text"} <= set(record):
            raise DataError(
                f"expected the columns path and text (found: {', '.join(record)}).",
                f"应有 path 与 text 两列（现有：{'、'.join(record)}）。",
                file=file,
                row=row,
            )
        found.append(_recording(file, row, str(record["path"]), str(record["text"])))
    return found


def _of_kaldi(folder: Path) -> list[Recording]:
    texts = {name: (row, text) for row, name, text in _lines(folder / "text")}
    found = []
    for row, name, path in _lines(folder / "wav.scp"):
        if path.endswith("|"):
            raise DataError(
                "commands are not run; name files.",
                "不会运行命令；请给出文件路径。",
                file=folder / "wav.scp",
                row=row,
            )
        if name not in texts:
            raise DataError(
                f"'{name}' has no line in the file text.",
                f"“{name}”在 text 文件中没有对应的行。",
                file=folder / "wav.scp",
                row=row,
            )
        where, text = texts[name]
        _recording(folder / "wav.scp", row, path, text or "-")
        found.append(_recording(folder / "text", where, path, text))
    return found


def _lines(file: Path) -> list[tuple[int, str, str]]:
    """Row, first word, the rest."""
    if not file.is_file():
        raise DataError("there is no such file.", "没有这个文件。", file=file)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError("the text is not UTF-8.", "文本不是 UTF-8 编码。", file=file) from error
    split = [(row, *line.strip().partition(" ")) for row, line in enumerate(lines, 1)]
    return [(row, name, rest.strip()) for row, name, _, rest in split if name]


def _of_names(folder: Path) -> list[Recording]:
    found = []
    for path in sorted(folder.glob("*.wav")):
        if match := _FSDD.fullmatch(path.name):
            digit, speaker, number = match.groups()
            found.append(Recording(path, DIGITS[int(digit)], speaker, int(number)))
    if not found:
        raise DataError(
            "expected wav.scp and text, or files named like 7_jackson_12.wav; name a CSV with "
            "the columns path,text instead.",
            "应含 wav.scp 与 text，或名如 7_jackson_12.wav 的文件；"
            "也可给出含 path,text 两列的 CSV。",
            file=folder,
        )
    return found


def _recording(file: Path, row: int, path: str, text: str) -> Recording:
    place = file.parent / path
    if not place.is_file():
        raise DataError(
            f"there is no file {place}.", f"没有文件 {place}。", file=file, row=row, field="path"
        )
    if not plain(text):
        raise DataError(
            "expected the words that are said.",
            "应为录音中所说的文字。",
            file=file,
            row=row,
            field="text",
        )
    return Recording(place, plain(text))
