"""Simplified and traditional Chinese, through OpenCC (the extra `translate`)."""

import functools
from typing import Any

from speaq.apps.translate.texts.languages import Script
from speaq.core import extras

_CONFIGURATIONS = {"Hans": "t2s", "Hant": "s2t"}


def in_script(text: str, script: Script) -> str:
    """`text` in the script; unchanged where none is asked for.

    Raises:
        SettingsError: OpenCC is not installed; holds the command.
    """
    if not script:
        return text
    converted: str = _converter(_CONFIGURATIONS[script]).convert(text)
    return converted


@functools.cache
def _converter(configuration: str) -> Any:
    return extra("opencc", "conversion between simplified and traditional", "简繁转换").OpenCC(
        configuration
    )


def extra(module: str, en: str, zh: str) -> Any:
    """A module of the extra `translate`.

    Args:
        module: its name.
        en: what needs it, in English.
        zh: the same in Chinese.

    Raises:
        SettingsError: it is not installed; holds the command.
    """
    return extras.extra(module, "translate", f"{en} needs", f"{zh}需要")
