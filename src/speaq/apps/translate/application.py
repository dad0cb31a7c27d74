"""The application: a text in, its translation out sentence by sentence, with all that is known."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from speaq.apps.application import Answer, recorded
from speaq.apps.translate.files.markup import Stretch, readable, stretches, written
from speaq.apps.translate.sentence import Rendered, Rules, render
from speaq.apps.translate.texts.languages import pair_of, ranked, script_of
from speaq.apps.translate.texts.scripts import in_script
from speaq.apps.translate.texts.segments import Segment, joined, segments
from speaq.apps.translate.translating import Direction, Translating
from speaq.apps.translate.wording.glossary import Glossary, read_glossary, read_terms
from speaq.apps.translate.wording.memory import LEAST, TranslationMemory
from speaq.core.errors import DataError, SettingsError
from speaq.core.settings import require
from speaq.experience.episode import Turn

GLOSSARIES = ("glossary.tsv", "glossary.csv", "glossary.tmx")
"""Beside the model: holds for every request."""
KEEP = "do-not-translate.txt"
"""Beside the model: terms, one a line."""
MEMORY = "memory.sqlite"
"""Beside the model: see `TranslationMemory`."""
LONGEST = 50_000
"""Characters of a request; a file may be longer."""
_TAG = re.compile(r"<[^<>]*>")
_TOGETHER = 8
"""Sentences that the model is given at once; the first goes alone, so that it comes soon."""


@dataclass(frozen=True)
class TranslateRequest:
    """What is to be translated.

    Raises:
        SettingsError: a field out of its range.
    """

    text: str
    source: str = "auto"
    """A code such as `de`; `auto` or empty: found out."""
    target: str = ""
    """A code such as `en` or `zh-Hant`; empty: the first that the model translates into."""
    format: Literal["text", "html"] = "text"
    alternatives: int = 0
    """Other translations of each sentence that are listed."""
    glossary: Mapping[str, str] = field(default_factory=dict)
    """Terms and their translations, beside the model's own glossary."""
    keep: tuple[str, ...] = ()
    """Terms that are not translated, beside the model's own."""
    memory: bool = True
    """Take what stands in the memory verbatim, and list what is like it."""
    fuzzy: float = LEAST
    """How like a text of the memory must be to be listed."""
    beam: int = 4

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST:
            raise SettingsError(
                f"the text has {len(self.text):,} characters, and {LONGEST:,} are translated at a "
                "time; cut it, or put it into a file for speaq translate file.",
                f"文本有 {len(self.text):,} 个字符，一次最多翻译 {LONGEST:,} 个；"
                "请拆分，或存为文件后使用 speaq translate file。",
            )
        require(
            "translate",
            self,
            {
                "format": (self.format in ("text", "html"), "text | html"),
                "alternatives": (0 <= self.alternatives <= 10, "0 to 10"),
                "fuzzy": (0 < self.fuzzy <= 1, "more than 0, up to 1"),
                "beam": (1 <= self.beam <= 32, "1 to 32"),
            },
        )


@dataclass(frozen=True)
class _Plan:
    """A request made out: what is translated by what."""

    request: TranslateRequest
    direction: Direction
    rules: Rules
    pieces: tuple[Segment, ...]
    """The whole text: sentences, and what stays."""

    @property
    def sentences(self) -> list[Segment]:
        """What is translated."""
        return [piece for piece in self.pieces if piece.sentence]


class Translate:
    """Translation on one translator.

    Args:
        translator: the model.
        glossary: terms that hold for every request.
        keep: terms that are never translated.
        memory: what was translated before.
    """

    name = "translate"
    request = TranslateRequest

    def __init__(
        self,
        translator: Translating,
        *,
        glossary: Glossary | None = None,
        keep: Sequence[str] = (),
        memory: TranslationMemory | None = None,
    ) -> None:
        self.translator = translator
        self.model = translator.name
        self.glossary = glossary or Glossary()
        self.keep = tuple(keep)
        self.memory = memory

    @classmethod
    def open(cls, source: str) -> "Translate":
        """The application on a translator's source, with the glossary, the terms and the memory
        that stand in its folder.

        Raises:
            ModelError: there is no such model.
            DataError: a glossary that cannot be read.
        """
        from speaq.apps.translate.model.translator import Translator

        translator = Translator.open(source)
        folder = Path(source)
        glossary = Glossary()
        for name in GLOSSARIES:
            if (folder / name).is_file():
                glossary += read_glossary(folder / name)
        keep = read_terms(folder / KEEP) if (folder / KEEP).is_file() else ()
        memory = TranslationMemory(folder / MEMORY) if (folder / MEMORY).is_file() else None
        return cls(translator, glossary=glossary, keep=keep, memory=memory)

    def respond(self, request: TranslateRequest, answer_id: str) -> Iterator[str | Answer]:
        """See `Application`: each piece is a sentence, or what stands between two.

        Raises:
            DataError: the text is empty.
            SettingsError: languages that the model does not translate, or an extra is missing.
        """
        plan = self._plan(request)
        said: list[Rendered] = []
        shown = 0
        while len(said) < len(plan.sentences):
            said += self._next(plan, said)
            text = "".join(_pieces(plan, said))
            if len(text) > shown:
                yield text[shown:]
                shown = len(text)
        yield self._answer(plan, said, "".join(_pieces(plan, said)), answer_id)

    def pair(self, request: TranslateRequest) -> tuple[str, str]:
        """The plain codes that a request is translated in.

        Raises:
            SettingsError: the model does not translate them.
        """
        return pair_of(request.source, request.target, request.text, self.translator.pairs)

    def texts(self, texts: Sequence[str], request: TranslateRequest) -> list[str]:
        """The translations of many texts in one direction, such as the cells of a table.

        Args:
            texts: empty ones stay empty.
            request: all but its text; that is what its language is found out by.
        """
        plan = self._plan(request)
        pieces = [segments(text, plan.direction.source) for text in texts]
        sentences = [piece.text for own in pieces for piece in own if piece.sentence]
        said: list[Rendered] = []
        for start in range(0, len(sentences), _TOGETHER):
            said += render(plan.direction, sentences[start : start + _TOGETHER], plan.rules)
        ready = iter(_converted(each, script_of(request.target)) for each in said)
        return [
            "".join(
                joined(
                    own,
                    [next(ready) for piece in own if piece.sentence],
                    plan.direction.source,
                    plan.direction.target,
                )
            )
            for own in pieces
        ]

    def _plan(self, request: TranslateRequest) -> _Plan:
        if not request.text:
            raise DataError("there is no text to translate.", "没有要翻译的文本。", field="text")
        whole = [Stretch(request.text, True)]
        parts = stretches(request.text) if request.format == "html" else whole
        read = " ".join(_TAG.sub(" ", each.text) for each in parts if each.translate)
        pair = pair_of(request.source, request.target, read, self.translator.pairs)
        rules = Rules(
            self.glossary + Glossary.of(request.glossary) if request.glossary else self.glossary,
            (*self.keep, *request.keep),
            self.memory if request.memory else None,
            request.fuzzy,
            request.alternatives,
        )
        direction = Direction(self.translator, *pair, request.beam)
        return _Plan(request, direction, rules, tuple(_cut(parts, pair[0], request.format)))

    def _next(self, plan: _Plan, said: Sequence[Rendered]) -> list[Rendered]:
        count = _TOGETHER if said else 1
        waiting = plan.sentences[len(said) : len(said) + count]
        return render(plan.direction, [piece.text for piece in waiting], plan.rules)

    def _answer(self, plan: _Plan, said: Sequence[Rendered], text: str, answer_id: str) -> Answer:
        request, direction = plan.request, plan.direction
        turn = Turn("action", text)
        only = said[0].hypothesis if len(said) == 1 else None
        if only is not None and only.text == text and only.token_ids:
            fits = len(only.token_ids) == len(only.token_logprobs)
            probabilities = tuple(min(0.0, float(each)) for each in only.token_logprobs)
            turn = replace(
                turn, token_ids=tuple(only.token_ids), logprobs=probabilities if fits else None
            )
        episode = recorded(
            app=self.name,
            model=self.model,
            prompt=request.text,
            reply=turn,
            answer_id=answer_id,
            tags={
                "source": direction.source,
                "target": direction.target,
                "decoding": f"beam {request.beam}",
            },
        )
        return Answer(episode, self._details(plan, said))

    def _details(self, plan: _Plan, said: Sequence[Rendered]) -> dict[str, Any]:
        request, direction = plan.request, plan.direction
        pair = (direction.source, direction.target)
        records, warnings = [], []
        for each, source, target in _placed(plan, said):
            records.append(_record(each, source, target, request.target))
            warnings += each.warnings(pair, source, target)
        sources = {pair[0] for pair in self.translator.pairs}
        languages = ranked(request.text, sources) if len(sources) > 1 else ranked(request.text)
        seen = languages[0] if languages else (direction.source, 0.0)
        if request.format == "text" and seen[1] >= 0.9 and seen[0] != direction.source:
            warnings.append(_other_language(seen[0], direction.source))
        return {
            "source": direction.source,
            "target": request.target or direction.target,
            "detected": {"language": seen[0], "confidence": round(seen[1], 4)},
            "alternatives": _alternatives(plan, said),
            "sentences": records,
            "warnings": warnings,
            "quality": min((each.quality for each in said), default=0.0),
        }


def _cut(parts: Sequence[Stretch], language: str, form: str) -> Iterator[Segment]:
    """The sentences of all parts, and what stands between them, with places in the whole text."""
    start = 0
    for part in parts:
        if part.translate:
            text = readable(part.text) if form == "html" else part.text
            for piece in segments(text, language):
                yield replace(piece, start=start + piece.start)
        else:
            yield Segment(part.text, start, False)
        start += len(part.text)


def _pieces(plan: _Plan, said: Sequence[Rendered]) -> Iterator[str]:
    """Pieces of the translation, up to the first sentence that is not known."""
    known = [_converted(each, script_of(plan.request.target)) for each in said]
    known += [""] * (len(plan.sentences) - len(known))
    languages = (plan.direction.source, plan.direction.target)
    left = len(said)
    for text, piece in zip(joined(plan.pieces, known, *languages), plan.pieces, strict=True):
        if piece.sentence and not left:
            return
        left -= piece.sentence
        yield written(text) if piece.sentence and plan.request.format == "html" else text


def _placed(plan: _Plan, said: Sequence[Rendered]) -> Iterator[tuple[Rendered, int, int]]:
    """Each sentence with where it begins in the source and in the translation."""
    ready, place = iter(said), 0
    for text, piece in zip(_pieces(plan, said), plan.pieces, strict=True):
        if piece.sentence:
            # A space that parts it from the sentence before is no part of it.
            yield next(ready), piece.start, place + len(text) - len(text.lstrip(" "))
        place += len(text)


def _alternatives(plan: _Plan, said: Sequence[Rendered]) -> list[str]:
    """The whole text with each sentence's first alternative, with its second, ..."""
    made = []
    for place in range(plan.request.alternatives):
        other = [
            replace(each, text=each.alternatives[place]) if place < len(each.alternatives) else each
            for each in said
        ]
        made.append("".join(_pieces(plan, other)))
    return list(dict.fromkeys(made))


def _converted(rendered: Rendered, script: Any) -> str:
    """The text in the script that was asked for; what is kept stays as it is."""
    if not script:
        return rendered.text
    kept = [word for word in rendered.kept if word]
    pieces = re.split(f"({'|'.join(map(re.escape, kept))})", rendered.text) if kept else None
    return "".join(
        piece if piece in kept else in_script(piece, script) for piece in pieces or [rendered.text]
    )


def _record(rendered: Rendered, source: int, target: int, code: str) -> dict[str, Any]:
    text = _converted(rendered, script_of(code))
    return {
        "source": rendered.source,
        "start": source,
        "end": source + len(rendered.source),
        "text": text,
        "target_start": target,
        "target_end": target + len(text),
        "how": rendered.how,
        "quality": round(rendered.quality, 4),
        "alternatives": list(rendered.alternatives),
        "terms": list(rendered.terms),
        "kept": list(rendered.kept),
        "similar": [each.record() for each in rendered.similar],
    }


def _other_language(seen: str, source: str) -> dict[str, Any]:
    return {
        "kind": "language",
        "what": "doubtful",
        "text": seen,
        "start": 0,
        "end": 0,
        "en": f"the text looks like '{seen}', but is translated from '{source}'.",
        "zh": f"文本看起来是“{seen}”，却按“{source}”翻译。",
    }
