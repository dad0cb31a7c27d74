"""A text with labelled stretches in it, such as the names of people and places, to be changed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from speaq.core.errors import DataError
from speaq.text.files.examples import Span


@dataclass(frozen=True)
class Marked:
    """A text and its spans in order; they may overlap or hold one another.

    Raises:
        DataError: a span that is empty or not inside of the text.
    """

    text: str
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        for span in self.spans:
            if not 0 <= span.start < span.end <= len(self.text):
                raise DataError(
                    f"the span {span.start}–{span.end} ({span.label}) is empty or outside of the "
                    f"text of {len(self.text)} characters.",
                    f"区间 {span.start}–{span.end}（{span.label}）为空或超出"
                    f"长度为 {len(self.text)} 个字符的文本。",
                )
        ordered = sorted(self.spans, key=lambda span: (span.start, span.end, span.label))
        object.__setattr__(self, "spans", tuple(ordered))

    def covered(self) -> list[tuple[str, str]]:
        """What each span covers, with its label, in order."""
        return [(self.text[span.start : span.end], span.label) for span in self.spans]

    def clusters(self) -> list["Cluster"]:
        """The stretches that the spans cover; those that overlap share one."""
        found: list[Cluster] = []
        for span in self.spans:
            if found and span.start < found[-1].end:
                last = found[-1]
                joined = Cluster(last.start, max(last.end, span.end), (*last.spans, span))
                found[-1] = joined
            else:
                found.append(Cluster(span.start, span.end, (span,)))
        return found


class Cluster(NamedTuple):
    """A stretch of a text that one span covers, or several that overlap."""

    start: int
    end: int
    spans: tuple[Span, ...]


def moved(span: Span, distance: int) -> Span:
    """The same span so many characters further on."""
    return replace(span, start=span.start + distance, end=span.end + distance)


def join(pieces: Iterable[Marked]) -> Marked:
    """The pieces one after the other as one text; every span keeps its words."""
    texts: list[str] = []
    spans: list[Span] = []
    length = 0
    for piece in pieces:
        texts.append(piece.text)
        spans += [moved(span, length) for span in piece.spans]
        length += len(piece.text)
    return Marked("".join(texts), tuple(spans))
