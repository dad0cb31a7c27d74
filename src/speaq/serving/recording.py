"""Answers as episodes: exactly what was drawn, from which distribution, by which model."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from speaq import __version__
from speaq.core.files import digest
from speaq.experience.episode import Episode, Turn
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.serving.generation import Drawn

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Question:
    """What is asked of the model: one reply."""

    prefix: tuple[int, ...]
    """Tokens up to where the reply begins."""
    turns: tuple[Turn, ...]
    """The same as observations, for the record."""
    decoding: Decoding
    beta: float
    seed: int
    stops: tuple[str, ...] = ()
    best: int = 0
    """How many of the likeliest tokens to report for each place."""
    app: str = "chat"
    raw: bool = False
    """The prompt stood before the reply as it is, without the chat template."""
    subject: str | None = None
    consent: tuple[str, ...] | None = None


class Scribe:
    """Writes questions and replies as episodes of one model."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._head = head_fingerprint(model)

    def begin(self, question: Question, episode_id: str) -> Episode:
        """The episode as far as it is known before the first token: no action yet."""
        tags = {
            "temperature": repr(question.decoding.temperature),
            "top_k": repr(question.decoding.top_k),
            "top_p": repr(question.decoding.top_p),
            "support": repr(question.decoding.support),
            "max_new_tokens": repr(question.decoding.max_new_tokens),
            "beta": repr(question.beta),
            "seed": str(question.seed),
            "speaq": __version__,
        }
        if question.beta != 0:
            tags["head"] = self._head
        if question.stops:
            tags["stop"] = json.dumps(question.stops, ensure_ascii=False)
        if question.raw:
            tags["prompt"] = "raw"
        return Episode(
            turns=question.turns,
            id=episode_id,
            app=question.app,
            model=self._model.name,
            tokenizer=self._model.tokenizer_fingerprint,
            subject=question.subject,
            consent=question.consent,
            tags=tags,
        )

    def finish(self, begun: Episode, text: str, tokens: Sequence[Drawn], how: Finish) -> Episode:
        """The whole episode."""
        action = Turn(
            "action",
            text,
            token_ids=tuple(drawn.token_id for drawn in tokens),
            # Rounding may leave the log-probability of a certain token a hair above 0.
            logprobs=tuple(min(0.0, drawn.logprob) for drawn in tokens),
        )
        return replace(
            begun,
            turns=(*begun.turns, action),
            truncated=how != "stop",
            tags={**begun.tags, "finish": how},
        )


def head_fingerprint(model: LanguageModel) -> str:
    """Digest of the value head's numbers; empty without one."""
    if model.head is None:
        return ""
    state = model.head.state_dict()
    return digest(*(state[name].cpu().float().numpy().tobytes() for name in sorted(state)))
