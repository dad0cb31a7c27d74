"""Components by name, through entry points.

The built-in algorithms, environments, rewards, sources and verbs use the same door as a third
party's package. Listing names imports nothing; loading one imports that one.
"""

import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from speaq.core.errors import SettingsError


def names(group: str) -> list[str]:
    """The names registered in `speaq.<group>`, sorted; nothing is imported."""
    return sorted({point.name for point in entry_points(group=f"speaq.{group}")})


def find(group: str, name: str) -> EntryPoint:
    """The entry point `name` of `speaq.<group>`; nothing is imported.

    Raises:
        SettingsError: no such name; the sentence suggests the nearest ones.
    """
    for point in entry_points(group=f"speaq.{group}"):
        if point.name == name:
            return point
    known = names(group)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint_en = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known) or 'none'}."
    hint_zh = f"是否想用“{near[0]}”？" if near else f"已有：{'、'.join(known) or '无'}。"
    raise SettingsError(
        f"No entry '{name}' in speaq.{group}: {hint_en}",
        f"speaq.{group} 中没有“{name}”：{hint_zh}",
    )


def load(group: str, name: str) -> Any:
    """The object behind `name`, or behind `module:attribute` if written so.

    A dotted path is meant for the command line and for Python; settings files hold names only.
    """
    if ":" not in name:
        return find(group, name).load()
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"'{name}': there is no module '{error.name}' on the Python path.",
            f"“{name}”：Python 路径中没有模块“{error.name}”。",
        ) from error
    if attribute not in vars(module):
        raise SettingsError(
            f"'{name}': module '{module_name}' has no '{attribute}'.",
            f"“{name}”：模块“{module_name}”中没有“{attribute}”。",
        )
    return vars(module)[attribute]
