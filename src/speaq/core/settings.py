"""Refusing a setting before any work is done."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from speaq.core.errors import SettingsError


def require(what: str, settings: Any, rules: Mapping[str, tuple[bool, str]]) -> None:
    """Refuse `settings` if one of them breaks its rule.

    Args:
        what: whose settings they are, as a user knows it: `dqn`, `training`.
        settings: a dataclass.
        rules: by setting, whether it is good, and what it must be, such as `≥ 1`.

    Raises:
        SettingsError: names the first setting that is not good, its value and the rule.
    """
    for name, (good, wanted) in rules.items():
        if not good:
            value = asdict(settings)[name]
            raise SettingsError(
                f"{what} setting {name} = {value} must be {wanted}.",
                f"{what} 的 {name} = {value} 必须 {wanted}。",
            )
