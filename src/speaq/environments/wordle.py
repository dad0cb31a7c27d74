"""Wordle: find a secret word of five letters in six guesses, each answered with colours.

The policy writes a word; the answer marks each letter 🟩 (right), 🟨 (elsewhere in the word) or ⬛
(neither). Every guess that is not the secret earns -1, so the return of a game is between 0 and
-6. What a guess is worth is what it tells about the words that remain: the observation is partial,
the reward for a telling guess comes turns later.

The rules, and the make-up of the log, are LMRL-Gym's (Abdulhai et al. 2023). There the log of its
400-word list earns -4.12, ILQL -2.04, and a near-optimal player -1.94; here the log earns -4.1,
the player who guesses what tells most -1.937, and the optimum is -1.900, exactly. Differences:
answers are coloured squares rather than letters, and a guess outside the list spends a guess and
is answered ❔.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError, SettingsError
from speaq.core.seeds import derive, generator
from speaq.environments.letters import letter_tokenizer
from speaq.environments.wordle_search import LENGTH, SOLVED, Search, answers, digits
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

START = ">"
COLOURS = "⬛🟨🟩"
"""Neither, elsewhere, right: in the order of the digits of `wordle_search.answers`."""
UNKNOWN = "❔"
SIGNS = Words((*ascii_lowercase, *COLOURS, UNKNOWN, START))


class Wordle:
    """One game at a time over a list of words; the log; the optimum.

    Args:
        words: a text file of words, one a line, or the words themselves. The secret is one of
            them, each as likely, and so must be the guesses.
        first: use only so many words from the top of the list; 0 uses all.
        guesses: of one game.
        consistent: share of the log's guesses drawn from the words that agree with all answers so
            far; the others are drawn from the whole list.
        seed: of games and log.

    Raises:
        DataError: a word that is not five letters from a to z, or comes twice; fewer than two.
        SettingsError: a setting out of range.
    """

    def __init__(
        self,
        words: Path | str | Sequence[str],
        *,
        first: int = 0,
        guesses: int = 6,
        consistent: float = 0.34,
        seed: int = 0,
    ) -> None:
        file, listed = _read(words) if isinstance(words, Path | str) else (None, list(words))
        self.words = _checked(listed[: first or None], file)
        rules = {
            "first": (first, 0 <= first <= len(listed), f"from 0 to {len(listed)}"),
            "guesses": (guesses, guesses >= 1, "≥ 1"),
            "consistent": (consistent, 0 <= consistent <= 1, "in [0, 1]"),
        }
        for name, (value, good, wanted) in rules.items():
            if not good:
                raise SettingsError(
                    f"wordle setting {name} = {value} must be {wanted}.",
                    f"wordle 的 {name} = {value} 必须 {wanted}。",
                )
        self.guesses, self.consistent, self.seed = guesses, consistent, seed
        self._places = {word: place for place, word in enumerate(self.words)}
        self._always: str | None = None
        self._secret = -1
        self._left = 0

    def beside(self, secret: str | None = None) -> "Wordle":
        """Another game over the same list, to be played side by side; always with `secret`, or
        with one drawn by the seed of `reset`."""
        other = copy.copy(self)
        other._left, other._always = 0, secret
        return other

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """(N, N) what guess i is answered if the secret is j; see `wordle_search.answers`."""
        return answers(self.words)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin a game. `options={"secret": "crane"}` names the secret, else `seed` draws it.

        Returns:
            a sign that the first guess is due, and the secret.
        """
        secret = (options or {}).get("secret", self._always)
        if secret is None:
            stream = generator(self.seed if seed is None else seed, "wordle", "secret")
            secret = self.words[int(stream.integers(len(self.words)))]
        if secret not in self._places:
            raise SettingsError(
                f"wordle cannot hide '{secret}'; it is not one of the {len(self.words)} words.",
                f"wordle 不能以“{secret}”为谜底；它不在这 {len(self.words)} 个词之中。",
            )
        self._secret, self._left = self._places[secret], self.guesses
        return START, {"secret": secret}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Answer a guess.

        Returns:
            five colours, 0 if the guess was the secret and else -1, terminated (guessed, or the
            last guess spent), truncated (never), and information (none).
        """
        if not self._left:
            raise RuntimeError("reset must be called before step")
        guess = self._places.get(action.strip())
        self._left -= 1
        if guess is None:
            return UNKNOWN * LENGTH, -1.0, not self._left, False, {}
        answer = int(self.table[guess, self._secret])
        if answer == SOLVED:
            self._left = 0
        return _shown(answer), 0.0 if answer == SOLVED else -1.0, not self._left, False, {}

    def log(self, episodes: int) -> list[Episode]:
        """Games of a player who mostly guesses at random, see `consistent`.

        Of two logs of one environment the shorter is the beginning of the longer.
        """
        return [self._game(number) for number in range(episodes)]

    def optimum(self) -> float:
        """The mean return over all secrets of the best policy there is, exactly.

        A second for 400 words, half a minute for 800.
        """
        return Search(self.table, self.guesses).optimum()

    def entropy_return(self) -> float:
        """The mean return of always guessing what tells most: from below, near the optimum."""
        return Search(self.table, self.guesses).entropy()

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token for each letter, colour and sign: 33."""
        return letter_tokenizer(SIGNS.listed)

    def model(self, seed: int = 0, *, layers: int = 2, width: int = 64) -> "LanguageModel":
        """An untrained Llama for `tokenizer` that can hold a whole game; see `Words.model`."""
        context = 1 + self.guesses * (2 * LENGTH + 1)
        model = SIGNS.model("wordle", seed, layers=layers, width=width, context=context)
        return replace(model, tokenizer=self.tokenizer)

    def _game(self, number: int) -> Episode:
        stream = generator(self.seed, "wordle", "game", number)
        everything = np.arange(len(self.words))
        secret, candidates = int(stream.choice(everything)), everything
        turns = [Turn("observation", START)]
        for left in reversed(range(self.guesses)):
            pool = candidates if stream.random() < self.consistent else everything
            guess = int(stream.choice(pool))
            answer = self.table[guess, secret]
            solved = bool(answer == SOLVED)
            turns.append(Turn("action", self.words[guess], reward=0.0 if solved else -1.0))
            if solved or not left:
                break
            turns.append(Turn("observation", _shown(int(answer))))
            candidates = candidates[self.table[guess, candidates] == answer]
        return Episode(
            turns=tuple(turns),
            id=f"{derive(self.seed, 'wordle', len(self.words), number):016x}",
            time=0.0,
            app="wordle",
        )


def _read(words: Path | str) -> tuple[Path, list[str]]:
    file = Path(words)
    return file, file.read_text("utf-8").split()


def _shown(answer: int) -> str:
    return "".join(COLOURS[digit] for digit in digits(answer))


def _checked(words: list[str], file: Path | None) -> list[str]:
    met = set()
    for row, word in enumerate(words, 1):
        if len(word) != LENGTH or not set(word) <= set(ascii_lowercase):
            raise DataError(
                f"'{word}' is not a word of five letters from a to z.",
                f"“{word}”不是由 a 到 z 组成的五字母词。",
                file=file,
                row=row,
            )
        if word in met:
            raise DataError(f"'{word}' comes twice.", f"“{word}”重复出现。", file=file, row=row)
        met.add(word)
    if len(words) < 2:
        raise DataError(
            f"wordle needs at least 2 words; there are {len(words)}.",
            f"wordle 至少需要 2 个词；现有 {len(words)} 个。",
            file=file,
        )
    return words
