"""Which language to speak to the person at the terminal: English or Chinese, by locale."""

import os
from typing import Literal

Language = Literal["en", "zh"]


def language() -> Language:
    """The language of messages: `SPEAQ_LANG`, else the locale (LC_ALL, LC_MESSAGES, LANG)."""
    for variable in ("SPEAQ_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def say(en: str, zh: str) -> str:
    """The sentence in the person's language."""
    return zh if language() == "zh" else en
