"""What is searched: `name=low..high`, `log:low..high`, `low..high:step`, or `a,b,c`."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaq.core.errors import SettingsError
from speaq.training.tuning.vocabulary import Setting, Value, lookup, text_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?")
LARGEST_GRID = 100_000


@dataclass(frozen=True)
class Dimension:
    """One setting and the values it may take: `choices`, or what lies from `low` to `high`."""

    setting: Setting
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def name(self) -> str:
        """The setting's whole name."""
        return self.setting.name

    @property
    def written(self) -> str:
        """How it is written on the command line; the same for what means the same."""
        if self.choices:
            return ",".join(map(text_of, self.choices))
        step = "" if self.step is None else f":{self._number(self.step)}"
        start = "log:" if self.log else ""
        return f"{start}{self._number(self.low)}..{self._number(self.high)}{step}"

    def _number(self, value: float) -> Value:
        return round(value) if self.whole else value

    def probes(self) -> tuple[Value, ...]:
        """The values that show whether all are allowed: every choice, or both ends."""
        return self.choices or (self._number(self.low), self._number(self.high))

    def grid(self, points: int) -> list[Value]:
        """Every choice or step; of a range without steps `points` values, evenly or by ratio."""
        if self.choices:
            return list(self.choices)
        if self.step is not None:
            count = round((self.high - self.low) / self.step) + 1
            return [self._number(self.low + n * self.step) for n in range(count)]
        if self.whole and not self.log:
            points = min(points, round(self.high - self.low) + 1)
        parts = [n / (points - 1) for n in range(points)]
        if self.log:
            inner = [self.low ** (1 - part) * self.high**part for part in parts]
        else:
            inner = [self.low + part * (self.high - self.low) for part in parts]
        # The ends exactly: rounding must not leave the range.
        inner[0], inner[-1] = self.low, self.high
        return list(dict.fromkeys(map(self._number, inner)))

    def distribution(self) -> "BaseDistribution":
        """For Optuna."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices:
            return CategoricalDistribution(self.choices)
        if self.whole:
            step = round(self.step or 1)
            return IntDistribution(round(self.low), round(self.high), log=self.log, step=step)
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)


def dimensions(words: Sequence[str], known: Mapping[str, Setting]) -> list[Dimension]:
    """The search space that `name=values` words describe.

    Args:
        words: of the command line.
        known: every setting of the verb, by whole name.

    Raises:
        SettingsError: no such setting, values of another type, an empty range, one setting twice.
    """
    found: dict[str, Dimension] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not (name and sign and text):
            raise SettingsError(
                f"--search takes name=values, such as lr=log:1e-5..1e-2, not '{word}'; the verb's "
                "own words stand before --search.",
                f"--search 的写法为 名称=取值，如 lr=log:1e-5..1e-2，而不是“{word}”；"
                "命令自身的参数应写在 --search 之前。",
            )
        made = _dimension(lookup(known, name), text)
        if made.name in found:
            raise SettingsError(
                f"--search names {made.name} twice.", f"--search 重复指定了 {made.name}。"
            )
        found[made.name] = made
    return list(found.values())


def grid_size(space: Sequence[Dimension], points: int) -> int:
    """How many combinations a grid has.

    Raises:
        SettingsError: more than could be listed.
    """
    size = math.prod(len(each.grid(points)) for each in space)
    if size > LARGEST_GRID:
        raise SettingsError(
            f"the grid has {size} combinations, more than {LARGEST_GRID}; lower --points, or use "
            "--method random.",
            f"网格共有 {size} 种组合，超过 {LARGEST_GRID}；请减小 --points 或用 --method random。",
        )
    return size


def corners(space: Sequence[Dimension]) -> list[dict[str, Value]]:
    """A few combinations in which every probe of every dimension occurs."""
    probes = [each.probes() for each in space]
    rounds = max(map(len, probes), default=0)
    cycles = [itertools.islice(itertools.cycle(values), rounds) for values in probes]
    names = [each.name for each in space]
    return [dict(zip(names, values, strict=True)) for values in zip(*cycles, strict=True)]


def _dimension(setting: Setting, text: str) -> Dimension:
    numeric = setting.free or (setting.kind in (int, float) and not setting.choices)
    match = _RANGE.fullmatch(text) if numeric else None
    if match is not None:
        return _range(setting, text, match)
    if numeric and ".." in text:
        raise _wrong(setting, text, "low..high, log:low..high or low..high:step")
    choices = tuple(_value(setting, each.strip(), text) for each in text.split(","))
    if len(choices) < 2 or len(set(map(text_of, choices))) < len(choices):
        raise _wrong(setting, text, "two or more different values, or low..high")
    return Dimension(setting, choices=choices)


def _range(setting: Setting, text: str, match: re.Match[str]) -> Dimension:
    log, *parts = match.groups()
    whole = setting.kind is int or (
        setting.free and all(part is None or part.lstrip("+-").isdigit() for part in parts)
    )
    low, high = float(parts[0]), float(parts[1])
    step = None if parts[2] is None else float(parts[2])
    if whole and not all(part is None or float(part).is_integer() for part in parts):
        raise _wrong(setting, text, "whole numbers")
    if not low < high:
        raise _wrong(setting, text, "a range whose low end is below its high end")
    if log and (low <= 0 or step is not None):
        raise _wrong(setting, text, "log:low..high with low > 0 and no step")
    if step is not None:
        if not 0 < step <= high - low:
            raise _wrong(setting, text, "a step > 0 that fits into the range")
        # The last value a step reaches; the small term undoes 0.3 / 0.1 = 2.9999...
        high = low + math.floor((high - low) / step + 1e-9) * step
    return Dimension(setting, low=low, high=high, step=step, log=bool(log), whole=whole)


def _value(setting: Setting, word: str, text: str) -> Value:
    if setting.optional and word.lower() == "none":
        return None
    if setting.choices:
        for choice in setting.choices:
            if text_of(choice) == word:
                return choice
        raise _wrong(setting, text, f"some of {', '.join(map(text_of, setting.choices))}")
    if setting.free:
        return _scalar(word)
    if setting.kind is bool:
        if word not in ("true", "false"):
            raise _wrong(setting, text, "true,false")
        return word == "true"
    if setting.kind is str and word:
        return word
    try:
        return int(word) if setting.kind is int else float(word)
    except ValueError:
        kind = "whole numbers" if setting.kind is int else "numbers"
        raise _wrong(setting, text, kind if setting.kind is not str else "words") from None


def _scalar(word: str) -> Value:
    """What a word means where nothing is known of its setting; as `name=value` words are read."""
    if word in ("true", "false"):
        return word == "true"
    try:
        return int(word) if word.lstrip("+-").isdigit() else float(word)
    except ValueError:
        return word


def _wrong(setting: Setting, text: str, wanted: str) -> SettingsError:
    return SettingsError(
        f"--search {setting.name}={text}: expected {wanted} ({setting.name} takes "
        f"{setting.shown}).",
        f"--search {setting.name}={text}：应为 {wanted}"
        f"（{setting.name} 的取值：{setting.shown}）。",
    )
