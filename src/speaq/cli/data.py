"""speaq data: look at training data, mend them, take out copies, divide them.

zh: 检查训练数据，修复、去重与划分。

Actions are entry points of `speaq.data`: a function of the remaining words in a module whose
docstring begins with a line about it. Another package adds its own there.
"""

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

from speaq.cli import about
from speaq.core import registry
from speaq.core.errors import DataError, SettingsError
from speaq.core.language import say
from speaq.text.files.layouts import Role

_ORDER = ("inspect", "clean", "dedupe", "split", "augment", "noise")


def main(args: list[str]) -> None:
    """Run the action that the first word names; list them without one."""
    if not args or args[0] in ("-h", "--help"):
        print(overview())
    else:
        registry.find("data", args[0]).load()(args[1:])


def overview() -> str:
    """Every action with one line, in the person's language; none is imported."""
    points = sorted(
        entry_points(group="speaq.data"),
        key=lambda point: (
            _ORDER.index(point.name) if point.name in _ORDER else len(_ORDER),
            point.name,
        ),
    )
    width = max(len(point.name) for point in points)
    lines = [
        say("usage: speaq data ACTION FILE ...", "用法：speaq data 操作 文件 ..."),
        "",
        *(f"  {point.name:<{width}}  {about(point)}" for point in points),
        "",
        say(
            "speaq data ACTION --help lists an action's options.",
            "speaq data 操作 --help 列出该操作的选项。",
        ),
    ]
    return "\n".join(lines)


def roles(words: Sequence[str]) -> dict[Role, str]:
    """`role=name` words: which column is for what.

    Raises:
        SettingsError: a word without `=`, or an unknown role.
    """
    known = {str(role): role for role in get_args(Role)}
    found: dict[Role, str] = {}
    for word in words:
        role, sign, name = word.partition("=")
        if role not in known or not (sign and name):
            raise SettingsError(
                f"--columns takes role=name, not '{word}'; roles are {', '.join(known)}.",
                f"--columns 的写法为 角色=列名，而不是“{word}”；角色有：{'、'.join(known)}。",
            )
        found[known[role]] = name
    return found


def destination(paths: tuple[Path, ...], out: Path | None, word: str) -> tuple[Path, ...]:
    """Where a changed file goes: `out`, or beside the old one with a word in its name.

    Args:
        paths: the file, or a text and its translation.
        out: a file, or a folder; None: beside.
        word: such as `clean`: `train.csv` becomes `train.clean.csv`.

    Raises:
        SettingsError: one file is named for two.
        DataError: it is one of the files that are read.
    """
    names = [path.name.removesuffix(".gz") for path in paths]
    if out is None:
        made = tuple(
            path.with_name(f"{Path(name).stem}.{word}{Path(name).suffix}")
            for path, name in zip(paths, names, strict=True)
        )
    elif out.is_dir() or len(paths) > 1:
        if out.is_file():
            raise SettingsError(
                f"--out: two files are written, so name a folder, not the file '{out}'.",
                f"--out：将写出两个文件，请指定目录而非文件“{out}”。",
            )
        made = tuple(out / name for name in names)
    else:
        made = (out,)
    for path in made:
        if path.resolve() in {each.resolve() for each in paths}:
            raise DataError(
                "this file is being read; name another with --out.",
                "该文件正在被读取；请用 --out 指定其他文件。",
                file=path,
            )
    return made
