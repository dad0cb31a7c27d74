"""Another verb, seen from outside: its options by name, and a command line of it left open."""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from speaq.cli.options import Asked, ask, pairs, parse
from speaq.core import registry
from speaq.core.errors import SettingsError
from speaq.training.tuning.child import LEASHED
from speaq.training.tuning.command import Command, open_places, take, without
from speaq.training.tuning.space import Dimension, corners, dimensions
from speaq.training.tuning.vocabulary import Setting, Value, component, of_words, settings_of

LAUNCH = (
    sys.executable,
    "-c",
    f"import sys; {LEASHED}; sys.argv[0] = 'speaq'; "
    "from speaq.cli import main; raise SystemExit(main())",
)
COMPONENTS = {"options": ("algorithm", "algorithms"), "rules": ("environment", "environments")}
"""Options that hold a component's own settings: which option names it, and in which group."""
OURS = {"seed": "--seeds", "folder": "--folder"}
"""Settings of a verb that the search gives, and what says them to it."""


class Verb:
    """A verb that can be searched: one that reads its options with `parse` into a dataclass with a
    run folder.

    Args:
        name: the verb.
        words: its own words of the command line.

    Raises:
        SettingsError: no such verb, or one that leaves no run folder.
    """

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name, self._words = name, list(words)
        self._main: Callable[[list[str]], None] = registry.find("verbs", name).load()
        if vars(sys.modules[self._main.__module__]).get("parse") is not parse:
            raise _leaves_nothing(name)
        asked = self._asked(words)
        self.settings = settings_of(asked.cls)
        self._default = asked.default
        self._flags = {each.flag for each in self.settings.values() if not each.positional}
        if "folder" not in self._flags:
            raise _leaves_nothing(name)

    def listed(self) -> dict[str, Setting]:
        """Every setting that a search may name, with those of the component its words name."""
        found = {name: each for name, each in self.settings.items() if each.flag not in OURS}
        for option, (namer, group) in COMPONENTS.items():
            if option in self.settings and namer in self.settings:
                made = registry.load(group, self._named(namer))
                found |= component(self.settings[option], made)
        return found

    def command(self, search: Sequence[str]) -> Command:
        """The verb's command line with what is searched left open; every end of every range and
        every choice has been tried on its options.

        Raises:
            SettingsError: an unknown name, values of another type, or one that the verb refuses.
        """
        own = dimensions([word for word in search if not self._option_of(word)], self.settings)
        places, rest = open_places(self._words, self.settings, own)
        command = Command(
            self.name,
            places,
            tuple(rest),
            tuple(own),
            seeded="seed" in self._flags,
            launch=LAUNCH,
        )
        first = self._read(command, next(iter(corners(own)), {}))
        space = dimensions(search, {**self.settings, **self._members(search, first, own)})
        flags = {each.setting.flag for each in space if each.setting.member}
        fixed = {flag: tuple(attrgetter(flag.replace("-", "_"))(first)) for flag in flags}
        _require_open(space, fixed)
        command = dataclasses.replace(
            command,
            options=tuple(without(rest, flags)),
            space=tuple(space),
            members=fixed,
            log=str(first.log) if "log" in self.settings else "",
        )
        for values in corners(space):
            self._try(command, values)
        return command

    def _named(self, setting: str) -> str:
        """The word that the command line gives for a setting, else its default."""
        places, rest = open_places(self._words, self.settings, ())
        given, _ = take(rest, {f"--{self.settings[setting].flag}": setting})
        default = vars(self._default) if dataclasses.is_dataclass(self._default) else {}
        return str({**default, **places, **given}.get(setting, ""))

    def _asked(self, words: Sequence[str]) -> Asked:
        asked = ask(self._main, words)
        if asked is None:
            raise _leaves_nothing(self.name)
        return asked

    def _read(self, command: Command, values: Mapping[str, Value]) -> Any:
        """The verb's options for some values."""
        return self._asked(command.words(values, 0, Path("runs"))).options()

    def _try(self, command: Command, values: Mapping[str, Value]) -> None:
        """Have the verb and its components look at some values."""
        options = self._read(command, values)
        for option in command.members:
            if option in COMPONENTS:
                namer, group = COMPONENTS[option]
                made: Callable[..., Any] = registry.load(group, getattr(options, namer))
                given = pairs(getattr(options, option), option)
                try:
                    inspect.signature(made).bind(**given)
                except TypeError as error:
                    raise SettingsError(
                        f"--{option}: {error}.", f"--{option}：{error}。"
                    ) from error
                if isinstance(made, type) and dataclasses.is_dataclass(made):
                    made(**given)

    def _option_of(self, word: str) -> str:
        """The option whose `name=value` words a searched name is among; empty if none."""
        head, dot, _ = word.partition("=")[0].partition(".")
        setting = self.settings.get(head.replace("-", "_"))
        return setting.name if dot and setting is not None and setting.kind is None else ""

    def _members(
        self, search: Sequence[str], first: Any, own: Sequence[Dimension]
    ) -> dict[str, Setting]:
        """The settings of components that the search names."""
        found: dict[str, Setting] = {}
        for word in search:
            option = self._option_of(word)
            if option in COMPONENTS and COMPONENTS[option][0] in self.settings:
                found |= self._shared(option, first, own)
            elif option:
                member = word.partition("=")[0].partition(".")[2]
                made = of_words(self.settings[option], member)
                found[made.name] = made
        return found

    def _shared(self, option: str, first: Any, own: Sequence[Dimension]) -> dict[str, Setting]:
        """The settings that all components have which the search may name."""
        namer, group = COMPONENTS[option]
        searched = [each.choices for each in own if each.name == namer]
        named = searched[0] if searched else (getattr(first, namer),)
        tables = [
            component(self.settings[option], registry.load(group, str(name))) for name in named
        ]
        return {n: each for n, each in tables[0].items() if all(n in table for table in tables)}


def _require_open(space: Sequence[Dimension], fixed: Mapping[str, tuple[str, ...]]) -> None:
    for each in space:
        setting = each.setting
        if setting.flag in OURS:
            raise SettingsError(
                f"--search {each.name}: the search itself gives it; see {OURS[setting.flag]}.",
                f"--search {each.name}：由搜索本身给定；见 {OURS[setting.flag]}。",
            )
        if setting.member and setting.member in pairs(fixed[setting.flag], setting.flag):
            raise SettingsError(
                f"{each.name} is both given and searched; leave one of the two out.",
                f"{each.name} 既已给定又要搜索；请去掉其中之一。",
            )


def _leaves_nothing(name: str) -> SettingsError:
    return SettingsError(
        f"speaq {name} cannot be searched: it has no option --folder for a run folder.",
        f"无法搜索 speaq {name}：它没有指定运行目录的 --folder 选项。",
    )
