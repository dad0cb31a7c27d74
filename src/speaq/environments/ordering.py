"""Ordering: how much to buy before it is known how much will be asked for (the newsvendor).

Demand has a season of a week and noise; what is left over is thrown away. The reward of a day is

    price · min(order, demand) - cost · order

so the best order is the quantile (price - cost)/price of the day's demand (Arrow, Harris and
Marschak 1951), known in closed form here. The clerk behind the log orders what was asked for a
week ago, give or take one, with exact propensities.
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

Table = NDArray[np.float64]
_WEEK = 7
_SPREAD = 2
"""Demand differs from its day's middle by up to so many pieces."""
_CHANCES = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
"""Of -2, -1, 0, 1 and 2."""
_HABIT = np.array([0.2, 0.6, 0.2])
"""The clerk's chances of ordering one less, the same, one more than a week ago."""


@dataclass(eq=False)
class Ordering:
    """One day at a time: the last week's demand and the day are shown, an order is given."""

    price: float = 5.0
    """What a piece sold brings."""
    cost: float = 1.0
    """What a piece ordered costs."""
    most: int = 15
    """Largest order."""
    seed: int = 0
    """Of the season, the demand and the log."""
    _day: int = field(default=-1, init=False, repr=False)
    _asked: int = field(default=0, init=False, repr=False)
    _week_ago: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        rules = {
            "price": (self.price > 0, "> 0"),
            "cost": (0 < self.cost < self.price, "above 0 and below price"),
            "most": (self.most >= 2 * _SPREAD + 2, f"≥ {2 * _SPREAD + 2}"),
        }
        require("ordering", self, rules)

    @cached_property
    def middles(self) -> NDArray[np.int64]:
        """(7,) the middle of each day's demand."""
        stream = generator(self.seed, "ordering", "middles")
        return stream.integers(_SPREAD, self.most - _SPREAD, _WEEK)

    @cached_property
    def profits(self) -> Table:
        """(7, orders) the mean reward of each order on each day."""
        orders = np.arange(self.most + 1)[None, :, None]
        asked = self.middles[:, None, None] + np.arange(-_SPREAD, _SPREAD + 1)
        earned = self.price * np.minimum(orders, asked) - self.cost * orders
        made: Table = (earned * _CHANCES).sum(-1)
        return made

    @property
    def optimum(self) -> float:
        """The mean reward of the best order of each day."""
        return float(self.profits.max(1).mean())

    @cached_property
    def quality(self) -> float:
        """The exact mean reward of the clerk."""
        found = 0.0
        for day, middle in enumerate(self.middles):
            for before, chance in zip(range(-_SPREAD, _SPREAD + 1), _CHANCES, strict=True):
                shares = self._habit(int(middle) + before)
                found += float(chance) * float(shares @ self.profits[day]) / _WEEK
        return found

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Draw a day and the demand of the week before it.

        Returns:
            the day and seven demands, the oldest first, which was on the same day of the week;
            and the day.
        """
        stream = generator(self.seed if seed is None else seed, "ordering", "day")
        self._day = int(stream.integers(_WEEK))
        steps = stream.choice(np.arange(-_SPREAD, _SPREAD + 1), size=_WEEK + 1, p=_CHANCES)
        days = (self._day + np.arange(_WEEK + 1)) % _WEEK
        asked = self.middles[days] + steps
        self._week_ago, self._asked = int(asked[0]), int(asked[-1])
        shown = " ".join(str(each) for each in asked[:-1])
        return f"day{self._day} {shown}", {"day": self._day}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Order.

        Returns:
            nothing to read, the reward (0 for what is no order), terminated (always), truncated
            (never), and how much was asked for.
        """
        if self._day < 0:
            raise RuntimeError("reset must be called before step")
        order = self.words.ids.get(action.strip(), -1)
        known = 0 <= order <= self.most
        earned = self.price * min(order, self._asked) - self.cost * order if known else 0.0
        self._day = -1
        return "", earned, True, False, {"asked": self._asked}

    def log(self, episodes: int = 2000) -> list[Episode]:
        """The clerk's orders, with their exact propensities."""
        return [self._episode(number) for number in range(episodes)]

    @cached_property
    def words(self) -> Words:
        """Numbers first, then days."""
        numbers = [str(number) for number in range(self.most + 1)]
        return Words((*numbers, *(f"day{day}" for day in range(_WEEK))))

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """One token a word."""
        return self.words.tokenizer

    def model(self, seed: int = 0) -> "LanguageModel":
        """An untrained Llama, 2 layers of 64."""
        return self.words.model("ordering", seed)

    def _habit(self, week_ago: int) -> Table:
        """(orders,) the clerk's chances after a demand a week ago."""
        shares = np.zeros(self.most + 1)
        for step, chance in zip((-1, 0, 1), _HABIT, strict=True):
            shares[min(max(week_ago + step, 0), self.most)] += chance
        return shares

    def _episode(self, number: int) -> Episode:
        place = derive(self.seed, "ordering", "log", number)
        shown, _ = self.reset(seed=place)
        shares = self._habit(self._week_ago)
        order = int(generator(place, "order").choice(self.most + 1, p=shares))
        _, reward, *_ = self.step(str(order))
        return Episode(
            turns=(
                Turn("observation", shown),
                self.words.reply(str(order), [log(shares[order])], reward),
            ),
            id=f"{derive(place, 'id'):016x}",
            time=0.0,
            app="ordering",
            tokenizer=self.words.fingerprint,
        )
