"""Simplified or traditional characters, by choice: engines mix them."""

from typing import Literal

from speaq.apps.transcribe.extra import speech

Script = Literal["as heard", "simplified", "traditional"]
SCRIPTS: tuple[Script, ...] = ("as heard", "simplified", "traditional")
_TABLES = {"simplified": "t2s", "traditional": "s2t"}


def written(text: str, script: Script) -> str:
    """The text in a script; what is not Chinese stays.

    Raises:
        SettingsError: the extra is not installed.
    """
    if script == "as heard":
        return text
    made: str = speech("opencc").OpenCC(_TABLES[script]).convert(text)
    return made
