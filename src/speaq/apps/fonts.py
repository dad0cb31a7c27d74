"""Chinese in pictures: the fonts of this machine that have its characters."""

from functools import cache

_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
_LATIN = "DejaVu Sans"


@cache
def families() -> tuple[str, ...]:
    """Families for matplotlib, in the order in which a character is looked for."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return (_LATIN, *(name for name in _CHINESE if name in known))


def shown(text: str) -> str:
    """A text as these fonts can show it: without a Chinese font, its characters as `?`.

    Else matplotlib would draw boxes and complain of each.
    """
    if len(families()) > 1:
        return text
    return "".join(letter if ord(letter) < 0x2E80 else "?" for letter in text)
