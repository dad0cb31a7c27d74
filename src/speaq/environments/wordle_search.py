"""Playing Wordle well over a known list: colours, the exact optimum, and a good policy at once.

A position is the set of words that agree with every answer so far. A policy is a tree of such
sets, so what it earns is summed exactly, without a game being played.
"""

import math

import numpy as np
from numpy.typing import NDArray

LENGTH = 5
"""Letters of a word."""
SOLVED = 3**LENGTH - 1
"""The answer in which every letter is right."""

Positions = NDArray[np.int64]  # (n,) places of words in the list


def colours(guess: str, secret: str) -> NDArray[np.uint8]:
    """What each letter of a guess is told, (5,): 2 right, 1 elsewhere in the secret, 0 neither.

    A letter is coloured as often as the secret holds it: the right places first, then the others
    from the left.
    """
    told: NDArray[np.uint8] = _colours(_letters(guess), _letters(secret)[None])[0]
    return told


def answers(words: list[str]) -> NDArray[np.uint8]:
    """(N, N) the answer to guess i if the secret is j, as a number of five digits in base 3."""
    letters = np.stack([_letters(word) for word in words])  # (N, 5)
    places = 3 ** np.arange(LENGTH)
    table: NDArray[np.uint8] = np.stack(
        [(_colours(guess, letters) @ places).astype(np.uint8) for guess in letters]
    )
    return table


def digits(answer: int) -> NDArray[np.uint8]:
    """The colours (5,) behind a number of `answers`."""
    told: NDArray[np.uint8] = (answer // 3 ** np.arange(LENGTH) % 3).astype(np.uint8)
    return told


def _letters(word: str) -> NDArray[np.uint8]:
    return np.frombuffer(word.encode("ascii"), np.uint8)


def _colours(guess: NDArray[np.uint8], secrets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Guess (5,) against secrets (N, 5) -> (N, 5)."""
    right = secrets == guess
    colour: NDArray[np.uint8] = 2 * right.astype(np.uint8)
    spent = np.zeros((len(secrets), 256), np.int64)  # by letter, how many were coloured yellow
    for place, letter in enumerate(guess):
        # What the secret holds of the letter beyond the places where it is right.
        spare = ((secrets == letter) & ~right).sum(1) - spent[:, letter]
        yellow = ~right[:, place] & (spare > 0)
        colour[yellow, place] = 1
        spent[yellow, letter] += 1
    return colour


class Search:
    """What policies earn over all secrets of a list, each as likely.

    Args:
        table: (N, N) of `answers`.
        guesses: how many a game has.
    """

    def __init__(self, table: NDArray[np.uint8], guesses: int) -> None:
        self.table = table
        self.guesses = guesses
        self._known: dict[tuple[bytes, int], int] = {}

    def optimum(self) -> float:
        """The best mean return, exactly: branch and bound over sets of candidates."""
        everything = np.arange(len(self.table))
        return -self._fewest(everything, self.guesses) / len(everything)

    def entropy(self) -> float:
        """The mean return of guessing what tells most, a lower bound on the optimum."""
        everything = np.arange(len(self.table))
        return -self._by_entropy(everything, self.guesses) / len(everything)

    def parts(self, guess: int, candidates: Positions) -> list[Positions]:
        """The candidates by what the guess would be answered; without the guess itself."""
        told = self.table[guess, candidates]
        return [candidates[told == answer] for answer in np.unique(told) if answer != SOLVED]

    def _fewest(self, candidates: Positions, left: int) -> int:
        """Least total of failed guesses over all candidates, with `left` guesses to go."""
        n = len(candidates)
        if left <= 1 or n <= 2:
            # One guess can be right for one candidate; of two, the second guess is the other.
            return max(0, n - 1) if left else 0
        key = (candidates.tobytes(), left)
        if key not in self._known:
            self._known[key] = self._search(candidates, left)
        return self._known[key]

    def _search(self, candidates: Positions, left: int) -> int:
        bounds, order = self._bounds(candidates)
        best = len(candidates) * left
        for guess in order.tolist():
            if bounds[guess] >= best:
                break
            best = min(best, self._after(guess, candidates, left, int(bounds[guess]), best))
        return best

    def _bounds(self, candidates: Positions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Least that each guess could come to, (N,), and the guesses in that order.

        Every candidate that is not the guess costs one, and in each part all but one another.
        """
        told = np.sort(self.table[:, candidates], axis=1)  # (N, n)
        distinct = 1 + (np.diff(told, axis=1) != 0).sum(1)
        hits = told[:, -1] == SOLVED
        n = len(candidates)
        bounds = np.where(hits, n - 1 + (n - 1) - (distinct - 1), n + n - distinct)
        bounds[(distinct == 1) & ~hits] = n * (self.guesses + 1)  # tells nothing: never better
        return bounds, np.argsort(bounds, kind="stable")

    def _after(self, guess: int, candidates: Positions, left: int, bound: int, limit: int) -> int:
        """Total of failed guesses if `guess` comes next; any number ≥ `limit` if not below it."""
        total = bound
        for part in sorted(self.parts(guess, candidates), key=len):
            total += self._fewest(part, left - 1) - (len(part) - 1)
            if total >= limit:
                break
        return total

    def _by_entropy(self, candidates: Positions, left: int) -> int:
        n = len(candidates)
        if left == 0 or n == 1:
            return 0
        guess = self._telling(candidates)
        failed = n - int(guess in candidates)
        return failed + sum(
            self._by_entropy(part, left - 1) for part in self.parts(guess, candidates)
        )

    def _telling(self, candidates: Positions) -> int:
        """The guess of greatest entropy of its answer; a candidate among equals."""
        told = self.table[:, candidates].astype(np.int64)
        counts = np.stack([np.bincount(row, minlength=SOLVED + 1) for row in told])
        shares = counts / len(candidates)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(1)
        entropy[candidates] += math.ulp(1.0) * 2**20
        return int(np.argmax(entropy))
