"""The longest span that texts share with the texts a model was trained on.

Every run of k characters becomes a number (a polynomial modulo 2⁶⁴, Rabin & Karp 1987), for all
places at once; runs of the training text that are among those of the written text are looked at
character by character, so that equal numbers of different runs mislead nobody. The length is found
by halving, so a megabyte takes seconds, not minutes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FLAG = 50
"""Characters from which on a span counts as copied."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_PIECE = 1 << 21
"""Characters of the training text that are looked at together; what marks parts is no text."""

Numbers = NDArray[np.uint64]


@dataclass(frozen=True)
class Copied:
    """The longest shared span."""

    length: int
    span: str
    text: int
    """Which of the written texts it stands in; -1 if nothing is shared."""

    @property
    def flagged(self) -> bool:
        """Whether it is long enough to be called copied."""
        return self.length >= FLAG


def longest_copied(written: Sequence[str], training: Iterable[str]) -> Copied:
    """The longest span of one of the `written` texts that stands in one of `training`.

    White space counts as one space, as line ends are often lost on the way.
    """
    plain = [" ".join(text.split()) for text in written]
    ours = "\0".join(plain)
    codes = _codes(ours)
    length, place = 0, 0
    for piece in _pieces(training):
        theirs = _codes(piece)
        most = min(len(codes), len(theirs))
        while length < most and (found := _shared(codes, theirs, length + 1)) is not None:
            length, place = _extent(ours, piece, *found, least=length + 1)
            # Towards the longest by doubling the step, then halving it.
            step = max(1, length)
            while step:
                if (further := _shared(codes, theirs, length + step)) is not None:
                    length, place = _extent(ours, piece, *further, least=length + step)
                else:
                    step //= 2
    if not length:
        return Copied(0, "", -1)
    return Copied(length, ours[place : place + length], ours.count("\0", 0, place))


def _pieces(training: Iterable[str]) -> Iterable[str]:
    """The training text in large pieces; spans across two texts are none."""
    held: list[str] = []
    size = 0
    for text in training:
        plain = " ".join(text.split())
        held.append(plain)
        size += len(plain)
        if size >= _PIECE:
            yield "\n".join(held)
            held, size = [], 0
    if held:
        yield "\n".join(held)


def _shared(ours: Numbers, theirs: Numbers, length: int) -> tuple[int, int] | None:
    """The first run of `length` codes of ours that is one of theirs: its place in both."""
    if length > min(len(ours), len(theirs)):
        return None
    runs, others = _runs(ours, length), _runs(theirs, length)
    order = np.argsort(runs, kind="stable")
    places = np.searchsorted(runs[order], others)
    places[places == len(runs)] = 0
    for there in np.flatnonzero(runs[order][places] == others).tolist():
        here = int(order[places[there]])
        if np.array_equal(ours[here : here + length], theirs[there : there + length]):
            return here, there
    return None


def _extent(one: str, other: str, place: int, there: int, *, least: int) -> tuple[int, int]:
    """How long the span from two places on is, at least `least`, and where it begins in one."""
    length = least
    while one[place + length : place + length + 1] == other[there + length : there + length + 1]:
        if place + length == len(one):
            break
        length += 1
    return length, place


def _codes(text: str) -> Numbers:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def _runs(codes: Numbers, length: int) -> Numbers:
    """A number for each run of `length` codes: (n,) -> (n - length + 1,).

    Σ_j c_{i+j} B^(length-1-j), by doubling: a run of 2k is a run of k shifted by B^k, plus the
    next one.
    """
    count = len(codes) - length + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    made = np.zeros(count, np.uint64)
    place, power, runs, size = 0, _BASE, codes, 1
    rest = length
    with np.errstate(over="ignore"):
        while rest:
            if rest & 1:
                made = made * power + runs[place : place + count]
                place += size
            rest >>= 1
            if rest:
                runs = runs[: len(runs) - size] * power + runs[size:]
                power, size = power * power, 2 * size
    return made
