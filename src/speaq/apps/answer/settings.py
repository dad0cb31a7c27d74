"""What a domain is besides its index: who reads, who writes, and what its readers are told."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from speaq.core.errors import ModelError
from speaq.core.files import write_text
from speaq.core.settings import require

FILE = "answer.json"
_NOTICES = {
    "medical": (
        "Quoted from the documents; no substitute for the advice of a physician.",
        "内容引自所给文档，不能代替医生的意见。",
    ),
    "legal": (
        "Quoted from the documents; no legal advice.",
        "内容引自所给文档，不构成法律意见。",
    ),
    "technical": (
        "Quoted from the documents; check the version that yours is of.",
        "内容引自所给文档；请核对您所用的版本。",
    ),
    "service": (
        "Quoted from the documents; ask the service desk where it matters.",
        "内容引自所给文档；重要事项请咨询客服。",
    ),
}


@dataclass(frozen=True)
class AnswerSettings:
    """How a domain answers. They may change at any time, unlike the index's.

    Raises:
        SettingsError: a number out of range.
    """

    domain: str = ""
    """medical, legal, technical and service have a notice of their own; any other name may be."""
    notice: str = ""
    """What stands under every answer, instead of the domain's own."""
    reader: str = ""
    """A model folder of speaq fine-tune that learnt reading; empty: the best sentence answers."""
    writer: str = ""
    """A language model that words answers; empty: answers are quoted only."""
    graph: str = ""
    """A knowledge graph of the documents, by speaq understand; empty: no relation is followed."""
    passages: int = 5
    """Passages that are read for an answer."""

    def __post_init__(self) -> None:
        require("answer", self, {"passages": (1 <= self.passages <= 50, "from 1 to 50")})

    def notice_in(self, chinese: bool) -> str:
        """What its readers are told, in their language where it is ours."""
        return self.notice or _NOTICES.get(self.domain, ("", ""))[chinese]


def save(settings: AnswerSettings, folder: Path) -> None:
    """Keep settings beside the index."""
    write_text(folder / FILE, json.dumps(asdict(settings), ensure_ascii=False, indent=1) + "\n")


def open_settings(folder: Path) -> AnswerSettings:
    """The settings beside an index; the defaults where there are none.

    Raises:
        ModelError: the file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return AnswerSettings()
    try:
        return AnswerSettings(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。") from error
