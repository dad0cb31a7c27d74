"""The command line of a trial: the verb's own words, the values tried, a seed, a run folder."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speaq.core.errors import SettingsError
from speaq.training.tuning.space import Dimension
from speaq.training.tuning.vocabulary import Setting, Value, text_of


@dataclass(frozen=True)
class Command:
    """A verb's command line with open places.

    Args:
        verb: what is run.
        places: the words given by place, by setting; None where the search gives it.
        options: the rest of the line, as it was written.
        space: what the search gives.
        members: `name=value` words that stand fixed, by the option they belong to.
        seeded: whether the verb has a setting `seed`.
        launch: what runs a line in a process of its own, up to the verb.
        log: what the gate judges by.
    """

    verb: str
    places: Mapping[str, str | None]
    options: tuple[str, ...]
    space: tuple[Dimension, ...]
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seeded: bool = True
    launch: tuple[str, ...] = ("speaq",)
    log: str = ""

    def words(self, values: Mapping[str, Value], seed: int, folder: Path) -> list[str]:
        """The words after the verb that try `values`, by the setting's whole name."""
        settings = {each.name: each.setting for each in self.space}
        places = [
            text_of(values[name]) if word is None else word for name, word in self.places.items()
        ]
        flags: list[str] = []
        members = {flag: list(words) for flag, words in self.members.items()}
        for name, value in values.items():
            setting = settings[name]
            if setting.member:
                members.setdefault(setting.flag, []).append(f"{setting.member}={text_of(value)}")
            elif not setting.positional:
                flags += setting.words(value)
        for flag, words in members.items():
            flags += [f"--{flag}", *words]
        seeds = ["--seed", str(seed)] if self.seeded else []
        return [*places, *self.options, *flags, *seeds, "--folder", str(folder)]

    def process(self, words: Sequence[str]) -> list[str]:
        """The whole command of a trial's process."""
        return [*self.launch, self.verb, *words]

    def judge(self, run: Path, options: str) -> list[str]:
        """The whole command of the process that asks the gate about a run's model."""
        return [*self.launch, "evaluate", str(run / "model"), self.log, *shlex.split(options)]

    def shown(self, values: Mapping[str, Value], seed: int, folder: Path) -> str:
        """The command as a person types it, quoted for a shell."""
        return shlex.join(["speaq", self.verb, *self.words(values, seed, folder)])


def open_places(
    words: Sequence[str], known: Mapping[str, Setting], searched: Sequence[Dimension]
) -> tuple[dict[str, str | None], list[str]]:
    """The words given by place and the rest of a verb's command line.

    What a verb takes by place may also be given by name (`--log FILE`); bare words before the
    first option fill the places that are neither named nor searched. A place that takes several
    words takes all that are left.

    Raises:
        SettingsError: a setting is both searched and given.
    """
    leading, rest = _leading(words)
    order = [each for each in known.values() if each.positional]
    places: dict[str, str | None] = {}
    names = {f"--{each.flag}": each.name for each in order}
    named, rest = take(rest, names)
    opened = {each.name for each in searched}
    for each in order:
        if each.name in opened:
            if each.name in named:
                raise _twice(each.name)
            places[each.name] = None
        elif each.name in named:
            places[each.name] = named[each.name]
        elif leading and each.kind is not None:
            places[each.name] = leading.pop(0)
    _require_open(rest, searched)
    return places, [*leading, *rest]


def _leading(words: Sequence[str]) -> tuple[list[str], list[str]]:
    first = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    return list(words[:first]), list(words[first:])


def take(words: Sequence[str], names: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Take `--name value` and `--name=value` of some names out of a command line."""
    found, rest = {}, []
    left: Iterator[str] = iter(words)
    for word in left:
        flag, sign, value = word.partition("=")
        if flag in names:
            found[names[flag]] = value if sign else next(left, "")
        else:
            rest.append(word)
    return found, rest


def _require_open(words: Sequence[str], searched: Sequence[Dimension]) -> None:
    given = {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    for each in searched:
        last = each.setting.flag.rpartition(".")
        spelt = {f"--{each.setting.flag}", f"--{last[0]}{last[1]}no-{last[2]}"}
        if not each.setting.member and given & spelt:
            raise _twice(each.name)


def _twice(name: str) -> SettingsError:
    return SettingsError(
        f"{name} is both given and searched; leave one of the two out.",
        f"{name} 既已给定又要搜索；请去掉其中之一。",
    )


def without(words: Sequence[str], flags: set[str]) -> list[str]:
    """A command line without some options and the words that follow them."""
    kept, dropping = [], False
    for word in words:
        if word.startswith("--"):
            dropping = word.partition("=")[0].removeprefix("--") in flags
        if not dropping:
            kept.append(word)
    return kept
