"""Cleaning text: Unicode forms, wide letters, invisible characters, HTML, white space.

What is changed is what nobody sees or meant. Chinese punctuation stays as it is: making it narrow,
as NFKC does, changes the text for a reader and for every model that was trained on it.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from speaq.core.settings import require
from speaq.text.files.examples import Span
from speaq.text.marked import Marked

_TAGS = (
    "a abbr address article aside audio b big blockquote body br button caption center cite code "
    "col colgroup dd del details div dl dt em embed fieldset figcaption figure font footer form "
    "h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label legend li link main "
    "map mark meta nav noscript object ol optgroup option p param picture pre q s samp section "
    "select small source span strike strong sub summary sup svg table tbody td textarea tfoot th "
    "thead time title tr tt u ul var video wbr"
)
_BLOCKS = (
    "address article aside blockquote br caption center dd details div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hr html li main nav ol option p pre section table "
    "tbody tfoot thead tr ul"
)
"""Tags that a browser begins a line at."""
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
# Attributes need a value: "a <b and c> d" is no tag.
_TAG = re.compile(
    rf"</?({'|'.join(_TAGS.split())})(?:\s+[A-Za-z:_-]+\s*=\s*{_VALUE})*\s*/?>", re.IGNORECASE
)
_UNSEEN = re.compile(
    r"<!--.*?-->|<!doctype[^>]*>|<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WIDE_LETTERS = {
    code: narrow
    for code, narrow in _WIDE.items()
    if chr(narrow).isascii() and chr(narrow).isalnum()
}
# Marks of order and direction, soft hyphen, zero-width space, byte-order mark; joiners stay, as
# emoji and several scripts need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_BLANK = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n ?")
_MANY_LINES = re.compile(r"\n{3,}")

Form = Literal["NFC", "NFKC", "NFD", "NFKD", "keep"]


@dataclass(frozen=True)
class CleaningSettings:
    """What is cleaned.

    Raises:
        SettingsError: an unknown form or width.
    """

    form: Form = "NFC"
    """The Unicode form; NFKC also narrows Chinese punctuation."""
    width: Literal["letters", "all", "keep"] = "letters"
    """Which full-width characters become narrow: letters and digits, or punctuation too."""
    invisible: bool = True
    """Take out control characters, zero-width spaces and marks of direction."""
    markup: bool = True
    """Take out HTML: tags, comments, scripts; entities become what they stand for."""
    blanks: bool = True
    """Any run of blanks becomes one space; more than one empty line becomes one."""
    lines: bool = True
    """Keep line ends; otherwise they count as blanks."""

    def __post_init__(self) -> None:
        forms, widths = ("NFC", "NFKC", "NFD", "NFKD", "keep"), ("letters", "all", "keep")
        require(
            "cleaning",
            self,
            {
                "form": (self.form in forms, " | ".join(forms)),
                "width": (self.width in widths, " | ".join(widths)),
            },
        )


def clean(text: str, settings: CleaningSettings | None = None) -> str:
    """`text` without what nobody sees or meant, and without space around it."""
    settings = settings or CleaningSettings()
    return _trimmed(_cleaned(text, settings), settings)


def clean_marked(marked: Marked, settings: CleaningSettings | None = None) -> Marked:
    """The same for a text with spans; each span covers what its words became.

    A span of which nothing is left goes too. Text is cleaned between the ends of spans, so markup
    must not begin in one and end in another.
    """
    settings = settings or CleaningSettings()
    ends = sorted({end for span in marked.spans for end in (span.start, span.end)})
    borders = [0, *ends, len(marked.text)]
    places = {0: 0}
    made = ""
    for start, end in pairwise(borders):
        piece = _cleaned(marked.text[start:end], settings)
        if settings.blanks and (not made or made[-1].isspace()):
            piece = piece.lstrip()
        made += piece
        places[end] = len(made)
    made = _trimmed(made, settings)
    spans = []
    for span in marked.spans:
        place = _within(made, places[span.start], min(places[span.end], len(made)))
        if place is not None:
            spans.append(Span(*place, span.label))
    return Marked(made, tuple(spans))


def _within(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The place without the blanks at its ends; None if nothing is left."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    stripped = piece.strip()
    return (start, start + len(stripped)) if stripped else None


def _cleaned(text: str, settings: CleaningSettings) -> str:
    if settings.markup:
        text = html.unescape(_TAG.sub(_replacement, _UNSEEN.sub("", text)))
    if settings.form != "keep":
        text = unicodedata.normalize(settings.form, text)
    if settings.width != "keep":
        text = text.translate(_WIDE if settings.width == "all" else _WIDE_LETTERS)
    if settings.invisible:
        text = _INVISIBLE.sub("", text)
    return _narrowed(text, settings) if settings.blanks else text


def _replacement(tag: re.Match[str]) -> str:
    return "\n" if tag.group(1).lower() in _BLOCKS.split() else ""


def _narrowed(text: str, settings: CleaningSettings) -> str:
    text = _LINE_END.sub("\n", text)
    if not settings.lines:
        text = text.replace("\n", " ")
    return _MANY_LINES.sub("\n\n", _LINES.sub("\n", _BLANK.sub(" ", text)))


def _trimmed(text: str, settings: CleaningSettings) -> str:
    return text.strip() if settings.blanks else text
