"""TextWorld's coin collector: find the one coin in a house never seen before.

A chain of `length` rooms, the player at one end, the coin at the other, and up to two dead ends
beside each room of the chain. The policy says what to do (`go east`, `take coin`); the
observation is what can be gone or taken here, no names and no map: `east west`, `west coin`. So a
player has to remember where it came from, and turn back out of dead ends. Taking the coin earns 1
and ends the game; after `limit` commands it is cut off. Every game can be won in `length`
commands, and by a depth-first search in `length` + 2 · `distractors` · `length`: the optimum is 1.

Games are built and played by the package TextWorld (Côté et al. 2018; the challenge is that of
Yuan et al. 2018), an optional extra: `pip install "speaq[textworld]"`. It needs a C compiler where
its dependency jericho has no wheel. The house, its admissible commands and its solver are
TextWorld's own (`textworld.envs.tw`); only its prose is left out, as it takes a Z-machine to make
and tells nothing more.

The log's player asks TextWorld's solver, which knows the house, for some of its commands, and
otherwise says any admissible one, such as `look`.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from speaq.core.errors import SettingsError
from speaq.core.files import replacing_file
from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

DIRECTIONS = ("north", "east", "south", "west")
WORDS = Words((*DIRECTIONS, "coin", "go", "take", "examine", "inventory", "look", "what"))
NOT_UNDERSTOOD = "what"
OPTIMUM = 1.0


@dataclass(eq=False)
class CoinCollector:
    """One game at a time, of as many as there are; the log; the optimum.

    `dataclasses.replace(environment, game=3)` is another one beside it, always in game 3.

    Raises:
        SettingsError: a setting out of range; on the first game, TextWorld is not installed.
    """

    folder: Path | str
    """Where games are kept. One that is not there is built when it is first played, in about a
    second; they are the same on every machine."""
    length: int = 5
    """Rooms of the chain, and commands of the shortest solution."""
    distractors: int = 1
    """Dead ends for each room of the chain, 0 to 2: TextWorld's easy, medium and hard mode."""
    games: int = 50
    """How many there are; episodes begin in any of them."""
    split: Literal["train", "test"] = "train"
    """`test`: as many other games, of which none is in the log of `train`."""
    limit: int = 25
    """Commands after which a game is cut off."""
    solver: float = 0.1
    """Share of the log's commands that the solver says; the others are drawn at random."""
    game: int | None = None
    """Where every episode begins; None: drawn by the seed of `reset`."""
    houses: int = 0
    """Seed of the games: another one builds others."""
    seed: int = 0
    """Of the log, and of which game comes next."""
    _played: Any = field(default=None, init=False, repr=False)
    _commands: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        most = 100 // (1 + max(0, self.distractors))
        rules = {
            "distractors": (self.distractors in (0, 1, 2), "0, 1 / 2"),
            "length": (1 <= self.length <= most, f"1 … {most}"),
            "games": (self.games >= 1, "≥ 1"),
            "split": (self.split in ("train", "test"), "train / test"),
            "limit": (self.limit >= self.length, f"≥ length = {self.length}"),
            "solver": (0 <= self.solver <= 1, "in [0, 1]"),
            "game": (self.game is None or 0 <= self.game < self.games, f"0 … {self.games - 1}"),
        }
        require("textworld", self, rules)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin a game. `options={"game": 3}` says which, else `game`, else `seed`.

        Returns:
            what can be gone or taken; the game's number, and its admissible commands.

        Raises:
            SettingsError: TextWorld is not installed, or there is no such game.
        """
        number = (options or {}).get("game", self.game)
        if number is None:
            stream = generator(self.seed if seed is None else seed, "textworld", "game")
            number = int(stream.integers(self.games))
        if not 0 <= number < self.games:
            raise SettingsError(
                f"textworld has no game {number}; they are numbered 0 to {self.games - 1}.",
                f"textworld 没有第 {number} 局；编号为 0 到 {self.games - 1}。",
            )
        self._played, self._commands = _opened(self._file(number)), 0
        commands = self._played.reset()["admissible_commands"]
        return _seen(commands), {"game": number, "admissible": commands}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do what a command says; one that is not admissible is answered `what` and does nothing.

        Returns:
            what can be gone or taken now, 1 if the coin was taken and else 0, terminated (it
            was), truncated (the limit), and the admissible commands.
        """
        if self._played is None:
            raise RuntimeError("reset must be called before step")
        command = " ".join(action.split())
        known = command in self._played.state["admissible_commands"]
        state, _, won = self._played.step(command)
        self._commands += 1
        cut = not won and self._commands == self.limit
        if won or cut:
            self._played = None
        commands = state["admissible_commands"]
        seen = _seen(commands) if known else f"{NOT_UNDERSTOOD} {_seen(commands)}"
        return seen, float(won), won, cut, {"admissible": commands}

    def log(self, episodes: int) -> list[Episode]:
        """Games of the player in the file's head, with the exact tokens and propensities.

        Of two logs of one environment the shorter is the beginning of the longer.
        """
        return [self._episode(number) for number in range(episodes)]

    def build(self) -> None:
        """Build the games that are not in the folder yet."""
        for number in range(self.games):
            self._file(number)

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word: 13 tokens."""
        return WORDS.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64, that can hold a whole game."""
        longest = len(DIRECTIONS) + 2 + 4  # an observation, and a reply with its end
        return WORDS.model("textworld", seed, context=longest * (self.limit + 1))

    def _file(self, number: int) -> Path:
        kind = f"{self.length}-{self.distractors}-{self.split}-{self.houses}"
        file = Path(self.folder) / f"coin-{kind}-{number}.json"
        if not file.exists():
            own = derive(self.houses, "textworld", self.split, number) % 2**31
            _build(file, self.length, self.distractors, own)
        return file

    def _episode(self, number: int) -> Episode:
        stream = generator(self.seed, "textworld", "log", number)
        game = _opened(self._file(int(stream.integers(self.games))), solved=True)
        state, won = game.reset(), False
        turns = [Turn("observation", _seen(state["admissible_commands"]))]
        for left in reversed(range(self.limit)):
            commands = state["admissible_commands"]
            likely = dict.fromkeys(commands, (1 - self.solver) / len(commands))
            likely[state["policy_commands"][0]] += self.solver
            said = str(stream.choice(commands, p=list(likely.values())))
            state, _, won = game.step(said)
            turns.append(WORDS.reply(said, word_logprobs(said, likely), float(won)))
            if won or not left:
                break
            turns.append(Turn("observation", _seen(state["admissible_commands"])))
        return Episode(
            turns=tuple(turns),
            id=f"{derive(self.seed, 'textworld', self.split, self.length, number):016x}",
            time=0.0,
            app="textworld",
            tokenizer=WORDS.fingerprint,
            truncated=not won,
        )


def word_logprobs(command: str, likely: Mapping[str, float]) -> list[float]:
    """ln of how likely each word of `command` is after those before it.

    Args:
        command: one of `likely`.
        likely: the probability of each command.
    """
    words = command.split()
    reach = [
        sum(share for other, share in likely.items() if other.split()[:count] == words[:count])
        for count in range(len(words) + 1)
    ]
    return [min(0.0, math.log(after / before)) for before, after in pairwise(reach)]


def _seen(commands: Sequence[str]) -> str:
    """What there is to go or take, by the admissible commands."""
    exits = [direction for direction in DIRECTIONS if f"go {direction}" in commands]
    return " ".join([*exits, *(["coin"] if "take coin" in commands else [])])


def _opened(file: Path, solved: bool = False) -> Any:
    """The game in a file, played by TextWorld; `solved` asks for its solver's commands as well."""
    with _installed():
        from textworld import EnvInfos
        from textworld.envs.tw import TextWorldEnv
    game = TextWorldEnv(EnvInfos(admissible_commands=True, policy_commands=solved))
    game.load(str(file))
    return game


def _build(file: Path, length: int, distractors: int, seed: int) -> None:
    with _installed():
        from textworld import GameOptions
        from textworld.challenges.tw_coin_collector import coin_collector
    options = GameOptions()
    options.seeds = seed
    level = 100 * distractors + length
    with warnings.catch_warnings():
        # TextWorld plays the solution once; jericho does not know the game and warns of that.
        warnings.filterwarnings("ignore", "Game '.*' is not fully supported")
        game = coin_collector.make({"level": level}, options)
    with replacing_file(file) as temporary:
        game.save(str(temporary))


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install where an import inside does not find its package."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the textworld environment needs a package that is missing ({error.name}); install "
            "it with: pip install 'speaq[textworld]'",
            f"textworld 环境缺少软件包 {error.name}；请安装：pip install 'speaq[textworld]'",
        ) from error
