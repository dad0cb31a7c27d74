"""Floors of writing: the first sentences of the source, and the source as it is."""

from collections.abc import Sequence

from speaq.text.sentences import sentences


def lead(sources: Sequence[str], count: int = 3) -> list[str]:
    """The first `count` sentences of each source: for news a summary that is hard to beat."""
    return [_joined(sentences(source)[:count]) for source in sources]


def _joined(parts: Sequence[str]) -> str:
    made = ""
    for part in parts:
        # Chinese sentences follow each other without a space.
        spaced = made and made[-1].isascii() and part[:1].isascii()
        made += f" {part}" if spaced else part
    return made


def copied(sources: Sequence[str]) -> list[str]:
    """The sources themselves: what a translation shares with its source, names and numbers."""
    return list(sources)
