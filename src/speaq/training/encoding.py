"""Episodes as the token sequences the model saw, with the places where it acted.

Learning runs in *action time*: a decision is an action token, and the state it was taken in is
the trunk's hidden state one token earlier. Whatever the model was given between two actions,
such as the next turn of a user, is inside the later state. So the state after action k is simply
state k + 1, within a turn and across turns, and no observation token is ever credited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.core.files import digest
from speaq.experience.episode import Episode, Turn
from speaq.experience.rewards import Part, Reward, placed_rewards
from speaq.models.chat import Message, continuation, opening
from speaq.models.language_model import LanguageModel
from speaq.training.spelling import completing_tokens


@dataclass(frozen=True, slots=True)
class Encoded:
    """One episode in tokens: T tokens, K of them actions."""

    id: str
    group: str
    """What belongs together when data are split: the first thing the person said."""
    tokens: NDArray[np.int64]  # (T,)
    actions: NDArray[np.int64]  # (K,) places of the action tokens, all ≥ 1
    turn_ids: NDArray[np.int64]  # (K,) which of the episode's action turns, from 0
    rewards: NDArray[np.float32]  # (K,) received on taking the action
    behaviour_logprobs: NDArray[np.float32]  # (K,) ln π_behaviour(a|s), NaN where unknown
    truncated: bool
    """Cut off rather than ended: the value of the state after the last action counts."""
    source: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(S,) what the encoder read; empty where there is no encoder."""

    @property
    def prefix(self) -> tuple[int, ...]:
        """The tokens before the first action."""
        return tuple(self.tokens[: self.actions[0]].tolist())

    @property
    def prompt(self) -> tuple[int, ...]:
        """What was read before the first action: the source if there is one, else the prefix."""
        return tuple(self.source.tolist()) or self.prefix

    @property
    def action_tokens(self) -> NDArray[np.int64]:
        """(K,) the tokens chosen."""
        return self.tokens[self.actions]

    @property
    def states(self) -> NDArray[np.int64]:
        """(K + 1,) places of the hidden states: one before each action, one after the last.

        The last one is where the next action would be taken: behind an observation that was still
        heard, if the episode was cut off there.
        """
        return np.append(self.actions - 1, len(self.tokens) - 1)


def encode_episodes(
    model: LanguageModel, episodes: Sequence[Episode], reward: Reward, *, max_tokens: int = 0
) -> list[Encoded]:
    """Encode episodes for `model`, in order.

    Sampled token ids are kept where the log's tokenizer is this model's; otherwise the text is
    tokenised anew, an end token is put after every reply that ended, and propensities are unknown.

    Args:
        model: whose tokenizer and chat template are used.
        episodes: with at least one action each.
        reward: see `speaq.experience.rewards`.
        max_tokens: longer episodes lose the oldest tokens before their first action; 0 takes the
            model's own limit. A source is never cut: a reply to half of it would be misjudged.

    Raises:
        DataError: an episode without reward, whose actions alone exceed `max_tokens`, or whose
            source does.
        ModelError: an episode of several replies, and a model that reads a source.
    """
    limit = max_tokens or model.context_length
    return [_shorten(_encode(model, episode, reward), limit) for episode in episodes]


def _encode(model: LanguageModel, episode: Episode, reward: Reward) -> Encoded:
    source: tuple[int, ...] = ()
    tokens: list[int] = []
    actions: list[int] = []
    turn_ids: list[int] = []
    rewards: list[float] = []
    logprobs: list[float] = []
    earned = placed_rewards(episode, reward)
    said: list[Message] = []
    heard: list[Message] = []
    previous: tuple[str, bool] | None = None
    turn_number = 0
    for role, turns in groupby(episode.turns, key=lambda turn: turn.role):
        if role == "observation":
            heard = [Message(turn.speaker, turn.text) for turn in turns]
            continue
        for turn in turns:
            if previous is None:
                raw = episode.tags.get("prompt") == "raw"  # no chat template stood before it
                prompt = model.encode_prompt(episode.prompt) if raw else opening(model, heard)
                source, before = model.context(prompt)
                tokens += before
            else:
                tokens += continuation(model, said, *previous, heard)
                said.append(Message("assistant", previous[0]))
            said += heard
            heard = []
            # A reply that was answered had ended, whatever happened to the episode.
            last = turn_number + 1 == len(earned) and episode.turns[-1].role == "action"
            ids, known = _action_tokens(model, episode, turn, cut=episode.truncated and last)
            actions += range(len(tokens), len(tokens) + len(ids))
            tokens += ids
            turn_ids += [turn_number] * len(ids)
            rewards += _token_rewards(model, episode, turn, ids, earned[turn_number])
            logprobs += known
            previous = (turn.text, ids[-1] == model.end_id)
            turn_number += 1
    if heard and previous and episode.truncated:
        # The value of what would have followed is read where the next reply would have begun.
        tokens += continuation(model, said, *previous, heard)
    return Encoded(
        id=episode.id,
        group=episode.prompt,
        tokens=np.array(tokens, dtype=np.int64),
        actions=np.array(actions, dtype=np.int64),
        turn_ids=np.array(turn_ids, dtype=np.int64),
        rewards=np.array(rewards, dtype=np.float32),
        behaviour_logprobs=np.array(logprobs, dtype=np.float32),
        truncated=episode.truncated,
        source=np.array(source, dtype=np.int64),
    )


def _action_tokens(
    model: LanguageModel, episode: Episode, turn: Turn, cut: bool
) -> tuple[list[int], list[float]]:
    """The tokens of one reply and their log-probabilities, NaN where they are not known."""
    if turn.token_ids and episode.tokenizer == model.tokenizer_fingerprint:
        ids = list(turn.token_ids)
        return ids, list(turn.logprobs) if turn.logprobs else [np.nan] * len(ids)
    ids = model.encode(turn.text) + ([] if cut else [model.end_id])
    if not ids:
        raise DataError(
            f"episode {episode.id} holds a reply that gives no token.",
            f"片段 {episode.id} 中有一条不含任何词元的回复。",
            field="turns",
        )
    return ids, [np.nan] * len(ids)


def _token_rewards(
    model: LanguageModel, episode: Episode, turn: Turn, ids: list[int], parts: list[Part]
) -> list[float]:
    """What each token of one reply earned; see `speaq.experience.rewards`."""
    earned = [0.0] * len(ids)
    inside = [(end, value) for end, value in parts if end is not None]
    if inside:
        words = ids[:-1] if ids[-1] == model.end_id else ids
        places = completing_tokens(model.decode, words, turn.text, [end for end, _ in inside])
        if places is None:
            raise DataError(
                f"the tokens of a reply in episode {episode.id} do not spell its text, so its "
                "token_rewards have no place; leave out its token_ids, or use a tokenizer that "
                "keeps text as it is.",
                f"片段 {episode.id} 中某条回复的词元与其文本不符，token_rewards 无处可放；"
                "请去掉其 token_ids，或使用不改写文本的分词器。",
                field="turns",
            )
        for place, (_, value) in zip(places, inside, strict=True):
            earned[place] += value
    earned[-1] += sum(value for end, value in parts if end is None)
    return earned


def _shorten(encoded: Encoded, limit: int) -> Encoded:
    if len(encoded.source) > limit:
        raise DataError(
            f"episode {encoded.id} has a source of {len(encoded.source)} tokens, more than "
            f"{limit}; split it or leave the episode out.",
            f"片段 {encoded.id} 的源文有 {len(encoded.source)} 个词元，超过 {limit}；"
            "请拆分或去掉该片段。",
            field="turns",
        )
    if not encoded.prompt:
        raise DataError(
            f"episode {encoded.id} begins with a reply to nothing; a token must stand before it.",
            f"片段 {encoded.id} 以没有提示的回复开头；其前至少须有一个词元。",
            field="turns",
        )
    excess = len(encoded.tokens) - limit
    if excess <= 0:
        return encoded
    if excess >= encoded.actions[0] or len(encoded.source):
        raise DataError(
            f"episode {encoded.id} has {len(encoded.tokens)} tokens; its replies must leave room "
            f"for at least one token before them within {limit}.",
            f"片段 {encoded.id} 有 {len(encoded.tokens)} 个词元；其回复前至少须留一个词元，"
            f"总数不超过 {limit}。",
            field="turns",
        )
    return replace(encoded, tokens=encoded.tokens[excess:], actions=encoded.actions - excess)


def fingerprint(encoded: Sequence[Encoded]) -> str:
    """Digest of sources, tokens and action places: what cached hidden states depend on."""
    parts = []
    for each in encoded:
        if len(each.source):
            parts.append(each.source.tobytes())
        parts += [each.tokens.tobytes(), each.actions.tobytes()]
    return digest(*parts)
