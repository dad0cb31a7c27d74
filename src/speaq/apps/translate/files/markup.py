"""HTML as stretches that are translated and stretches that stay byte by byte.

Tags, comments, scripts, styles and `translate="no"` elements stay. Inline tags remain within the
text around them, as spans that are kept; tags that begin a line in a browser end a stretch.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

_INLINE = (
    "a abbr acronym b bdi bdo big cite dfn em font i ins kbd mark q s small span strike strong sub "
    "sup tt u var del label time data"
)
_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<![^>]*>|<\?.*?\?>"
    r"|<(?P<raw>script|style|code|pre|kbd|samp|textarea|svg|math)\b[^>]*>.*?</(?P=raw)\s*>"
    r"""|<(?P<name>[A-Za-z][\w:-]*)(?P<no>[^<>]*\btranslate\s*=\s*["']?no\b[^<>]*)>.*?</(?P=name)\s*>"""
    r"""|</?(?P<tag>[A-Za-z][\w:-]*)(?:[^<>"']|"[^"]*"|'[^']*')*>""",
    re.DOTALL | re.IGNORECASE,
)
_KEPT_ENTITY = re.compile(r"&(?:lt|gt|amp|#38|#60|#62|#x26|#x3c|#x3e);", re.IGNORECASE)
_MARKUP = {"<": "&lt;", ">": "&gt;"}
_INLINE_TAG = re.compile(r"""(</?[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>)""")
_BARE = re.compile(r"&(?!(?:\w+|#\d+|#x[\da-fA-F]+);)")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a document; all together are the document."""

    text: str
    translate: bool


def stretches(document: str) -> list[Stretch]:
    """The parts of an HTML document or fragment, in order."""
    made: list[Stretch] = []
    held = ""
    for text, stays in _tokens(document):
        if not stays:
            held += text
            continue
        made += _flushed(held)
        held = ""
        made.append(Stretch(text, False))
    return made + _flushed(held)


def _tokens(document: str) -> Iterator[tuple[str, bool]]:
    """Pieces, and whether they end a stretch."""
    done = 0
    for token in _TOKEN.finditer(document):
        yield document[done : token.start()], False
        tag = (token.group("tag") or "").lower()
        yield token.group(), tag not in _INLINE.split()
        done = token.end()
    yield document[done:], False


def _flushed(held: str) -> list[Stretch]:
    if not held:
        return []
    words = _INLINE_TAG.sub("", held)
    return [Stretch(held, bool(words.strip()))]


def readable(text: str) -> str:
    """A stretch for the translator: entities as what they stand for, but for those of markup."""
    return "".join(
        piece if piece.startswith("<") else _plain(piece) for piece in _INLINE_TAG.split(text)
    )


def _plain(text: str) -> str:
    made, done = "", 0
    for entity in _KEPT_ENTITY.finditer(text):
        sign = html.unescape(entity.group())
        made += html.unescape(text[done : entity.start()]) + _MARKUP.get(sign, sign)
        done = entity.end()
    return made + html.unescape(text[done:])


def written(text: str) -> str:
    """A translation as HTML: what would be markup is an entity."""
    return "".join(
        piece if piece.startswith("<") else _BARE.sub("&amp;", piece)
        for piece in _INLINE_TAG.split(text)
    )
