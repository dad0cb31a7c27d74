"""What is asked of the writer, and what it refuses."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from speaq.apps.write.forms import FORMS, NAMES
from speaq.core.errors import DataError, SettingsError
from speaq.core.settings import require
from speaq.text.segmentation import is_chinese

Kind = Literal["article", "story", "review", "poem", "digest", "polish"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Language = Literal["auto", "en", "zh"]
_FROM_SOURCE = ("digest", "polish")
_MOST_KEYWORDS = 16


@dataclass(frozen=True)
class WriteRequest:
    """One text to write.

    Raises:
        SettingsError: a value out of its range, or two that contradict each other.
        DataError: the topic, the source or a keyword is empty.
    """

    topic: str = ""
    """What it is about."""
    keywords: tuple[str, ...] = ()
    """Words that are sure to stand in it."""
    kind: Kind = "article"
    """article, story, review, poem, digest (of source), polish (source, no model writes)."""
    style: str = ""
    """In words, such as: plain, humorous, 古风."""
    language: Language = "auto"
    """en, zh, or auto: that of the topic or source."""
    length: int = 120
    """Most words, or Chinese characters."""
    sentences: int = 0
    """Most sentences; 0: any number, for a digest 3."""
    stars: int = 0
    """Of a review, 1 to 5; 0: the writer's choice."""
    form: str = ""
    """五绝, 七绝, 五律, 七律 (wujue, qijue, wulv, qilv), json:SCHEMA or regex:PATTERN."""
    source: str = ""
    """The text that a digest is of, or that is polished."""
    reference: str = ""
    """A summary that a digest is measured against."""
    temperature: float = 0.8
    """0 writes the likeliest."""
    beta: float = 0.0
    """Strength of guidance by the model's value head."""
    seed: int = -1
    """The same one writes the same text; -1: another each time."""
    polish: bool = True
    """Cut what loops, means nothing, is said twice or unfinished, and mend mistakes."""

    def __post_init__(self) -> None:
        require(
            "write",
            self,
            {
                "kind": (self.kind in KINDS, f"one of {', '.join(KINDS)}"),
                "language": (self.language in get_args(Language), "auto, en or zh"),
                "length": (1 <= self.length <= 4000, "1–4000"),
                "sentences": (0 <= self.sentences <= 200, "0–200"),
                "stars": (0 <= self.stars <= 5, "0–5"),
                "temperature": (0 <= self.temperature <= 5, "0–5"),
                "seed": (self.seed >= -1, "≥ -1"),
            },
        )
        self._require_text()
        self._require_keywords()
        self._require_form()
        if self.stars and self.kind != "review":
            raise _contradiction("stars", f"kind = {self.kind}", "kind = review")
        if self.source and self.kind not in _FROM_SOURCE:
            raise _contradiction("source", f"kind = {self.kind}", "kind = digest or polish")
        if self.reference and self.kind != "digest":
            raise _contradiction("reference", f"kind = {self.kind}", "kind = digest")

    def _require_text(self) -> None:
        if self.kind in _FROM_SOURCE:
            if not self.source.strip():
                raise DataError(
                    f"the source is empty; kind = {self.kind} needs a text.",
                    f"原文为空；kind = {self.kind} 需要一段文本。",
                    field="source",
                )
        elif not self.topic.strip():
            raise DataError(
                "the topic is empty; say in a few words what to write about.",
                "主题为空；请用几个字说明要写什么。",
                field="topic",
            )

    def _require_keywords(self) -> None:
        for keyword in self.keywords:
            if not keyword.strip() or keyword != keyword.strip() or "\n" in keyword:
                raise DataError(
                    f"keyword '{keyword}' is empty, or has space around it or a line end in it.",
                    f"关键词“{keyword}”为空，或首尾有空格，或含换行。",
                    field="keywords",
                )
        if len(self.keywords) > _MOST_KEYWORDS:
            raise SettingsError(
                f"{len(self.keywords)} keywords are more than {_MOST_KEYWORDS}; leave some out.",
                f"关键词有 {len(self.keywords)} 个，超过 {_MOST_KEYWORDS} 个；请减少。",
            )
        if self.keywords and self.kind == "polish":
            raise _contradiction("keywords", "kind = polish", "a kind that is written")

    def _require_form(self) -> None:
        if not self.form:
            return
        if self.verse:
            if self.kind != "poem":
                raise _contradiction(f"form = {self.form}", f"kind = {self.kind}", "kind = poem")
            if self.language == "en":
                raise _contradiction(f"form = {self.form}", "language = en", "language = zh")
            if self.sentences:
                raise _contradiction(f"form = {self.form}", "sentences", "either of them")
            return
        kind, sign, text = self.form.partition(":")
        if kind not in ("json", "regex") or not sign or not text.strip():
            raise SettingsError(
                f"form = {self.form} is unknown; use {', '.join(FORMS)}, json:SCHEMA or "
                "regex:PATTERN.",
                f"没有体裁“{self.form}”；可用 {'、'.join(FORMS)}、json:模式 或 regex:表达式。",
            )
        if self.keywords or self.sentences:
            other = "keywords" if self.keywords else "sentences"
            raise _contradiction(f"form = {kind}:…", other, "put it into the schema or pattern")
        if kind == "json":
            _require_json(text)

    @property
    def verse(self) -> str:
        """The form of verse that is asked for, in Chinese; empty if none."""
        return NAMES.get(self.form, self.form if self.form in FORMS else "")

    @property
    def structured(self) -> bool:
        """Whether a program is to read the text."""
        return self.form.startswith(("json:", "regex:"))

    @property
    def spoken(self) -> Literal["en", "zh"]:
        """The language of the text."""
        if self.verse:
            return "zh"
        if self.language != "auto":
            return self.language
        text = self.source if self.kind in _FROM_SOURCE else self.topic
        return "zh" if is_chinese(text) else "en"

    @property
    def words(self) -> tuple[str, ...]:
        """The keywords, each once."""
        return tuple(dict.fromkeys(self.keywords))

    @property
    def most_sentences(self) -> int:
        """Most sentences; 0: any number."""
        return self.sentences or (3 if self.kind == "digest" else 0)

    def seeded(self, seed: int) -> "WriteRequest":
        """The same with a seed, if it has none."""
        return self if self.seed >= 0 else replace(self, seed=seed)

    def asked(self) -> dict[str, object]:
        """What was set, other than by default."""
        plain = asdict(WriteRequest(topic="-"))
        return {name: value for name, value in asdict(self).items() if value != plain[name]}


def _require_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise SettingsError(
            f"form: the JSON schema is not JSON ({error}).",
            f"form：该 JSON 模式不是有效的 JSON（{error}）。",
        ) from error


def _contradiction(one: str, other: str, instead: str) -> SettingsError:
    return SettingsError(
        f"{one} does not go with {other}; use {instead}.",
        f"{one} 与 {other} 矛盾；应为：{instead}。",
    )
