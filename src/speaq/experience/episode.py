"""The episode: one whole interaction and what came of it. The record everything else reads.

Text is kept; token ids are an optional exact copy, valid only for the tokenizer that made them,
and are recomputed from the text for any other.
"""

import math
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import uuid4

from speaq.core.errors import DataError

Role = Literal["observation", "action"]
Speaker = Literal["user", "system", "tool", "assistant"]
FeedbackValue = float | str | bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One piece of an episode: text given to the policy, or text it produced."""

    role: Role
    text: str
    speaker: Speaker = "user"
    """Who gave an observation; ignored for actions. `assistant` marks an earlier reply that is
    context only: nobody judged it, so nothing is learnt about its tokens."""
    token_ids: tuple[int, ...] | None = None
    """The action's tokens exactly as sampled, the end token included if one was sampled."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability (natural) of each of `token_ids` under the policy that sampled them."""
    reward: float | None = None
    """What the reply as a whole earned; credited to its last token."""
    token_rewards: tuple[tuple[int, float], ...] | None = None
    """What parts of the reply earned besides: (end, value) credits the token that completes the
    first `end` characters of `text`, whatever the tokenizer."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody or something made of an episode. Events are added, never overwritten."""

    kind: str
    """What was said, such as `thumb`, `score`, `correction`, `click`."""
    value: FeedbackValue
    time: float = 0.0
    """Seconds since 1970, UTC."""
    source: str = "user"
    """Who said it, such as `user`, `rule:friendly`, `metric:chrf`."""
    id: str = ""
    """Idempotency key: a second event with the same id changes nothing."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One interaction: turns in order, feedback as it arrived, and where it came from."""

    turns: tuple[Turn, ...]
    id: str = field(default_factory=lambda: uuid4().hex)
    time: float = field(default_factory=clock.time)
    app: str = "chat"
    model: str = ""
    """Name and version of the model that acted; empty if unknown."""
    tokenizer: str = ""
    """Fingerprint of the tokenizer behind `token_ids`; empty if unknown."""
    feedback: tuple[Feedback, ...] = ()
    reward: float | None = None
    """A reward for the whole episode, credited to its last action."""
    truncated: bool = False
    """Cut off (length limit) rather than ended: the value of what might follow still counts."""
    subject: str | None = None
    """Pseudonym of the person, for erasure and for per-person limits."""
    consent: tuple[str, ...] | None = None
    """Purposes agreed to. None: nothing was asked (data of the user's own); (): refused."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def actions(self) -> tuple[Turn, ...]:
        """The turns the policy produced, in order."""
        return tuple(turn for turn in self.turns if turn.role == "action")

    @property
    def prompt(self) -> str:
        """The text of the first observation from the user; groups episodes for splitting."""
        for turn in self.turns:
            if turn.role == "observation" and turn.speaker == "user":
                return turn.text
        return ""

    @property
    def reply(self) -> str:
        """The text of the last action."""
        actions = self.actions
        return actions[-1].text if actions else ""

    def with_feedback(self, *events: Feedback) -> "Episode":
        """A copy with `events` joined; events whose id is already present are ignored."""
        known = {event.id for event in self.feedback if event.id}
        fresh = []
        for event in events:
            if not event.id or event.id not in known:
                fresh.append(event)
                known.add(event.id)
        return replace(self, feedback=self.feedback + tuple(fresh))


def check(episode: Episode, *, file: str | None = None, row: int | None = None) -> Episode:
    """Return `episode` if it is whole, so that bad records stop at the door.

    Raises:
        DataError: empty text, no action, log-probabilities that do not match the tokens or exceed
            0, or a reward that is not a finite number or lies outside the text; names `file` and
            `row`.
    """

    def refuse(field_name: str, en: str, zh: str) -> DataError:
        return DataError(en, zh, file=file, row=row, field=field_name)

    if not episode.id:
        raise refuse("id", "an episode needs a non-empty id.", "每个片段都需要非空的 id。")
    if not episode.actions:
        raise refuse(
            "turns",
            "no turn has role 'action'; expected at least one response of the model.",
            "没有角色为 action 的轮次；至少需要一条模型的回复。",
        )
    for number, turn in enumerate(episode.turns):
        _check_turn(turn, f"turns[{number}]", refuse)
    if episode.reward is not None and not math.isfinite(episode.reward):
        raise refuse(
            "reward",
            f"{episode.reward} is not a finite number.",
            f"{episode.reward} 不是有限的数值。",
        )
    return episode


def _check_turn(turn: Turn, name: str, refuse: Any) -> None:
    if turn.role not in ("observation", "action"):
        raise refuse(
            f"{name}.role",
            f"'{turn.role}' is neither 'observation' nor 'action'.",
            f"“{turn.role}”既不是 observation 也不是 action。",
        )
    if not turn.text and not turn.token_ids:
        raise refuse(f"{name}.text", "the text is empty.", "文本为空。")
    if turn.logprobs is not None:
        if turn.token_ids is None or len(turn.token_ids) != len(turn.logprobs):
            raise refuse(
                f"{name}.logprobs",
                f"{len(turn.logprobs)} log-probabilities for {len(turn.token_ids or ())} tokens; "
                "expected one per token.",
                f"{len(turn.token_ids or ())} 个词元却有 {len(turn.logprobs)} 个对数概率；"
                "应当一一对应。",
            )
        if any(not math.isfinite(p) or p > 1e-6 for p in turn.logprobs):
            raise refuse(
                f"{name}.logprobs",
                "a log-probability is positive or not finite; expected natural logarithms ≤ 0.",
                "对数概率为正或不是有限数；应为不大于 0 的自然对数。",
            )
    if turn.reward is not None and not math.isfinite(turn.reward):
        raise refuse(
            f"{name}.reward",
            f"{turn.reward} is not a finite number.",
            f"{turn.reward} 不是有限的数值。",
        )
    for end, value in turn.token_rewards or ():
        if turn.role != "action" or not 1 <= end <= len(turn.text):
            raise refuse(
                f"{name}.token_rewards",
                f"a reward after {end} characters of a turn ({turn.role}) that has "
                f"{len(turn.text)}; expected 1 to the length of an action's text.",
                f"在有 {len(turn.text)} 个字符的轮次（{turn.role}）的第 {end} 个字符处有奖励；"
                "应在动作文本的 1 至其长度之间。",
            )
        if not math.isfinite(value):
            raise refuse(
                f"{name}.token_rewards",
                f"{value} is not a finite number.",
                f"{value} 不是有限的数值。",
            )
