"""A verb's options: from the command line by `tyro`, from a YAML file, onto one dataclass.

What the command line says wins over the file, the file over the defaults. A file holds values
only; an unknown key or a value of the wrong type is refused before any work.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TypeVar

import tyro
import yaml

from speaq.core.errors import SettingsError
from speaq.core.language import say

Options = TypeVar("Options")
_ASKING: ContextVar[bool] = ContextVar("asking", default=False)


class Asked(Exception):  # noqa: N818  thrown past a verb, on purpose
    """What a verb was about to read its command line into: a class, and default values."""

    def __init__(self, cls: type, default: Any, read: Callable[[], Any]) -> None:
        super().__init__(cls)
        self.cls = cls
        self.default = default
        self.options = read
        """The options as the verb would have got them."""


def ask(verb: Callable[[list[str]], None], args: Sequence[str]) -> Asked | None:
    """What a verb's function reads its command line into, before it does any work.

    None if it read it without `parse`, and so did its work.
    """
    token = _ASKING.set(True)
    try:
        verb(list(args))
    except Asked as asked:
        return asked
    finally:
        _ASKING.reset(token)
    return None


def parse(
    cls: type[Options],
    args: Sequence[str],
    verb: str,
    about: tuple[str, str],
    default: Options | None = None,
) -> Options:
    """The options of `speaq VERB`, or the end of the program with tyro's message.

    Args:
        cls: a frozen dataclass whose fields are the options.
        args: the command line after the verb.
        verb: for messages.
        about: what the verb does, in English and Chinese.
        default: values where the command line is silent; fields may be `tyro.MISSING`.
    """
    if _ASKING.get():
        raise Asked(cls, default, lambda: parse(cls, args, verb, about, default))
    description = say(*about)
    prog = f"speaq {verb}"
    if default is None:
        return tyro.cli(cls, args=args, prog=prog, description=description)
    return tyro.cli(cls, args=args, prog=prog, description=description, default=default)


def take_config(args: Sequence[str]) -> tuple[list[str], dict[str, Any], Path | None]:
    """Take `--config FILE` out of a command line: the rest, the file's values, its path.

    Raises:
        SettingsError: no such file, or not a mapping in YAML.
    """
    rest, file = [], None
    words = iter(args)
    for word in words:
        if word == "--config":
            file = Path(next(words, ""))
        elif word.startswith("--config="):
            file = Path(word.removeprefix("--config="))
        else:
            rest.append(word)
    return rest, {} if file is None else _read(file), file


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise SettingsError(
            f"--config: there is no file '{file}'.", f"--config：没有文件“{file}”。"
        )
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"{file} is not YAML: {reason}", f"{file} 不是有效的 YAML：{reason}"
        ) from error
    if not isinstance(values or {}, dict):
        raise SettingsError(
            f"{file} must hold settings as `name: value`.",
            f"{file} 应以 `名称: 值` 的形式给出设置。",
        )
    return dict(values or {})


def chosen(
    cls: type[Options], args: Sequence[str], verb: str, values: Mapping[str, Any], file: Path | None
) -> Options:
    """The few options that other options' defaults depend on, whatever else is on the line.

    Args:
        cls: a dataclass of them, with the names they have among all.
        args: the command line without `--config`.
        verb: for messages.
        values: of the file, all of them.
        file: for messages.
    """
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    known = {name: value for name, value in values.items() if name in names}
    plain = [word for word in args if word not in ("-h", "--help")]
    made, _ = tyro.cli(
        cls,
        prog=f"speaq {verb}",
        args=plain,
        default=filled(cls, known, file),
        return_unknown_args=True,
    )
    return made


def filled(cls: type[Options], values: Mapping[str, Any], file: Path | None) -> Options:
    """A dataclass with the file's values; required fields it does not name are `tyro.MISSING`.

    Nested dataclasses take nested mappings; values are checked against the fields' types.

    Raises:
        SettingsError: an unknown key, or a value of another type.
    """
    made: Options = _filled(cls, values, str(file or "--config"), "")
    return made


def _filled(cls: Any, values: Mapping[str, Any], file: str, path: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    found: dict[str, Any] = {
        name: tyro.MISSING
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    for name, value in values.items():
        if name not in fields:
            raise _unknown(f"{path}{name}", str(name), list(fields), file)
        place = f"{path}{name}"
        if dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping):
            found[name] = _filled(hints[name], value, file, f"{place}.")
        else:
            found[name] = _typed(hints[name], value, place, file)
    return cls(**found)


def _typed(hint: Any, value: Any, place: str, file: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in inner:
            return None
        return _typed(next(each for each in inner if each is not type(None)), value, place, file)
    if origin is tuple and isinstance(value, list):
        return tuple(_typed(inner[0], each, place, file) for each in value)
    if origin is Literal and value in inner:
        return value
    # A whole number is a float, true is neither; a path is written as text.
    accepted = {float: (int, float), Path: (str,)}.get(hint, (hint,))
    if type(value) in accepted:
        return hint(value)
    raise _wrong(hint, value, place, file)


def _wrong(hint: Any, value: Any, place: str, file: str) -> SettingsError:
    plain = hint.__name__ if isinstance(hint, type) else str(hint)
    wanted = " | ".join(map(str, typing.get_args(hint))) or plain
    return SettingsError(
        f"{file}, setting {place}: expected {wanted}, found {value!r}.",
        f"{file}，设置 {place}：应为 {wanted}，却是 {value!r}。",
    )


def _unknown(place: str, name: str, known: list[str], file: str) -> SettingsError:
    near = difflib.get_close_matches(name, known, n=1)
    hint_en = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
    hint_zh = f"是否想用“{near[0]}”？" if near else f"已有：{'、'.join(known)}。"
    return SettingsError(
        f"{file}: there is no setting '{place}'; {hint_en}",
        f"{file}：没有设置“{place}”；{hint_zh}",
    )


def pairs(words: Sequence[str], option: str) -> dict[str, Any]:
    """`name=value` words as a mapping; values are read as YAML scalars.

    Raises:
        SettingsError: a word without `=`, or a value that is no scalar.
    """
    found = {}
    for word in words:
        name, sign, text = word.partition("=")
        value = _scalar(text)
        if not (name and sign) or value is None:
            raise SettingsError(
                f"--{option} takes name=value with a number, true, false or text, not '{word}'.",
                f"--{option} 的写法为 名称=值（数字、true、false 或文本），而不是“{word}”。",
            )
        found[name] = value
    return found


def _scalar(text: str) -> bool | int | float | str | None:
    """A number, true, false or text; None for anything else.

    YAML 1.1 reads 1e-4 as text; here it is the number it looks like.
    """
    try:
        return float(text) if not text.lstrip("+-").isdigit() else int(text)
    except ValueError:
        pass
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return value if isinstance(value, bool | str) else None
