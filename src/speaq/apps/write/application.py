"""The writer: topic, keywords, kind, style and length in, a text out, on any language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import torch
from torch import nn

from speaq.apps.application import Answer, recorded
from speaq.apps.write.budgets import Length
from speaq.apps.write.cutting import unlooped
from speaq.apps.write.finishing import Finisher, Repairs, polished
from speaq.apps.write.forms import Verse
from speaq.apps.write.keywords import Keywords, counts
from speaq.apps.write.prompts import prompt_of
from speaq.apps.write.repair_model import Repairer
from speaq.apps.write.request import WriteRequest
from speaq.apps.write.structure import Structure
from speaq.apps.write.summarising import LEAD, MODEL, RANK, compared, lead, textrank
from speaq.apps.write.verse import VerseRule
from speaq.core.devices import device, threads
from speaq.core.errors import SettingsError
from speaq.core.seeds import derive
from speaq.evaluation.credit import places_of
from speaq.experience.episode import Episode, Turn
from speaq.models.chat import Message, opening
from speaq.models.constrained import Draft, Rule, Written, draw_constrained
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.models.token_bytes import TokenBytes
from speaq.text.sentences import sentences
from speaq.text.units import units

TOP_P = 0.95
_SAMPLES = {
    "en": "The old lighthouse keeper walked slowly along the shore, thinking about photographs.",
    "zh": "老人沿着海边慢慢地走，想起了许多年前拍下的照片。",
}
_SPARE = 1.4
"""Tokens of the room over those that a usual text of the length has."""
_ALTERNATIVES = 3


@dataclass(frozen=True)
class _Plan:
    """Everything that is known before the first token."""

    prompt: str
    prefix: tuple[int, ...]
    rules: tuple[Rule, ...]
    room: int


class Writing:
    """The application; see `Application`.

    Args:
        model: writes.
        repairer: mends sentences that rules do not; None: rules alone.
    """

    name = "write"
    request = WriteRequest

    def __init__(self, model: LanguageModel, repairer: Repairs | None = None) -> None:
        self.language_model = model
        self.repairer = repairer
        self.spelling = TokenBytes(model)
        self.model = model.name

    @classmethod
    def open(cls, source: str) -> Self:
        """The writer on a model source, or on `MODEL,repair=FOLDER` with a model that repairs.

        Raises:
            ModelError: there is no such model.
        """
        torch.set_num_threads(threads())
        name, _, repair = source.partition(",repair=")
        model = load(name, device=device())
        cast(nn.Module, model.causal).eval()
        return cls(model, Repairer.open(repair) if repair else None)

    def respond(self, request: WriteRequest, answer_id: str) -> Iterator[str | Answer]:
        """See `Application`. Pieces are whole sentences that stay as they are; where nothing is
        polished, and in verse, they are what each token adds. An empty piece is a step of work.

        Raises:
            SettingsError: the keywords or the form cannot be had: the sentence says why.
            ModelError: guided by β, and the model has no value head.
        """
        if request.kind == "polish":
            yield self._polished(request, answer_id)
            return
        request = request.seeded(derive(0, answer_id) % 2**31)
        plan = self._plan(request)
        decoding = Decoding(temperature=request.temperature, top_p=TOP_P, max_new_tokens=plan.room)
        draft = Draft(self.spelling, plan.room)
        drawn: list[Written] = []
        finisher = Finisher(request.spoken, request.words, self.repairer)
        as_it_is = bool(request.form) or not request.polish
        said, before = "", ""
        for token in draw_constrained(
            self.language_model,
            plan.prefix,
            decoding,
            plan.rules,
            draft,
            beta=request.beta,
            seed=request.seed,
        ):
            drawn.append(token)
            text = draft.text.lstrip()
            piece, before = text[len(before) :], text
            for certain in [piece] if as_it_is else finisher.add(piece):
                said += certain
                yield certain
            yield ""
        ended = drawn[-1].token_id == self.language_model.end_id
        if not as_it_is:
            for certain in finisher.end(ended, close=request.kind != "poem"):
                said += certain
                yield certain
        # Where nothing was worth keeping, what there is has to do.
        said = said.strip() or unlooped(draft.text).strip()
        episode = self._episode(request, plan, decoding, said, drawn, answer_id)
        details = self._details(request, plan, said, drawn, finisher)
        yield Answer(episode, details)

    def _plan(self, request: WriteRequest) -> _Plan:
        model = self.language_model
        prompt = prompt_of(model, request)
        prefix = tuple(opening(model, [Message("user", prompt)]))
        free = model.room(len(prefix))
        room = min(free, self._tokens(request))
        if room < 2:
            raise SettingsError(
                f"what {model.name} is to read takes {len(prefix)} of its "
                f"{model.context_length} tokens, so nothing can be written; shorten the source.",
                f"{model.name} 要读的内容占 {len(prefix)} 个词元（上限 {model.context_length}），"
                "无法再写；请缩短原文。",
            )
        if request.verse:
            verse = VerseRule(self.spelling, Verse.of(request.verse), request.words)
            if free < verse.tokens:
                raise SettingsError(
                    f"a poem of this form may take {verse.tokens} tokens and {model.name} has "
                    f"{free} left; shorten the topic.",
                    f"这种体裁可能需要 {verse.tokens} 个词元，而 {model.name} 只剩 {free} 个；"
                    "请缩短主题。",
                )
            return _Plan(prompt, prefix, (verse,), verse.tokens)
        if request.structured:
            rule = Structure(model, self.spelling, request.form)
            return _Plan(prompt, prefix, (rule,), room)
        keywords = Keywords(model, self.spelling, request.words, room, most_units=request.length)
        length = Length(
            self.spelling, request.length, request.most_sentences, room, keywords.satisfied
        )
        return _Plan(prompt, prefix, (length, keywords), room)

    def _tokens(self, request: WriteRequest) -> int:
        """Tokens that a text of the wanted length takes, with some to spare."""
        sample = _SAMPLES[request.spoken]
        each = len(self.language_model.encode(sample)) / len(units(sample))
        own = sum(len(self.language_model.encode(f" {word}")) + 1 for word in request.words)
        return int(_SPARE * each * request.length) + own + 8

    def _polished(self, request: WriteRequest, answer_id: str) -> Answer:
        text, told = polished(request.source, request.spoken, self.repairer)
        episode = recorded(
            app=self.name,
            model=self.model,
            prompt=request.source,
            reply=Turn("action", text or request.source),
            answer_id=answer_id,
            tags={"kind": "polish", "language": request.spoken},
        )
        return Answer(episode, {"kind": "polish", "language": request.spoken, **told})

    def _episode(
        self,
        request: WriteRequest,
        plan: _Plan,
        decoding: Decoding,
        text: str,
        drawn: Sequence[Written],
        answer_id: str,
    ) -> Episode:
        """The record: the text that is read, with the tokens and propensities it was drawn with.

        What was cut or mended afterwards changes the text, not the tokens: what is judged was
        brought about by all of them.
        """
        tags = {
            "kind": request.kind,
            "language": request.spoken,
            "temperature": repr(request.temperature),
            "top_p": repr(decoding.top_p),
            "max_new_tokens": repr(decoding.max_new_tokens),
            "beta": repr(request.beta),
            "seed": str(request.seed),
            "rules": ",".join(type(rule).__name__.lower() for rule in plan.rules),
        }
        episode = recorded(
            app=self.name,
            model=self.model,
            prompt=plan.prompt,
            reply=Turn(
                "action",
                text,
                token_ids=tuple(each.token_id for each in drawn),
                logprobs=tuple(min(0.0, each.logprob) for each in drawn),
            ),
            answer_id=answer_id,
            tags=tags,
        )
        return replace(
            episode,
            tokenizer=self.language_model.tokenizer_fingerprint,
            truncated=drawn[-1].token_id != self.language_model.end_id,
        )

    def _details(
        self,
        request: WriteRequest,
        plan: _Plan,
        text: str,
        drawn: Sequence[Written],
        finisher: Finisher,
    ) -> dict[str, Any]:
        ids = [each.token_id for each in drawn]
        told: dict[str, Any] = {
            "kind": request.kind,
            "language": request.spoken,
            "units": len(units(text)),
            "sentences": len(sentences(text)),
            "tokens": len(ids),
            "ended": ids[-1] == self.language_model.end_id,
            "seed": request.seed,
            "keywords": counts(request.words, text),
            **finisher.told(),
        }
        if request.stars:
            told["stars"] = request.stars
        if request.verse:
            told["verse"] = Verse.of(request.verse).report(text)
        if request.structured:
            told["complete"] = told["ended"]
        if request.kind == "digest":
            told |= self._beside(request, text)
        if self.language_model.head is not None:
            told["credit"] = self._credit(request, plan, ids)
        return told

    def _beside(self, request: WriteRequest, text: str) -> dict[str, Any]:
        """The digests that take no model, and which way wins."""
        count = request.most_sentences
        ways = {
            LEAD: [lead(request.source, count)],
            RANK: [textrank(request.source, count)],
            MODEL: [text],
        }
        found = compared(ways, [request.reference] if request.reference else [])
        en, zh = found.verdict
        return {
            "digests": {way: texts[0] for way, texts in ways.items()},
            "rouge": {way: dict(scores) for way, scores in found.scores.items()},
            "verdict": en,
            "verdict_zh": zh,
        }

    def _credit(
        self, request: WriteRequest, plan: _Plan, ids: Sequence[int]
    ) -> list[dict[str, Any]]:
        """What the value head made of every token, and what it would rather have seen."""
        places = places_of(self.language_model, plan.prefix, ids, request.beta, _ALTERNATIVES)
        return [
            {
                "text": place.text,
                "advantage": place.said.advantage,
                "instead": [
                    {"text": other.text, "advantage": other.advantage} for other in place.instead
                ],
            }
            for place in places
        ]
