"""A key now, a door much later: credit has to find its way over many turns that do not matter.

The first observation names the door's colour, and the reply names the key to take. Then follow
`delay` turns in a hall, each of which pays `noise` or costs it, each as likely and whatever is
said. At last stands the door: `open` with the right key earns 1. What was decided in the first
reply is paid in the last, behind rewards that are all luck.

The optimum is 1, exactly: halls pay nothing on average. The log takes any key, walks or waits, and
opens every other door, so it earns 1 / (2 · colours), exactly. After the key-to-door tasks of Hung
et al. (2019, *Optimizing agent behavior over long time scales by transporting value*).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

COLOURS = ("red", "green", "blue", "white", "black", "yellow", "brown", "grey")
WORDS = Words((*COLOURS, "walk", "wait", "open", "door", "key", "hall"))
OPTIMUM = 1.0


@dataclass(eq=False)
class KeyDoor:
    """One episode at a time; its log; its optimum."""

    colours: int = 4
    """Keys to choose from, 2 to 8."""
    delay: int = 8
    """Turns in the hall."""
    noise: float = 0.5
    """What a turn in the hall pays or costs."""
    seed: int = 0
    """Of the log."""
    _luck: list[float] = field(default_factory=list, init=False, repr=False)
    _door: str = field(default="", init=False, repr=False)
    _key: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "colours": (2 <= self.colours <= len(COLOURS), f"2 to {len(COLOURS)}"),
            "delay": (self.delay >= 0, "≥ 0"),
            "noise": (self.noise >= 0, "≥ 0"),
        }
        require("key-door", self, rules)

    @property
    def optimum(self) -> float:
        """The exact mean return of the best policy."""
        return OPTIMUM

    @property
    def quality(self) -> float:
        """The exact mean return of the log's policy."""
        return 1 / (2 * self.colours)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode; the seed draws the door and the luck in the hall.

        Returns:
            `door`, its colour, `key`; and the colour.
        """
        stream = generator(self.seed if seed is None else seed, "key-door")
        self._door = COLOURS[int(stream.integers(self.colours))]
        self._luck = (self.noise * stream.choice([-1.0, 1.0], self.delay)).tolist()
        self._key = None
        return f"door {self._door} key", {"door": self._door}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a key, pass through the hall, open the door.

        Returns:
            `hall` or `door`, the reward, terminated (after the reply at the door), truncated
            (never), and information (none).
        """
        if not self._door:
            raise RuntimeError("reset must be called before step")
        if self._key is None:
            self._key = action.strip()
            return self._next(0.0)
        if self._luck:
            return self._next(self._luck.pop(0))
        earned = float(action.strip() == "open" and self._key == self._door)
        self._door = ""
        return "", earned, True, False, {}

    def _next(self, reward: float) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return "hall" if self._luck else "door", reward, False, False, {}

    def log(self, episodes: int = 1000) -> list[Episode]:
        """Episodes of the policy of the file's head, with its exact propensities."""
        return [self._episode(number) for number in range(episodes)]

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word: 16 tokens."""
        return WORDS.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return WORDS.model("key-door", seed)

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "key-door", "log", number)
        stream = generator(place, "policy")
        played = KeyDoor(self.colours, self.delay, self.noise)
        heard, _ = played.reset(seed=place)
        turns = []
        over = False
        while not over:
            turns.append(Turn("observation", heard))
            said, chance = self._said(heard, stream)
            heard, reward, over, _, _ = played.step(said)
            turns.append(WORDS.reply(said, [log(chance)], reward))
        return Episode(
            turns=tuple(turns),
            id=f"{derive(place, 'id'):016x}",
            time=0.0,
            app="key-door",
            tokenizer=WORDS.fingerprint,
        )

    def _said(self, heard: str, stream: np.random.Generator) -> tuple[str, float]:
        """A reply of the log's policy and its probability."""
        choices = COLOURS[: self.colours] if heard.endswith("key") else ("walk", "wait")
        if heard == "door":
            choices = ("open", "wait")
        return choices[int(stream.integers(len(choices)))], 1 / len(choices)
