"""A shop that orders every day for a season it has to foresee: forecasting, judged by its profit.

Demand follows a season of `season` days, each with a level of its own, and varies by one about it.
The first observation is the demand of the last whole season and the stock, `d4 d7 d2 ... s0`; the
reply is an order, `q5`; the next observation is what was asked for that day and what is left,
`d6 s1`. What is sold brings `price`, what is ordered costs `cost`, what is left over costs
`holding` a day and nothing else, until the last day, after which it is worth nothing. Rewards are
divided by 10.

Whoever knows how far the season is can earn `optimum`, exactly, by dynamic programming (Arrow,
Harris and Marschak 1951); the season so far tells it nearly always, so it is a bound that can
almost be reached. The log orders up to what was asked for yesterday, give or take: the naive
forecast, which is a day late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.seeds import derive, generator
from speaq.core.settings import require
from speaq.environments.words import Words
from speaq.experience.episode import Episode, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

MOST = 9
"""The largest demand and the largest order."""
SHELF = 12
"""What the shop has room for; what is ordered beyond it is paid for and lost."""
SHIFTS = (-2, -1, 0, 1, 2, 3)
"""By how much the log's orders differ from yesterday's demand less the stock, each as likely."""
WORDS = Words(
    (
        *(f"q{n}" for n in range(MOST + 1)),
        *(f"d{n}" for n in range(MOST + 1)),
        *(f"s{n}" for n in range(SHELF + 1)),
    )
)
SCALE = 10.0


@dataclass(eq=False)
class Inventory:
    """One shop; its log; what could be earned."""

    season: int = 6
    """Days of a season."""
    days: int = 6
    """Days of an episode."""
    price: float = 3.0
    """Of one piece sold."""
    cost: float = 1.0
    """Of one piece ordered."""
    holding: float = 0.5
    """Of one piece left over, a day."""
    seed: int = 0
    """Of the levels and the log."""
    _demands: list[int] = field(default_factory=list, init=False, repr=False)
    _stock: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "season": (self.season >= 2, "≥ 2"),
            "days": (self.days >= 1, "≥ 1"),
            "price": (self.price > self.cost, f"> cost = {self.cost}"),
            "cost": (self.cost >= 0, "≥ 0"),
            "holding": (self.holding >= 0, "≥ 0"),
        }
        require("inventory", self, rules)

    @cached_property
    def levels(self) -> NDArray[np.int64]:
        """(season,) the usual demand of each day, 1 to 8."""
        stream = generator(self.seed, "inventory", "levels")
        made: NDArray[np.int64] = stream.integers(1, MOST, self.season)
        return made

    @cached_property
    def optimum(self) -> float:
        """The exact mean profit of the best policy that knows how far the season is."""
        return float(np.mean([self._best(phase) for phase in range(self.season)]))

    def _best(self, phase: int) -> float:
        """The best mean profit of the days from `phase` on, with an empty shelf."""
        worth = np.zeros(SHELF + 1)
        for day in reversed(range(self.days)):
            level = int(self.levels[(phase + day) % self.season])
            worth = np.array([self._best_order(stock, level, worth) for stock in range(SHELF + 1)])
        return float(worth[0])

    def _best_order(self, stock: int, level: int, worth: NDArray[np.float64]) -> float:
        ahead = []
        for order in range(MOST + 1):
            met = [self._day(stock, order, level + luck) for luck in (-1, 0, 1)]
            ahead.append(np.mean([profit + worth[left] for profit, left in met]))
        return float(max(ahead))

    def _day(self, stock: int, order: int, demand: int) -> tuple[float, int]:
        """The reward of a day and what is left."""
        there = min(SHELF, stock + order)
        left = there - min(there, demand)
        profit = self.price * min(there, demand) - self.cost * order - self.holding * left
        return profit / SCALE, left

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Open the shop; the seed draws how far the season is, and all demand.

        Returns:
            the last season's demands and the stock, and the day of the season.
        """
        stream = generator(self.seed if seed is None else seed, "inventory", "episode")
        phase = int(stream.integers(self.season))
        days = np.arange(phase - self.season, phase + self.days)
        luck = stream.integers(-1, 2, len(days))
        demands = [int(each) for each in self.levels[days % self.season] + luck]
        past, self._demands = demands[: self.season], demands[self.season :]
        self._stock = 0
        return " ".join([*(f"d{each}" for each in past), "s0"]), {"phase": phase}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Order for a day, `q0` to `q9`; anything else orders nothing.

        Returns:
            the day's demand and what is left, the profit, terminated (after the last day),
            truncated (never), and information (none).
        """
        if not self._demands:
            raise RuntimeError("reset must be called before step")
        word = action.strip()
        known = word.startswith("q") and word in WORDS.ids
        demand = self._demands.pop(0)
        profit, self._stock = self._day(self._stock, int(word[1:]) if known else 0, demand)
        return f"d{demand} s{self._stock}", profit, not self._demands, False, {}

    def log(self, episodes: int = 1500) -> list[Episode]:
        """Episodes of the naive forecaster, with its exact propensities."""
        return [self._episode(number) for number in range(episodes)]

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word."""
        return WORDS.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return WORDS.model("inventory", seed)

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "inventory", "log", number)
        stream = generator(place, "policy")
        played = Inventory(self.season, self.days, self.price, self.cost, self.holding, self.seed)
        heard, _ = played.reset(seed=place)
        turns: list[Turn] = []
        over = False
        while not over:
            turns.append(Turn("observation", heard))
            orders = _orders(heard)
            order = orders[int(stream.integers(len(orders)))]
            heard, profit, over, _, _ = played.step(f"q{order}")
            chance = orders.count(order) / len(orders)
            turns.append(WORDS.reply(f"q{order}", [log(chance)], profit))
        return Episode(
            turns=tuple(turns),
            id=f"{derive(place, 'id'):016x}",
            time=0.0,
            app="inventory",
            tokenizer=WORDS.fingerprint,
        )


def _orders(heard: str) -> list[int]:
    """What the log's policy may order after these words, each entry as likely."""
    *_, demand, stock = (int(word[1:]) for word in heard.split())
    return [min(MOST, max(0, demand + shift - stock)) for shift in SHIFTS]
