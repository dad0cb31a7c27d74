"""Counting words where words are written apart and characters where they are not."""

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
"""Chinese characters, for use inside a character class."""

_UNIT = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*")


def units(text: str) -> list[str]:
    """The words of `text` in lower case; each Chinese character counts as one."""
    return _UNIT.findall(text.lower())
