"""What a translation must repeat byte by byte: addresses, code, tags, placeholders, own terms."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from speaq.text.units import HAN

Kind = Literal["url", "email", "code", "tag", "placeholder", "term", "emoji"]

_END = rf"""(?=[.,;:!?'")\]}}>]*(?:\s|$|[{HAN}，。；：！？、）」』》]))"""
_PATTERNS: tuple[tuple[Kind, str], ...] = (
    # No word is that long: a key, or something encoded.
    ("code", r"```.*?```|`[^`\n]+`|[A-Za-z0-9+/=_-]{81,}"),
    ("tag", r"<!--.*?-->|</?[A-Za-z][\w:.-]*(?:\s+[^<>]*)?/?>|&(?:#\d+|#x[\da-fA-F]+|\w+);"),
    ("email", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    (
        "url",
        rf"(?:https?|ftp|file)://[^\s<>\"'{HAN}，。；：！？、（）「」『』《》“”]+?{_END}"
        rf"|www\.[^\s<>\"'{HAN}，。；：！？、（）「」『』《》“”]+?{_END}",
    ),
    (
        "placeholder",
        r"\$\{[^{}\n]*\}|\{\\[^{}\n]*\}|\{\{[^{}\n]*\}\}|\{[\w.:!,#-]*\}"
        r"|%\(\w+\)[#0+ -]*\d*(?:\.\d+)?[a-zA-Z]"
        r"|%(?:\d+\$)?[-+0#]*\d*(?:\.\d+)?[sdifgexXcu@](?![\w%])|%\{\w+\}|%%",
    ),
    (
        "emoji",
        "(?:[\U0001f1e6-\U0001f1ff]{2}|[\u2600-\u27bf\U0001f300-\U0001faff]"
        "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*(?:\u200d[\u2600-\u27bf\U0001f300-\U0001faff]"
        "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*)*)+",
    ),
)
_ANY = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a source that stands in its translation as it is."""

    start: int
    end: int
    text: str
    kind: Kind


def protected(text: str, keep: Sequence[str] = ()) -> list[Span]:
    """The spans of `text` that are not translated, in order, none within another.

    Args:
        text: the source.
        keep: terms that are not translated either. A term that begins or ends with a letter of a
            language with spaces stands at the border of a word there; case counts.
    """
    found = [
        Span(each.start(), each.end(), each.group(), _kind(each)) for each in _ANY.finditer(text)
    ]
    for term in sorted(set(keep), key=len, reverse=True):
        for start in _places(term, text):
            end = start + len(term)
            if not any(start < each.end and end > each.start for each in found):
                found.append(Span(start, end, term, "term"))
    return sorted(found, key=lambda span: span.start)


def _kind(match: re.Match[str]) -> Kind:
    return next(kind for kind, _ in _PATTERNS if match.group(kind) is not None)


def _places(term: str, text: str) -> Iterator[int]:
    if not term.strip():
        return
    before = r"(?<!\w)" if spaced(term[0]) else ""
    after = r"(?!\w)" if spaced(term[-1]) else ""
    # A Chinese character beside a Latin word is no letter of it.
    before = before.replace(r"\w", rf"[^\W{HAN}]")
    after = after.replace(r"\w", rf"[^\W{HAN}]")
    for each in re.finditer(before + re.escape(term) + after, text):
        yield each.start()


def spaced(letter: str) -> bool:
    """Whether a letter belongs to a script that puts spaces between words."""
    return (letter.isalnum() or letter == "_") and not re.match(f"[{HAN}]", letter)


def around(text: str, spans: Sequence[Span]) -> list[str | Span]:
    """The text cut at its spans: what is translated, and what is not."""
    made: list[str | Span] = []
    done = 0
    for span in spans:
        if span.start > done:
            made.append(text[done : span.start])
        made.append(span)
        done = span.end
    if done < len(text):
        made.append(text[done:])
    return made
