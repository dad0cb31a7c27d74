"""The application `answer`: a question in, an answer with the places it is quoted from out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from speaq.apps.answer import replies
from speaq.apps.answer.citing import Citation, quoted, statements
from speaq.apps.answer.domain import Domain, Reading
from speaq.apps.answer.follow_up import standing_alone
from speaq.apps.answer.index import MANIFEST
from speaq.apps.answer.ranking import PASSAGE, SIGNED
from speaq.apps.answer.terms import terms
from speaq.apps.answer.writer import Writer, Written
from speaq.apps.application import Answer, recorded
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.experience.episode import Turn
from speaq.text.segmentation import is_chinese

LONGEST = 2000
"""Characters of a question."""
_REMEMBERED = 5
"""Exchanges of a conversation that a follow-up may lean on."""
_SHOWN = 3
"""Passages whose places a refusal names."""


@dataclass(frozen=True)
class Question:
    """What the route, the page and the command line ask.

    Raises:
        DataError: an empty question, or one too long to be one.
    """

    question: str
    domain: str = ""
    """Which documents; empty: those that hold most of the question's terms."""
    history: tuple[tuple[str, str], ...] = ()
    """Earlier questions with their answers, oldest first; a follow-up leans on them."""
    mode: Literal["auto", "quote", "write"] = "auto"
    """quote: a passage word for word. write: a language model's words. auto: write if it can."""

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise DataError("the question is empty.", "问题为空。", field="question")
        if len(self.question) > LONGEST:
            raise DataError(
                f"the question has {len(self.question):,} characters, and {LONGEST:,} are read; "
                "put texts into the documents, and ask about them.",
                f"问题有 {len(self.question):,} 个字符，最多 {LONGEST:,} 个；"
                "请把文本放入文档，再就其提问。",
                field="question",
            )


class Answering:
    """See the module.

    Args:
        domains: by name.
    """

    name = "answer"
    request = Question

    def __init__(self, domains: dict[str, Domain]) -> None:
        self.domains = domains
        self.model = "answer " + ", ".join(domains)

    @classmethod
    def open(cls, source: str) -> "Answering":
        """The domain whose index stands in a folder, or all those in its subfolders.

        Raises:
            ModelError: there is none, or one is damaged.
        """
        folder = Path(source)
        if (folder / MANIFEST).is_file():
            opened = [Domain(folder)]
        else:
            opened = [Domain(file.parent) for file in sorted(folder.glob(f"*/{MANIFEST}"))]
        if not opened:
            raise ModelError(
                f"{folder} holds no index; make one with: speaq answer index {folder} DOCUMENTS.",
                f"{folder} 中没有索引；请运行：speaq answer index {folder} 文档。",
            )
        names = [each.name for each in opened]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ModelError(
                f"two domains in {folder} are called '{twice}'; rename one with: speaq answer set.",
                f"{folder} 中有两个领域都叫“{twice}”；请用 speaq answer set 改名。",
            )
        return cls(dict(zip(names, opened, strict=True)))

    def respond(self, request: Question, answer_id: str) -> Iterator[str | Answer]:
        """See `Application`.

        Raises:
            SettingsError: no such domain, or writing without a writer.
        """
        domain, asked = self._place(request)
        writer = domain.writer if request.mode != "quote" else None
        if request.mode == "write" and writer is None:
            raise SettingsError(
                "no language model words answers here; name one with: speaq answer set --writer.",
                "此处没有用于组织答案的语言模型；请用 speaq answer set --writer 指定。",
            )
        reading = domain.read(asked)
        if reading is None or reading.probability < domain.decider.threshold:
            # Another language is a reason for finding nothing, and no proof of it.
            foreign = domain.foreign(request.question)
            text = (
                replies.foreign(request.question, *foreign)
                if foreign[0]
                else replies.unknown(request.question, asked, _nearest(reading))
            )
            details = {**_silent(asked), **_facts(reading)}
            turn = Turn("action", text)
            yield self._answer(request, domain, answer_id, turn, details, reading)
        elif writer is not None:
            yield from self._written(request, domain, writer, asked, reading, answer_id)
        else:
            yield self._quoted(request, domain, asked, reading, answer_id)

    def _place(self, request: Question) -> tuple[Domain, str]:
        """The domain that is asked, and the question as it stands alone there."""
        if request.domain and request.domain not in self.domains:
            raise SettingsError(
                f"there is no domain '{request.domain}'; known are {', '.join(self.domains)}.",
                f"没有领域“{request.domain}”；可用：{'、'.join(self.domains)}。",
            )
        names = [request.domain] if request.domain else list(self.domains)
        best: tuple[float, Domain, str] | None = None
        for name in names:
            domain = self.domains[name]
            domain.refresh()
            history = request.history[-_REMEMBERED:]
            asked = standing_alone(request.question, history, _rarity(domain))
            found = domain.search.find(asked, 1, "bm25") if len(names) > 1 else []
            covered = max((each.covered for each in found), default=0.0)
            if best is None or covered > best[0]:
                best = covered, domain, asked
        assert best is not None
        return best[1], best[2]

    def _quoted(
        self, request: Question, domain: Domain, asked: str, reading: Reading, answer_id: str
    ) -> Answer:
        number = reading.place + 1
        found, span = reading.found[reading.place], reading.spans[reading.place]
        cited = quoted(number, found, span)
        text = " ".join(cited.text.split()) if not is_chinese(cited.text) else cited.text.strip()
        details = {"asked": asked, "answered": True, **_facts(reading), **_cited([cited])}
        return self._answer(request, domain, answer_id, Turn("action", text), details, reading)

    def _written(
        self,
        request: Question,
        domain: Domain,
        writer: Writer,
        asked: str,
        reading: Reading,
        answer_id: str,
    ) -> Iterator[str | Answer]:
        for said in writer.write(asked, reading.found):
            if not isinstance(said, Written):
                yield said
                continue
            if not said.text:
                # A writer that found no words does not keep the answer back.
                yield self._quoted(request, domain, asked, reading, answer_id)
                return
            stated = statements(said.text, reading.found)
            details = {
                "asked": asked,
                "answered": True,
                **_facts(reading),
                **_cited([each for one in stated for each in one.citations]),
                "statements": [each.facts() for each in stated],
            }
            turn = Turn("action", said.text, token_ids=said.token_ids, logprobs=said.logprobs)
            made = self._answer(request, domain, answer_id, turn, details, reading)
            yield replace(made, episode=replace(made.episode, truncated=said.truncated))

    def _answer(
        self,
        request: Question,
        domain: Domain,
        answer_id: str,
        turn: Turn,
        details: dict[str, Any],
        reading: Reading | None = None,
    ) -> Answer:
        tags = {"domain": domain.name, "answered": str(details["answered"]).lower()}
        if reading is not None and details["answered"]:
            tags[PASSAGE] = reading.found[reading.place].passage.key
            tags[SIGNED] = json.dumps([round(each, 5) for each in reading.signs])
        episode = recorded(
            app=self.name,
            model=f"{domain.name} {domain.reader.name}",
            prompt=request.question,
            reply=turn,
            answer_id=answer_id,
            tags=tags,
        )
        notice = domain.settings.notice_in(is_chinese(request.question))
        return Answer(episode, {"domain": domain.name, "notice": notice, **details})


def _rarity(domain: Domain) -> Any:
    """How rare a word is in a domain's documents; 0 where they do not hold it."""

    def rarity(word: str) -> float:
        weights = domain.search.index.weights(terms().of(word))
        return max(weights.values(), default=0.0)

    return rarity


def _silent(asked: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {"citations": [], "passages": [], "probability": 0.0}
    return {"asked": asked, "answered": False, **nothing}


def _nearest(reading: Reading | None) -> list[str]:
    if reading is None:
        return []
    cited = [
        quoted(n, found, span)
        for n, (found, span) in enumerate(zip(reading.found, reading.spans, strict=True), 1)
    ]
    return list(dict.fromkeys(each.place for each in cited))[:_SHOWN]


def _facts(reading: Reading | None) -> dict[str, Any]:
    """What was found, as JSON values."""
    if reading is None:
        return {"probability": 0.0, "passages": []}
    passages = [
        {
            "number": number,
            "file": found.passage.file,
            "line": found.passage.line,
            "page": found.passage.page,
            "start": found.passage.start,
            "end": found.passage.end,
            "text": found.passage.text,
            "score": round(found.score, 4),
            "scores": {name: round(score, 4) for name, score in found.scores.items()},
            "covered": round(found.covered, 4),
            "margin": round(span.margin, 4),
            "through": found.through,
        }
        for number, (found, span) in enumerate(zip(reading.found, reading.spans, strict=True), 1)
    ]
    return {"probability": round(reading.probability, 4), "passages": passages}


def _cited(cited: list[Citation]) -> dict[str, Any]:
    return {"citations": [each.facts() for each in dict.fromkeys(cited)]}
