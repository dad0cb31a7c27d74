"""Translation memories: TMX 1.4, two languages of it.

Only the text of segments is read; the codes of a text editor inside of them (`ph`, `bpt`, ...)
and notes are left out. No entity of a file is expanded from outside and no schema is looked up.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from speaq.core.errors import DataError
from speaq.text.doctor.languages import plain_code
from speaq.text.files.layouts import Layout
from speaq.text.files.readers import Row

_CODES = {"bpt", "ept", "it", "ph", "ut"}
_PIECE = 1 << 16


class _Units:
    """Gathers the translation units that the parser passes: (line, {language: segment})."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._words
        self.source = ""
        self.found: list[tuple[int, dict[str, str]]] = []
        self._line = 0
        self._unit: dict[str, str] = {}
        self._language = ""
        self._open: list[str] = []
        self._text: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if name == "header":
            said = attributes.get("srclang", "")
            self.source = "" if said == "*all*" else said
        elif name == "tu":
            self._line, self._unit = self.parser.CurrentLineNumber, {}
        elif name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang", "")
        elif name == "seg":
            self._text = []

    def _end(self, name: str) -> None:
        self._open.pop()
        if name == "seg":
            self._unit.setdefault(self._language, "".join(self._text))
        elif name == "tu":
            self.found.append((self._line, self._unit))

    def _words(self, text: str) -> None:
        if "seg" in self._open and not _CODES & set(self._open):
            self._text.append(text)


def languages(text: TextIO) -> tuple[str, ...]:
    """The source language and the first other one, as the file writes them.

    Empty where no unit has two languages.
    """
    units = _Units()
    while piece := text.read(_PIECE):
        try:
            # Text is handed over decoded: expat knows few encodings, GBK is not among them.
            units.parser.Parse(piece)
        except expat.ExpatError:
            break
        if any(len(unit) > 1 for _, unit in units.found):
            break
    for _, unit in units.found:
        codes = list(unit)
        if len(codes) > 1:
            same = [code for code in codes if plain_code(code) == plain_code(units.source or "?")]
            source = same[0] if same else codes[0]
            return source, next(code for code in codes if code != source)
    return ()


def read_tmx(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    """Yield (line of the unit, its `source` and `target`); units without both go to `faults`.

    A file that is cut off gives the units before the cut.
    """
    units = _Units()
    while True:
        piece = text.read(_PIECE)
        try:
            units.parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            faults.append(
                DataError(
                    f"this is not whole XML ({expat.errors.messages[error.code]}); what follows "
                    "is not read.",
                    f"XML 不完整（{expat.errors.messages[error.code]}）；其后内容未读取。",
                    file=path,
                    row=error.lineno,
                )
            )
            piece = ""
        for line, unit in units.found:
            record = _record(unit, layout)
            if record is None:
                faults.append(_lacking(unit, layout, path, line))
            else:
                yield line, record
        units.found.clear()
        if not piece:
            return


def _record(unit: Mapping[str, str], layout: Layout) -> dict[str, Any] | None:
    source, target = layout.languages
    if source not in unit or target not in unit:
        return None
    return {"source": unit[source], "target": unit[target]}


def _lacking(unit: Mapping[str, str], layout: Layout, path: Path, line: int) -> DataError:
    wanted, found = " + ".join(layout.languages), " + ".join(unit)
    return DataError(
        f"this unit must have segments in {wanted}; it has {found or 'none'}.",
        f"该单元须有 {wanted} 的片段；现有 {found or '无'}。",
        file=path,
        row=line,
    )


def write_tmx(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write units as TMX 1.4, in UTF-8."""
    source, target = layout.languages
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n'
            '<header creationtool="speaq" creationtoolversion="1" segtype="sentence" '
            f'o-tmf="speaq" adminlang="en" srclang={quoteattr(source)} datatype="plaintext"/>\n'
            "<body>\n"
        )
        for record in records:
            variants = "".join(
                f"<tuv xml:lang={quoteattr(code)}><seg>{escape(record[side])}</seg></tuv>"
                for code, side in ((source, "source"), (target, "target"))
            )
            stream.write(f"<tu>{variants}</tu>\n")
        stream.write("</body>\n</tmx>\n")
