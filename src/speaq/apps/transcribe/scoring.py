"""How wrong a transcript is: word and character error rates with their three kinds of error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speaq.apps.transcribe.recordings import plain
from speaq.core.errors import EvidenceError


@dataclass(frozen=True)
class Errors:
    """Counts over transcripts."""

    substituted: int
    deleted: int
    """Said but not heard."""
    inserted: int
    """Heard but not said."""
    wanted: int
    """Words, or characters, that were said."""

    @property
    def rate(self) -> float:
        """Errors for each that was said; may exceed 1.

        Raises:
            EvidenceError: nothing was said.
        """
        if not self.wanted:
            raise EvidenceError(
                "an error rate needs at least one word that was said.",
                "计算错误率至少需要一个说过的词。",
            )
        return (self.substituted + self.deleted + self.inserted) / self.wanted

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.substituted + other.substituted,
            self.deleted + other.deleted,
            self.inserted + other.inserted,
            self.wanted + other.wanted,
        )

    def __str__(self) -> str:
        kinds = f"S {self.substituted} D {self.deleted} I {self.inserted} N {self.wanted}"
        return f"{self.rate:.4f} ({kinds})"


def total(each: Sequence[Errors]) -> Errors:
    """The sum over transcripts."""
    return sum(each, Errors(0, 0, 0, 0))


def word_errors(wanted: str, found: str) -> Errors:
    """WER's counts, on what `plain` leaves of both texts."""
    return compared(plain(wanted).split(), plain(found).split())


def character_errors(wanted: str, found: str) -> Errors:
    """CER's counts, on what `plain` leaves of both texts; the one for Chinese."""
    return compared(plain(wanted), plain(found))


def compared(wanted: Sequence[str], found: Sequence[str]) -> Errors:
    """The fewest edits (Levenshtein 1966) that make one sequence of the other, by kind."""
    costs = np.zeros((len(wanted) + 1, len(found) + 1), dtype=np.int64)
    costs[:, 0] = np.arange(len(wanted) + 1)
    costs[0] = np.arange(len(found) + 1)
    places = np.arange(1, len(found) + 1)
    ids = {each: number for number, each in enumerate(dict.fromkeys([*wanted, *found]))}
    marks = np.array([ids[each] for each in found], dtype=np.int64)
    for row, each in enumerate(wanted, 1):
        apart = costs[row - 1, :-1] + (marks != ids[each])
        best = np.minimum(apart, costs[row - 1, 1:] + 1)
        # What is inserted costs 1 a place: a running minimum after the slope is taken off.
        reached = np.minimum.accumulate(np.concatenate([[row], best - places]))
        costs[row, 1:] = reached[1:] + places
    return _told(costs, wanted, found)


def _told(costs: NDArray[np.int64], wanted: Sequence[str], found: Sequence[str]) -> Errors:
    """The kinds of edit along one cheapest way back."""
    row, place = len(wanted), len(found)
    substituted = deleted = inserted = 0
    while row or place:
        here = costs[row, place]
        same = bool(row and place) and wanted[row - 1] == found[place - 1]
        if row and place and here == costs[row - 1, place - 1] + (not same):
            substituted += not same
            row, place = row - 1, place - 1
        elif row and here == costs[row - 1, place] + 1:
            deleted += 1
            row -= 1
        else:
            inserted += 1
            place -= 1
    return Errors(substituted, deleted, inserted, len(wanted))
