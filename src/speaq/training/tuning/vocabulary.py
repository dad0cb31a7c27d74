"""The settings of a verb, by name: what a search may vary, and how it is said to the verb.

The names are those of the command line and of the YAML file: `loop.head_lr`, also written
`loop.head-lr`. Where the command line leaves a group's name out (`trunk` of `learn.trunk`), both
are understood. `options.ridge` is the setting `ridge` of the component that `options` is about.
"""

import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from speaq.core.errors import SettingsError
from speaq.core.language import say

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Setting:
    """One setting of a verb."""

    name: str
    """Its whole name: groups and field, joined by dots."""
    flag: str
    """What stands for it on the command line, without the dashes; of a component's setting, the
    option whose `name=value` words it is among."""
    kind: type | None = None
    """bool, int, float or str; None if no single value can be given for it, or if its type is not
    known (`free`)."""
    choices: tuple[Value, ...] = ()
    """The only values, if there are only some."""
    optional: bool = False
    """Whether it may be None."""
    positional: bool = False
    """Whether the command line gives it by its place."""
    free: bool = False
    """Whether nothing is known of its values."""
    member: str = ""
    """Its name among the words of `flag`, if it is a component's."""

    @property
    def shown(self) -> str:
        """Its type in words."""
        if self.choices:
            plain = ", ".join(map(str, self.choices))
        elif self.free:
            plain = "?"
        elif self.kind is None:
            plain = "-"
        else:
            plain = {bool: "true, false", str: "text"}.get(self.kind, self.kind.__name__)
        return f"{plain}, none" if self.optional else plain

    def words(self, value: Value) -> list[str]:
        """The command line's words that give it a value; not for a component's setting."""
        if self.positional:
            return [text_of(value)]
        if self.kind is bool and value is not None:
            groups, dot, last = self.flag.rpartition(".")
            return [f"--{groups}{dot}{'' if value else 'no-'}{last}"]
        text = text_of(value)
        # A word that begins with a dash would be taken for another option.
        return [f"--{self.flag}={text}"] if text.startswith("-") else [f"--{self.flag}", text]


def text_of(value: Value) -> str:
    """A value as a word that is read back as the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "None" if value is None else str(value)


def settings_of(cls: type) -> dict[str, Setting]:
    """Every setting of a verb's options, by its whole name.

    Args:
        cls: a dataclass as tyro reads it, nested ones included.
    """
    found: dict[str, Setting] = {}
    _collect(cls, (), (), found)
    return found


def _collect(
    cls: Any, path: tuple[str, ...], flags: tuple[str, ...], found: dict[str, Setting]
) -> None:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        hint, marks = hints[field.name], ()
        if typing.get_origin(hint) is Annotated:
            hint, *rest = typing.get_args(hint)
            marks = tuple(rest)
        here = (*path, field.name)
        unnamed = tyro.conf.arg(name="") in marks
        spelt = flags if unnamed else (*flags, field.name.replace("_", "-"))
        if dataclasses.is_dataclass(hint):
            _collect(hint, here, spelt, found)
        else:
            found[".".join(here)] = dataclasses.replace(
                of_type(".".join(here), ".".join(spelt), hint),
                positional=tyro.conf.Positional in marks,
            )


def of_type(name: str, flag: str, hint: Any) -> Setting:
    """A setting of a type; one that takes several values at once has no kind."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        plain = [each for each in inner if each is not types.NoneType]
        if len(plain) == 1:
            made = of_type(name, flag, plain[0])
            return dataclasses.replace(made, optional=types.NoneType in inner)
    if origin is Literal:
        return Setting(name, flag, type(inner[0]), choices=tuple(inner))
    if hint in (bool, int, float, str):
        return Setting(name, flag, hint)
    return Setting(name, flag, str if hint is Path else None)


def component(option: Setting, made: Any) -> dict[str, Setting]:
    """The settings of a component whose `name=value` words stand behind `option`, by whole name.

    Args:
        option: the verb's option, such as learn's `options`.
        made: the component: a class or a function, such as an algorithm.
    """
    found = {}
    for name, parameter in inspect.signature(made, eval_str=True).parameters.items():
        whole = f"{option.name}.{name}"
        setting = of_type(whole, option.flag, parameter.annotation)
        found[whole] = dataclasses.replace(setting, member=name)
    return found


def of_words(option: Setting, member: str) -> Setting:
    """A setting among `name=value` words of a component that nothing is known about."""
    return Setting(f"{option.name}.{member}", option.flag, free=True, member=member)


def lookup(known: Mapping[str, Setting], name: str) -> Setting:
    """The setting that a name means: its whole name or the command line's, `-` or `_`.

    Raises:
        SettingsError: no such setting, with the nearest; or one that takes no single value.
    """
    plain = name.replace("-", "_")
    spelt = {each.flag.replace("-", "_"): each for each in known.values() if not each.member}
    found = known.get(plain) or spelt.get(plain)
    if found is None:
        raise _unknown(name, [*known, *spelt])
    if found.kind is None and not found.free:
        raise SettingsError(
            f"--search {name}: this setting takes several values at once and cannot be searched.",
            f"--search {name}：该设置同时取多个值，无法搜索。",
        )
    return found


def _unknown(name: str, known: Iterable[str]) -> SettingsError:
    names = sorted(set(known))
    plain = name.replace("-", "_")
    # The field's own name without its groups, or else what is spelt much like it.
    inside = sorted((each for each in names if each.endswith(f".{plain}")), key=len)
    near = inside or difflib.get_close_matches(plain, names, n=1)
    hint_en = f"did you mean '{near[0]}'?" if near else "--names lists all."
    hint_zh = f"是否想用“{near[0]}”？" if near else "--names 可列出全部设置。"
    return SettingsError(
        f"--search: there is no setting '{name}'; {hint_en}",
        f"--search：没有设置“{name}”；{hint_zh}",
    )


def listing(known: Mapping[str, Setting]) -> str:
    """What may be searched, one line each: name and type."""
    names = {
        each.name: each for each in known.values() if each.kind is not None and each.name != "seed"
    }
    width = max(map(len, names), default=0)
    lines = [f"  {name:<{width}}  {each.shown}" for name, each in names.items()]
    return "\n".join([say("What may be searched:", "可搜索的设置："), *lines])
