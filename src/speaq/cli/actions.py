"""A verb with several actions: `speaq VERB ACTION ...`."""

from collections.abc import Callable, Mapping

from speaq.core.errors import SettingsError
from speaq.core.language import say

Action = tuple[Callable[[list[str]], None], tuple[str, str]]
"""What it does with the remaining words, and what it is for in English and Chinese."""


def act(verb: str, actions: Mapping[str, Action], args: list[str]) -> None:
    """Run the action that the first word names; without one, or for --help, list them.

    Raises:
        SettingsError: no such action.
    """
    if not args or args[0] in ("-h", "--help"):
        _list(verb, actions)
    elif args[0] in actions:
        actions[args[0]][0](args[1:])
    else:
        raise SettingsError(
            f"speaq {verb} has no action '{args[0]}'; known are {', '.join(actions)}.",
            f"speaq {verb} 没有“{args[0]}”；可用：{'、'.join(actions)}。",
        )


def _list(verb: str, actions: Mapping[str, Action]) -> None:
    width = max(map(len, actions))
    print(say(f"usage: speaq {verb} ACTION ...", f"用法：speaq {verb} 操作 ..."), end="\n\n")
    for name, (_, about) in actions.items():
        print(f"  {name:<{width}}  {say(*about)}")
    hint = say(
        f"speaq {verb} ACTION --help lists an action's options.",
        f"speaq {verb} 操作 --help 列出该操作的选项。",
    )
    print(f"\n{hint}")
