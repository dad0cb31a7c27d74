"""A text as words and what stands between them, to be changed without hurting its spans.

Stretches that spans cover are one unit each and are never cut; whatever else happens to a text,
a span's words stay together, and the span with them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from speaq.text.files.examples import Span
from speaq.text.marked import Marked, join, moved
from speaq.text.segmentation import Place
from speaq.text.units import HAN

Cut = Callable[[str], list[Place]]
"""The places of the words in a text."""

_HAN = re.compile(rf"[{HAN}]")
_LEADING = " ,;，；、\t\n\x1f"
"""What no text begins with, and what no sentence's end follows."""
_FINAL = ".!?。！？"


@dataclass(frozen=True)
class Unit:
    """A word, or a stretch that spans cover."""

    text: str
    spans: tuple[Span, ...] = ()
    """Their places counted from the beginning of the unit."""
    origin: int | None = None
    """Where it stood in the text that was given; None for one that was put in."""

    @property
    def free(self) -> bool:
        """Whether it is an ordinary word."""
        return not self.spans


@dataclass(frozen=True)
class Line:
    """N units and the N + 1 gaps before, between and behind them: blanks and punctuation."""

    units: tuple[Unit, ...]
    gaps: tuple[str, ...]
    joint: str = " "
    """What keeps two words apart that would run together."""

    @classmethod
    def of(cls, marked: Marked, cut: Cut, joint: str = " ") -> "Line":
        """The line of a text."""
        units: list[Unit] = []
        gaps: list[str] = []
        last = 0
        for start, end, spans in _units(marked, cut):
            gaps.append(marked.text[last:start])
            own = tuple(moved(span, -start) for span in spans)
            units.append(Unit(marked.text[start:end], own, len(units)))
            last = end
        return cls(tuple(units), (*gaps, marked.text[last:]), joint)

    def marked(self) -> Marked:
        """The text of the line."""
        pieces = [Marked(self.gaps[0])]
        for place, unit in enumerate(self.units):
            if place:
                pieces.append(Marked(self._between(place)))
            pieces.append(Marked(unit.text, unit.spans))
        if self.units:
            pieces.append(Marked(self.gaps[-1]))
        return join(pieces)

    def _between(self, place: int) -> str:
        """The gap before a unit; neighbours that are new to each other are kept apart."""
        left, right, gap = self.units[place - 1], self.units[place], self.gaps[place]
        met = left.origin is not None and right.origin == left.origin + 1
        return self.joint if not gap and not met and self._runs_together(left, right) else gap

    def _runs_together(self, left: Unit, right: Unit) -> bool:
        return self.joint != " " or not (is_han(left.text[-1:]) or is_han(right.text[:1]))

    def put(self, place: int, unit: Unit) -> "Line":
        """The line with a unit before the one at `place`; N: behind the last word, before the
        full stop."""
        gaps = list(self.gaps)
        # An empty gap: `_between` adds what these words need.
        gaps.insert(place if place == len(self.units) else place + 1, "")
        units = (*self.units[:place], unit, *self.units[place:])
        return replace(self, units=units, gaps=tuple(gaps))

    def marked_off(self, place: int, mark: str) -> "Line":
        """The line with a punctuation mark behind a unit, where it has none."""
        # Where blanks part everything, they part a mark from its word, too.
        gap = ("" if self.joint == " " else self.joint) + mark + self.gaps[place + 1]
        gaps = (*self.gaps[: place + 1], gap, *self.gaps[place + 2 :])
        return replace(self, gaps=gaps)

    def without(self, place: int) -> "Line":
        """The line without one unit; of the gaps beside it, one is left."""
        before, after = self.gaps[place], self.gaps[place + 1]
        if place == 0 and not before.strip():
            after = after.lstrip(_LEADING)
        elif before[-1:].isspace() and after[:1].isspace():
            after = after.lstrip()
        elif before.isspace() or after[:1] in tuple(_FINAL):
            # "good, bad." becomes "good." rather than "good,."
            before = before.rstrip(_LEADING)
        gaps = (*self.gaps[:place], before + after, *self.gaps[place + 2 :])
        return replace(self, units=self.units[:place] + self.units[place + 1 :], gaps=gaps)

    def changed(self, place: int, unit: Unit) -> "Line":
        """The line with another unit at a place."""
        return replace(self, units=(*self.units[:place], unit, *self.units[place + 1 :]))


def is_han(letter: str) -> bool:
    """Whether a character is Chinese."""
    return bool(_HAN.fullmatch(letter))


def _units(marked: Marked, cut: Cut) -> list[tuple[int, int, Sequence[Span]]]:
    """Clusters of spans and the words outside of them, in order."""
    found: list[tuple[int, int, Sequence[Span]]] = []
    last = 0
    for cluster in marked.clusters():
        found += _words(marked.text, last, cluster.start, cut)
        found.append(cluster)
        last = cluster.end
    return found + _words(marked.text, last, len(marked.text), cut)


def _words(text: str, start: int, end: int, cut: Cut) -> list[tuple[int, int, Sequence[Span]]]:
    return [(start + a, start + b, ()) for a, b in cut(text[start:end])]
