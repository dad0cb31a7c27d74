"""The oldest way: words that are pleasant or not, lists of names, regular expressions.

A file of rules is JSON:

    {"names": {"person": ["Ada Lovelace", "鲁迅"]}, "patterns": {"part": "[A-Z]{2}-\\\\d{4}"},
     "usual": true}

`usual` adds the patterns for addresses, dates, amounts and the like that are in this module.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.apps.understand.results import Entity
from speaq.core.errors import DataError
from speaq.experience.episode import Episode, Turn
from speaq.experience.rewards import lexicon
from speaq.text.units import HAN

USUAL: Mapping[str, str] = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "url": r"https?://[^\s<>\"'，。；）)]+|www\.[\w-]+(?:\.[\w-]+)+[^\s<>\"'，。；）)]*",
    "date": (
        r"\d{4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月\d{1,2}[日号]"
        r"|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}"
        r"|(?:\d{1,2} )?(?:January|February|March|April|May|June|July|August|September|October"
        r"|November|December)(?: \d{1,2})?,? \d{4}"
    ),
    "time": r"\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?|\d{1,2}[点时](?:\d{1,2}分|半)?",
    "money": (
        r"[$€£¥￥]\s?\d[\d,]*(?:\.\d+)?(?: ?(?:million|billion|万|亿))?"
        r"|\d[\d,]*(?:\.\d+)?\s?(?:万|亿)?(?:元|美元|欧元|日元|dollars?|euros?|yuan)"
    ),
    "percent": r"\d+(?:\.\d+)?\s?[%％]|百分之[零一二三四五六七八九十百点\d]+",
    "phone": r"(?<!\d)(?:\+\d{1,3}[ -]?)?(?:1[3-9]\d{9}|\(?\d{3,4}\)?[ -]\d{3,4}[ -]?\d{4})(?!\d)",
}
"""Patterns that most texts have use for; of those that overlap the longest counts."""
_WORD = re.compile(rf"[^\W_{HAN}]")
SENTIMENT = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class ToneClassifier:
    """Sentiment by counting words of two lists, English and Chinese; a negation turns one round.

    p(positive) grows with the share of pleasant words; without any the text is neutral.
    """

    labels: tuple[str, ...] = SENTIMENT
    several: bool = False
    threshold: float = 0.5

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """See `Classifier`."""
        made = []
        for text in texts:
            tone = lexicon(Episode((Turn("action", text),)))
            weights = np.exp([-3 * tone, 0.8 if not tone else -1.0, 3 * tone])
            made.append(weights / weights.sum())
        return np.array(made)


@dataclass(frozen=True)
class RuleFinder:
    """Entities by lists of names and by regular expressions."""

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By kind; words have to stand as a whole, Chinese names are found anywhere."""
    patterns: Mapping[str, str] = field(default_factory=lambda: USUAL)

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Finder`."""
        return tuple(dict.fromkeys((*self.names, *self.patterns)))

    @cached_property
    def _compiled(self) -> list[tuple[str, re.Pattern[str]]]:
        made = [(kind, re.compile(pattern)) for kind, pattern in self.patterns.items()]
        for kind, names in self.names.items():
            longest = sorted(names, key=len, reverse=True)
            if longest:
                made.insert(0, (kind, re.compile("|".join(map(_whole, longest)))))
        return made

    def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """See `Finder`."""
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> tuple[Entity, ...]:
        found = [
            Entity(match.group(), match.start(), match.end(), kind)
            for kind, pattern in self._compiled
            for match in pattern.finditer(text)
            if match.group()
        ]
        kept: list[Entity] = []
        for each in sorted(found, key=lambda e: e.start - e.end):
            if all(each.end <= other.start or other.end <= each.start for other in kept):
                kept.append(each)
        return tuple(sorted(kept, key=lambda each: each.start))


def _whole(name: str) -> str:
    before = rf"(?<![^\W_{HAN}])" if _WORD.match(name[0]) else ""
    after = rf"(?![^\W_{HAN}])" if _WORD.match(name[-1]) else ""
    return before + re.escape(name) + after


def read_rules(file: Path) -> RuleFinder:
    """Read a file of rules.

    Raises:
        DataError: not such a file, an empty name, or a pattern that is no regular expression.
    """
    try:
        held: Any = json.loads(file.read_text(encoding="utf-8-sig"))
        names = {str(kind): [str(name) for name in each] for kind, each in
                 held.get("names", {}).items()}  # fmt: skip
        patterns = {str(kind): str(each) for kind, each in held.get("patterns", {}).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"expected rules as JSON with 'names' and 'patterns' ({error}).",
            f"应为含 names 与 patterns 的 JSON 规则文件（{error}）。",
            file=file,
        ) from error
    for kind, each in names.items():
        if not all(name.strip() for name in each):
            raise DataError("a name is empty.", "名称为空。", file=file, field=kind)
    for kind, pattern in patterns.items():
        try:
            re.compile(pattern)
        except re.error as error:
            raise DataError(
                f"'{pattern}' is no regular expression ({error}).",
                f"“{pattern}”不是正则表达式（{error}）。",
                file=file,
                field=kind,
            ) from error
    return RuleFinder(names, {**(USUAL if held.get("usual") else {}), **patterns})
