"""speaq translate: train a translator, measure it, make it fast, and translate texts and files.

zh: 训练翻译模型，评测、加速，并翻译文本与文件。

Actions are entry points of `speaq.translate`: a function of the remaining words in a module whose
docstring begins with a line about it. Another package adds its own there.
"""

from importlib.metadata import entry_points

from speaq.cli import about
from speaq.core import registry
from speaq.core.language import say

_ORDER = (
    "train",
    "evaluate",
    "convert",
    "sample",
    "text",
    "file",
    "live",
    "latency",
    "prefixes",
    "memory",
)


def main(args: list[str]) -> None:
    """Run the action that the first word names; list them without one."""
    if not args or args[0] in ("-h", "--help"):
        print(overview())
    else:
        registry.find("translate", args[0]).load()(args[1:])


def overview() -> str:
    """Every action with one line, in the person's language; none is imported."""
    points = sorted(
        entry_points(group="speaq.translate"),
        key=lambda point: (
            _ORDER.index(point.name) if point.name in _ORDER else len(_ORDER),
            point.name,
        ),
    )
    width = max(len(point.name) for point in points)
    lines = [
        say("usage: speaq translate ACTION ...", "用法：speaq translate 操作 ..."),
        "",
        *(f"  {point.name:<{width}}  {about(point)}" for point in points),
        "",
        say(
            "speaq translate ACTION --help lists an action's options.",
            "speaq translate 操作 --help 列出该操作的选项。",
        ),
    ]
    return "\n".join(lines)
