"""Nim against an opponent who errs: every position and what it is worth is known.

Some heaps of counters; a move takes any number from one heap; who takes the last counter wins.
The policy moves first, by two words, the heap and how many: `b 2`. A win earns 1, a loss or a
move that is none earns 0.

The opponent plays the winning move (Bouton 1901: leave heaps whose exclusive or is 0) with
probability `skill` where there is one, and any move otherwise, all alike. So the value of every
position under any policy is a finite sum, and the optimum the fixed point of value iteration. The
log is played by such a player as well, of skill `logged`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from math import log
from operator import xor
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

Heaps = tuple[int, ...]
Move = tuple[int, int]  # which heap, how many
LETTERS = "abcd"
MOST = 7
"""Counters in the largest heap."""
WORDS = Words((*LETTERS, *map(str, range(MOST + 1)), "heaps"))


@dataclass(eq=False)
class Nim:
    """One game at a time; its log; its optimum."""

    heaps: Heaps = (3, 4, 5)
    """The largest heaps a game begins with: every heap begins with 1 up to this many."""
    skill: float = 0.5
    """How often the opponent finds the winning move."""
    logged: float = 0.2
    """The same of the player whose games are the log."""
    seed: int = 0
    """Of the log."""
    _now: Heaps = field(default=(), init=False, repr=False)
    _stream: np.random.Generator | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        sizes = all(1 <= heap <= MOST for heap in self.heaps)
        rules = {
            "heaps": (1 <= len(self.heaps) <= 4 and sizes, f"1 to 4 heaps of 1 to {MOST}"),
            "skill": (0 <= self.skill <= 1, "in [0, 1]"),
            "logged": (0 <= self.logged <= 1, "in [0, 1]"),
        }
        require("nim", self, rules)

    @cached_property
    def starts(self) -> list[Heaps]:
        """The positions games begin with, each as likely."""
        return list(product(*(range(1, heap + 1) for heap in self.heaps)))

    @cached_property
    def optimum(self) -> float:
        """The exact share of games the best policy wins."""
        return fmean(self.value(start) for start in self.starts)

    @cached_property
    def quality(self) -> float:
        """The exact share of games the log's player wins."""
        return fmean(self.value(start, self.logged) for start in self.starts)

    def value(self, heaps: Heaps, skill: float | None = None) -> float:
        """Chance to win for the side to move: the best policy's, or that of a player of `skill`."""
        return _value(heaps, self.skill, skill)

    def best(self, heaps: Heaps) -> Move:
        """The first of the moves that win oftenest."""
        return max(moves(heaps), key=lambda move: _after(left(heaps, move), self.skill, None))

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin a game; the seed draws the heaps and the opponent's moves.

        Returns:
            `heaps` and their counters, and the chance to win of the best policy.
        """
        self._stream = generator(self.seed if seed is None else seed, "nim")
        self._now = self.starts[int(self._stream.integers(len(self.starts)))]
        return told(self._now), {"value": self.value(self._now)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take counters, and let the opponent answer.

        Returns:
            the heaps as the opponent leaves them, 1 for a win and else 0, terminated (somebody
            took the last counter, or the reply was no move), truncated (never), information (none).
        """
        if self._stream is None:
            raise RuntimeError("reset must be called before step")
        move = read(action)
        if move not in moves(self._now):
            return self._over(0.0)
        mine = left(self._now, move)
        if not any(mine):
            return self._over(1.0)
        shares = likelihoods(mine, self.skill)
        answer = list(shares)[_draw(self._stream, list(shares.values()))]
        self._now = left(mine, answer)
        if not any(self._now):
            return self._over(0.0)
        return told(self._now), 0.0, False, False, {}

    def _over(self, earned: float) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._stream = None
        return "", earned, True, False, {}

    def log(self, episodes: int = 2000) -> list[Episode]:
        """Games of the log's player with its exact propensities."""
        return [self._episode(number) for number in range(episodes)]

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word: 15 tokens."""
        return WORDS.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return WORDS.model("nim", seed)

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "nim", "log", number)
        stream = generator(place, "player")
        game = Nim(self.heaps, self.skill)
        heard, _ = game.reset(seed=place)
        turns, over = [], False
        while not over:
            turns.append(Turn("observation", heard))
            shares = likelihoods(game._now, self.logged)
            heap, count = move = list(shares)[_draw(stream, list(shares.values()))]
            heard, reward, over, _, _ = game.step(f"{LETTERS[heap]} {count}")
            # First the heap is chosen, then how many: the two words share the move's propensity.
            of_heap = sum(share for (other, _), share in shares.items() if other == heap)
            logprobs = [log(of_heap), log(shares[move] / of_heap)]
            turns.append(WORDS.reply(f"{LETTERS[heap]} {count}", logprobs, reward))
        return Episode(
            turns=tuple(turns),
            id=f"{derive(place, 'id'):016x}",
            time=0.0,
            app="nim",
            tokenizer=WORDS.fingerprint,
        )


def told(heaps: Heaps) -> str:
    """A position in words."""
    return " ".join(["heaps", *map(str, heaps)])


def read(action: str) -> Move | None:
    """The move a reply names, if it names one."""
    words = action.split()
    if len(words) != 2 or words[0] not in LETTERS or not words[1].isdigit():
        return None
    return LETTERS.index(words[0]), int(words[1])


def moves(heaps: Heaps) -> list[Move]:
    """Every move there is."""
    return [(heap, count) for heap, size in enumerate(heaps) for count in range(1, size + 1)]


def left(heaps: Heaps, move: Move) -> Heaps:
    """What a move leaves."""
    heap, count = move
    return (*heaps[:heap], heaps[heap] - count, *heaps[heap + 1 :])


def likelihoods(heaps: Heaps, skill: float) -> dict[Move, float]:
    """Probability of each move of a player of `skill`."""
    every = moves(heaps)
    winning = [move for move in every if _balance(left(heaps, move)) == 0]
    shares = dict.fromkeys(every, (1 - skill if winning else 1.0) / len(every))
    for move in winning:
        shares[move] += skill / len(winning)
    return shares


def _balance(heaps: Heaps) -> int:
    """The exclusive or of the heaps; 0 is lost for the side to move, against a perfect player."""
    total = 0
    for heap in heaps:
        total = xor(total, heap)
    return total


@cache
def _value(heaps: Heaps, opponent: float, own: float | None) -> float:
    """Chance to win for the side to move; `own` None plays best."""
    worth = {move: _after(left(heaps, move), opponent, own) for move in moves(heaps)}
    if own is None:
        return max(worth.values())
    return sum(share * worth[move] for move, share in likelihoods(heaps, own).items())


@cache
def _after(heaps: Heaps, opponent: float, own: float | None) -> float:
    """Chance to win once one has left `heaps` to the opponent."""
    if not any(heaps):
        return 1.0
    answers = ((left(heaps, move), p) for move, p in likelihoods(heaps, opponent).items())
    return sum(p * _value(then, opponent, own) for then, p in answers if any(then))


def _draw(stream: np.random.Generator, shares: list[float]) -> int:
    return int(stream.choice(len(shares), p=np.array(shares) / sum(shares)))
