"""Rewards: functions from an episode to what its actions earned.

A reward gives one number for the last action, or a list with one item per action; None means
that the episode holds nothing to judge it by. An item is a number, for the action's last token, or
a list of pairs (end, value): the token that completes the first `end` characters of the reply
earns `value`; with `end` None it is the last one, the end token if there is one. Any function of
that shape is a reward; those here are reached by name, others by `module:function` or through the
entry-point group `speaq.rewards`. Numbers are passed on as they are, never rescaled.
"""

import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Sequence
from numbers import Integral, Real
from typing import Any, cast

from speaq.core.errors import DataError, SettingsError
from speaq.core.registry import load
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.lexicons import NEGATIONS, NEGATIVE, POSITIVE
from speaq.text.units import units

Part = tuple[int | None, float]
"""What is earned after so many characters of a reply; None: at its very end."""
Earned = Sequence[float | Sequence[Part]] | float | None
Reward = Callable[[Episode], Earned]


def resolve(reward: str | Callable[..., Earned], **settings: Any) -> Reward:
    """The reward behind a name, `module:function` or a function, with its settings filled in.

    Raises:
        SettingsError: an unknown name or setting, or a setting that is needed and missing.
    """
    function = load("rewards", reward) if isinstance(reward, str) else reward
    name = reward if isinstance(reward, str) else repr(reward)
    if not callable(function):
        raise SettingsError(
            f"'{name}' is not a function of an episode.", f"“{name}”不是以片段为参数的函数。"
        )
    try:
        inspect.signature(function).bind(cast(Any, None), **settings)
    except TypeError as error:
        raise SettingsError(
            f"Reward '{name}' cannot be used with settings {settings or 'left out'}: {error}; "
            f"it takes {inspect.signature(function)}.",
            f"奖励“{name}”不能使用设置 {settings or '（无）'}：{error}；"
            f"其参数为 {inspect.signature(function)}。",
        ) from error
    return functools.partial(function, **settings) if settings else cast(Reward, function)


def action_rewards(episode: Episode, reward: Reward) -> list[float]:
    """What each of `episode.actions` earned in all; a single number goes to the last.

    Raises:
        DataError: see `placed_rewards`.
    """
    return [sum((value for _, value in parts), 0.0) for parts in placed_rewards(episode, reward)]


def placed_rewards(episode: Episode, reward: Reward) -> list[list[Part]]:
    """What each of `episode.actions` earned, and after how many of its characters.

    Raises:
        DataError: no reward, the wrong number of them, one that is not a finite number, or one
            beyond the reply's text.
    """
    earned = reward(episode)
    count = len(episode.actions)
    if earned is None:
        raise DataError(
            f"episode {episode.id} has no reward: no feedback with a number, and no reward of its "
            "own; leave it out or choose a reward that reads the text.",
            f"片段 {episode.id} 没有奖励：既无带数值的反馈，也无自带奖励；"
            "请去掉它，或选用根据文本计算的奖励。",
            field="reward",
        )
    values: list[object] = [0.0] * (count - 1) + [earned]
    if isinstance(earned, (list, tuple)):
        values = list(earned)
    if len(values) != count:
        raise DataError(
            f"{len(values)} rewards for the {count} actions of episode {episode.id}.",
            f"片段 {episode.id} 有 {count} 个动作，却有 {len(values)} 个奖励。",
            field="reward",
        )
    return [
        _parts(value, turn, episode) for value, turn in zip(values, episode.actions, strict=True)
    ]


def _parts(value: object, turn: Turn, episode: Episode) -> list[Part]:
    if not isinstance(value, (list, tuple)):
        return [(None, _finite(value, episode))]
    parts: list[Part] = []
    for pair in value:
        whole = isinstance(pair, (list, tuple)) and len(pair) == 2
        end = pair[0] if whole else pair
        inside = isinstance(end, Integral) and 1 <= int(end) <= len(turn.text)
        if not whole or not (end is None or inside):
            raise DataError(
                f"the reward {pair!r} of episode {episode.id} is no pair (end, value) with an end "
                f"from 1 to {len(turn.text)}, the length of the reply, or None.",
                f"片段 {episode.id} 的奖励 {pair!r} 不是 (end, value)；"
                f"其中 end 应为 1 至回复长度 {len(turn.text)}，或 None。",
                field="reward",
            )
        parts.append((None if end is None else int(end), _finite(pair[1], episode)))
    return parts


def _finite(value: object, episode: Episode) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise DataError(
            f"the reward {value!r} of episode {episode.id} is not a finite number.",
            f"片段 {episode.id} 的奖励 {value!r} 不是有限的数值。",
            field="reward",
        )
    return float(value)


def feedback(episode: Episode) -> Sequence[float | Sequence[Part]] | None:
    """What the log says the actions earned.

    The rewards written on the turns, and inside of them, stay where they are. Onto the last
    action goes the episode's own reward, and the latest feedback event whose value is a number or
    a thumb (True is 1, False is 0): people change their minds, and the last word counts. An event
    of value "withdrawn" takes back the earlier ones of its kind; other feedback in words is not
    counted.
    """
    actions = episode.actions
    earned = [turn.reward or 0.0 for turn in actions]
    known = any(turn.reward is not None or turn.token_rewards for turn in actions)
    events: list[Feedback] = []
    for event in sorted(episode.feedback, key=lambda event: event.time):
        if event.value == "withdrawn":
            events = [earlier for earlier in events if earlier.kind != event.kind]
        elif not isinstance(event.value, str):
            events.append(event)
    if events:
        earned[-1] += float(events[-1].value)
    if episode.reward is not None:
        earned[-1] += episode.reward
    if not known and not events and episode.reward is None:
        return None
    return [
        [*turn.token_rewards, (None, whole)] if turn.token_rewards else whole
        for turn, whole in zip(actions, earned, strict=True)
    ]


def length(episode: Episode, *, target: int = 20) -> float:
    """How near the last reply is to `target` words (Chinese: characters).

    1 at the target, 0 for an empty reply and from twice the target on, straight in between.
    """
    if target < 1:
        raise SettingsError(
            f"length: target must be at least 1, not {target}.",
            f"length：target 至少为 1，而不是 {target}。",
        )
    return max(0.0, 1 - abs(len(units(episode.reply)) - target) / target)


def lexicon(
    episode: Episode,
    *,
    positive: Collection[str] = POSITIVE,
    negative: Collection[str] = NEGATIVE,
) -> float:
    """Tone of the last reply by counting words: (good - bad) / (good + bad), 0 without either.

    Words are Chinese or English; a negation right before a word ("not good", "不好") turns it
    round. It hears tone, not meaning: irony and quotation fool it.
    """
    words = _pattern(tuple(sorted(positive)), tuple(sorted(negative)))
    good = bad = 0
    for match in words.finditer(episode.reply.lower()):
        pleasant = match["good"] is not None
        if pleasant != (match["negation"] is not None):
            good += 1
        else:
            bad += 1
    return (good - bad) / (good + bad) if good or bad else 0.0


@functools.lru_cache(maxsize=16)
def _pattern(positive: tuple[str, ...], negative: tuple[str, ...]) -> re.Pattern[str]:
    negation = rf"(?P<negation>{_any(NEGATIONS)}(?:[^\S\n]+(?:a|so|very|too|the))?[^\S\n]*)?"
    return re.compile(f"{negation}(?:(?P<good>{_any(positive)})|(?P<bad>{_any(negative)}))")


def _any(words: Collection[str]) -> str:
    # Longest first, so that 不错 is found before 错. Chinese has no word boundaries to ask for.
    ordered = sorted((word.lower() for word in words), key=lambda word: (-len(word), word))
    parts = [
        rf"(?<![\w']){re.escape(word)}(?!\w)" if word.isascii() else re.escape(word)
        for word in ordered
    ]
    return f"(?:{'|'.join(parts) or '(?!)'})"


def rule(episode: Episode, *, pattern: str, reward: float = 1.0, otherwise: float = 0.0) -> float:
    """`reward` if the regular expression is found in the last reply, else `otherwise`."""
    return reward if _compiled(pattern).search(episode.reply) else otherwise


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise SettingsError(
            f"rule: '{pattern}' is not a regular expression ({error}).",
            f"rule：“{pattern}”不是有效的正则表达式（{error}）。",
        ) from error
