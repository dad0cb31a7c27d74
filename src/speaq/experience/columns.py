"""Which column of a table holds what, and taking it out of a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from speaq.core.errors import DataError
from speaq.experience.fields import Place

_USUAL: dict[str, dict[str, tuple[str, ...]]] = {
    "prompt": {
        "en": ("prompt", "question", "instruction", "query", "input"),
        "zh": ("提示", "提示词", "问题", "提问", "指令", "输入"),
    },
    "response": {
        "en": ("response", "reply", "answer", "output", "completion"),
        "zh": ("回复", "回答", "答复", "答案", "输出"),
    },
    "score": {
        "en": ("score", "rating", "reward", "label", "stars", "thumb"),
        "zh": ("评分", "分数", "得分", "打分", "奖励", "评价"),
    },
}
_KEPT = ("id", "time", "app", "model", "subject", "consent")
_NONE = "none"
_THUMBS = {"true": True, "false": False, "up": True, "down": False, "👍": True, "👎": False}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns a layout reads; empty where there is none."""

    prompt: str = ""
    response: str = ""
    score: str = ""
    read: tuple[str, ...] = ()
    """Columns whose content has a place of its own in an episode; the others become tags."""

    @classmethod
    def find(
        cls,
        layout: str,
        found: list[str],
        prompt: str,
        response: str,
        score: str,
        place: Place,
    ) -> "Columns":
        """The columns of `layout` among those found, by the given names or the usual ones.

        Raises:
            DataError: a needed or named column is not there, or more than one might be it.
        """
        if layout == "episodes":
            return cls()
        table = layout == "table"
        read = {
            "prompt": _pick("prompt", prompt, found, place, needed=table),
            "response": _pick("response", response, found, place, needed=table) if table else "",
            "score": ""
            if score == _NONE or layout == "pairs"
            else _pick("score", score, found, place, needed=table),
        }
        others = {"chat": ("messages", "conversations", "conversation")}.get(layout, ())
        if layout == "chat":
            read["prompt"] = ""
        return cls(**read, read=(*filter(None, read.values()), *_KEPT, *others))

    def take(self, record: Mapping[str, Any], name: str, place: Place) -> Any:
        """The value of a needed column."""
        if name not in record:
            raise place.error(
                name,
                f"this row lacks it (found: {', '.join(record)}).",
                f"该行缺少它（现有：{'、'.join(record)}）。",
            )
        return record[name]

    def rest(self, record: Mapping[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
        """What no other part of an episode holds."""
        return {
            name: value
            for name, value in record.items()
            if name not in self.read and name not in without and value not in (None, "")
        }

    def number(self, record: Mapping[str, Any], place: Place) -> float | bool | None:
        """The score of a row; None if the cell is empty, which says that nobody rated it."""
        value = record.get(self.score) if self.score else None
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            plain = value.strip().lower()
            if not plain:
                return None
            if plain in _THUMBS:
                return _THUMBS[plain]
            return place.number(self.score, _float(self.score, plain, place))
        return place.number(self.score, value)

    def id(self, record: Mapping[str, Any], place: Place) -> str:
        """The row's own id, or `?` where it has none."""
        value = record.get("id")
        return "?" if value is None or value == "" else str(value)

    def time(self, record: Mapping[str, Any], place: Place) -> float:
        """Seconds since 1970 of a number, a date or an ISO 8601 text; 0 where unknown."""
        value = record.get("time")
        if value is None or value == "":
            return 0.0
        if isinstance(value, str):
            try:
                return place.number("time", float(value))
            except ValueError:
                value = _date(value, place)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        return place.number("time", value)

    def subject(self, record: Mapping[str, Any]) -> str | None:
        """The pseudonym of the person, if there is one."""
        value = record.get("subject")
        return None if value is None or value == "" else str(value)

    def consent(self, record: Mapping[str, Any], place: Place) -> tuple[str, ...] | None:
        """Purposes agreed to. An empty cell of a consent column means that none was."""
        if "consent" not in self.read or "consent" not in record:
            return None
        value = record["consent"]
        if value is None:
            return ()
        if isinstance(value, str):
            return tuple(purpose.strip() for purpose in value.split(",") if purpose.strip())
        return tuple(place.text("consent", purpose) for purpose in place.list("consent", value))


def _float(name: str, text: str, place: Place) -> float:
    try:
        return float(text)
    except ValueError:
        raise place.error(
            name,
            f"expected a number, found '{text[:40]}'.",
            f"应为数值，却是“{text[:40]}”。",
        ) from None


def _date(text: str, place: Place) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise place.error(
            "time",
            f"'{text[:40]}' is neither seconds since 1970 nor a date such as 2026-01-31T12:00:00Z.",
            f"“{text[:40]}”既不是自 1970 年起的秒数，也不是 2026-01-31T12:00:00Z 这样的日期。",
        ) from None


def _pick(role: str, given: str, found: list[str], place: Place, *, needed: bool) -> str:
    if given:
        if given in found:
            return given
        raise place.unknown(given, found, found)
    by_plain_name = {name.strip().lower(): name for name in found}
    if role in by_plain_name:
        return by_plain_name[role]
    usual = [name for language in _USUAL[role].values() for name in language]
    matches = [by_plain_name[name] for name in usual if name in by_plain_name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise _ambiguous(role, matches, place)
    if needed:
        raise _missing(role, found, place)
    return ""


def _ambiguous(role: str, matches: list[str], place: Place) -> DataError:
    return place.error(
        role,
        f"{' and '.join(matches)} could each be the {role}; say which with {role}=...",
        f"{'、'.join(matches)} 都可能是 {role}；请用 {role}=... 指明。",
    )


def _missing(role: str, found: list[str], place: Place) -> DataError:
    unrated_en = ", or score=none if nobody rated it" if role == "score" else ""
    unrated_zh = "；若尚无评分，用 score=none" if role == "score" else ""
    return place.error(
        role,
        f"no column is called that or the like (found: {', '.join(found)}); name it with "
        f"{role}=...{unrated_en}.",
        f"没有这样的列（现有：{'、'.join(found)}）；请用 {role}=... 指明{unrated_zh}。",
    )
