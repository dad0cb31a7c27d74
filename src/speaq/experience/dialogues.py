"""Dialogues as other programs write them, as turns."""

import re
from collections.abc import Mapping
from typing import Any

from speaq.experience.episode import Speaker, Turn
from speaq.experience.fields import Place

_SPEAKERS: dict[str, Speaker] = {
    "user": "user",
    "human": "user",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
_HH = re.compile(r"(?:\A|\n\n)(Human|Assistant):")


def messages(name: str, value: Any, place: Place) -> tuple[Turn, ...]:
    """Turns of OpenAI's messages (`role`, `content`) or ShareGPT's (`from`, `value`).

    What the assistant said comes as actions. Content may be a text or a list of text parts.

    Args:
        name: of the field, for errors.
        value: the list of messages.
        place: for errors.

    Raises:
        DataError: not such a list, an unknown speaker, empty text.
    """
    turns = []
    for number, message in enumerate(place.list(name, value)):
        where = f"{name}[{number}]"
        if not isinstance(message, Mapping):
            raise place.wrong_type(where, "an object with role and content", message)
        who = place.text(f"{where}.role", message.get("role", message.get("from")))
        content = message.get("content", message.get("value"))
        turns.append(_turn(who, _content(f"{where}.content", content, place), where, place))
    return tuple(turns)


def _turn(who: str, text: str, where: str, place: Place) -> Turn:
    speaker = _SPEAKERS.get(who.lower())
    if speaker is None:
        raise place.error(
            f"{where}.role",
            f"'{who}' is none of {', '.join(_SPEAKERS)}.",
            f"“{who}”不在 {'、'.join(_SPEAKERS)} 之中。",
        )
    if speaker == "assistant":
        return Turn("action", text)
    return Turn("observation", text, speaker=speaker)


def _content(name: str, content: Any, place: Place) -> str:
    if isinstance(content, (list, tuple)):
        parts = []
        for part in content:
            if not isinstance(part, Mapping) or part.get("type") != "text":
                raise place.error(
                    name,
                    "it has a part that is not text; only text can be learnt from.",
                    "其中有非文本的部分；只能从文本学习。",
                )
            parts.append(place.text(name, part.get("text")))
        content = "".join(parts)
    return place.words(name, content)


def dialogue(name: str, text: str, place: Place) -> tuple[Turn, ...]:
    """Turns of a text: one reply, or a whole dialogue marked `Human:` and `Assistant:`.

    Raises:
        DataError: an empty text, or a dialogue in which somebody said nothing.
    """
    pieces = _HH.split(text)
    if not text.startswith(("\n\nHuman:", "Human:")):
        return (Turn("action", place.words(name, text)),)
    turns = []
    for who, said in zip(pieces[1::2], pieces[2::2], strict=True):
        turns.append(_turn(who.lower(), place.words(name, said).strip(), name, place))
    return tuple(turns)
