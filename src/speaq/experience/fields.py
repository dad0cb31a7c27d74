"""Taking typed values out of a record, with errors that say where."""

import difflib
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError

_ZH = {"text": "文本", "a number": "数值", "true or false": "true 或 false", "a list": "列表"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record came from, for errors."""

    file: Path | str | None = None
    row: int | None = None

    def error(self, field: str | None, en: str, zh: str) -> DataError:
        """A `DataError` at this place."""
        return DataError(en, zh, file=self.file, row=self.row, field=field)

    def wrong_type(self, field: str, expected: str, value: object) -> DataError:
        """A `DataError` saying what was expected instead of `value`."""
        found = "nothing" if value is None else f"{type(value).__name__} {_short(value)}"
        found_zh = "空值" if value is None else f"{type(value).__name__} {_short(value)}"
        zh = _ZH.get(expected, expected)
        return self.error(
            field, f"expected {expected}, found {found}.", f"应为{zh}，却是 {found_zh}。"
        )

    def text(self, field: str, value: object) -> str:
        """`value` if it is a string."""
        if not isinstance(value, str):
            raise self.wrong_type(field, "text", value)
        return value

    def words(self, field: str, value: object) -> str:
        """`value` if it is a string with something in it."""
        text = self.text(field, value)
        if not text.strip():
            raise self.error(field, "the text is empty.", "文本为空。")
        return text

    def number(self, field: str, value: object) -> float:
        """`value` as a float if it is a finite number; true and false are not numbers."""
        if isinstance(value, bool) or not isinstance(value, Real):
            raise self.wrong_type(field, "a number", value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error(
                field, f"{number} is not a finite number.", f"{number} 不是有限的数值。"
            )
        return number

    def flag(self, field: str, value: object) -> bool:
        """`value` if it is true or false."""
        if not isinstance(value, bool):
            raise self.wrong_type(field, "true or false", value)
        return value

    def list(self, field: str, value: object) -> Sequence[Any]:
        """`value` if it is a list."""
        if not isinstance(value, (list, tuple)):
            raise self.wrong_type(field, "a list", value)
        return value

    def known_fields(self, names: Collection[str], known: Sequence[str]) -> None:
        """Refuse a name that is not among the known ones, with a suggestion."""
        for name in names:
            if name not in known:
                raise self.unknown(name, known, list(names))

    def unknown(self, name: str, known: Sequence[str], found: Sequence[str]) -> DataError:
        """A `DataError` for an unknown column or field, with the nearest known one."""
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        en = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        zh = f"是否想用“{near[0]}”？" if near else f"可用的有：{'、'.join(known)}。"
        return self.error(
            name,
            f"there is nothing of this name here (found: {', '.join(found)}); {en}",
            f"没有这个名称（现有：{'、'.join(found)}）；{zh}",
        )


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."
