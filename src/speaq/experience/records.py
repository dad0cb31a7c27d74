"""Episodes as plain records: the schema of JSON Lines files, of the store and of the server.

    {"id": "...", "time": 1.7e9, "app": "chat", "model": "", "tokenizer": "",
     "turns": [{"role": "observation", "speaker": "user", "text": "..."},
               {"role": "action", "text": "...", "token_ids": [...], "logprobs": [...],
                "reward": 1.0, "token_rewards": [[5, 0.5], [12, -1.0]]}],
     "feedback": [{"kind": "thumb", "value": true, "time": 1.7e9, "source": "user", "id": "..."}],
     "reward": 1.0, "truncated": false, "subject": "...", "consent": ["learn"], "tags": {}}

Other than id, time, app and turns, what has its default value is left out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args

from speaq.core.errors import DataError
from speaq.core.files import digest
from speaq.experience.episode import Episode, Feedback, Role, Speaker, Turn, check
from speaq.experience.fields import Place

_EPISODE = tuple(each.name for each in fields(Episode))
_TURN = tuple(each.name for each in fields(Turn))
_FEEDBACK = tuple(each.name for each in fields(Feedback))
_ROLES = get_args(Role)
_SPEAKERS = get_args(Speaker)


def to_record(episode: Episode) -> dict[str, Any]:
    """The episode as a dictionary of JSON values."""
    record: dict[str, Any] = {"id": episode.id, "time": episode.time, "app": episode.app}
    if episode.model:
        record["model"] = episode.model
    if episode.tokenizer:
        record["tokenizer"] = episode.tokenizer
    record["turns"] = [_turn_record(turn) for turn in episode.turns]
    if episode.feedback:
        record["feedback"] = [feedback_record(event) for event in episode.feedback]
    if episode.reward is not None:
        record["reward"] = episode.reward
    if episode.truncated:
        record["truncated"] = True
    if episode.subject is not None:
        record["subject"] = episode.subject
    if episode.consent is not None:
        record["consent"] = list(episode.consent)
    if episode.tags:
        record["tags"] = dict(episode.tags)
    return record


def _turn_record(turn: Turn) -> dict[str, Any]:
    record: dict[str, Any] = {"role": turn.role, "text": turn.text}
    if turn.role == "observation":
        record["speaker"] = turn.speaker
    if turn.token_ids is not None:
        record["token_ids"] = list(turn.token_ids)
    if turn.logprobs is not None:
        record["logprobs"] = list(turn.logprobs)
    if turn.reward is not None:
        record["reward"] = turn.reward
    if turn.token_rewards is not None:
        record["token_rewards"] = [list(pair) for pair in turn.token_rewards]
    return record


def feedback_record(event: Feedback) -> dict[str, Any]:
    """One feedback event as a dictionary of JSON values."""
    record = {"kind": event.kind, "value": event.value, "time": event.time, "source": event.source}
    return record | ({"id": event.id} if event.id else {})


def from_record(
    record: Mapping[str, Any], *, file: Path | str | None = None, row: int | None = None
) -> Episode:
    """The episode of a record, checked.

    Args:
        record: as in the head of this module. Without `time` the time is 0, unknown.
        file: where it was read, for errors.
        row: its row there.

    Raises:
        DataError: an unknown field, a wrong type, empty text, a number that is not finite,
            log-probabilities that do not match the tokens; names the field.
    """
    place = Place(file, row)
    place.known_fields(record, _EPISODE)
    for needed in ("id", "turns"):
        if needed not in record:
            raise place.error(needed, "this field is missing.", "缺少这个字段。")
    optional = {
        name: place.text(name, record[name])
        for name in ("app", "model", "tokenizer", "subject")
        if record.get(name) is not None
    }
    reward = record.get("reward")
    consent = record.get("consent")
    episode = Episode(
        turns=tuple(
            _turn(each, f"turns[{number}]", place)
            for number, each in enumerate(place.list("turns", record["turns"]))
        ),
        id=place.words("id", record["id"]),
        time=place.number("time", record.get("time", 0.0)),
        feedback=tuple(
            _feedback(each, f"feedback[{number}]", place)
            for number, each in enumerate(place.list("feedback", record.get("feedback", ())))
        ),
        reward=None if reward is None else place.number("reward", reward),
        truncated=place.flag("truncated", record.get("truncated", False)),
        consent=None if consent is None else _texts("consent", consent, place),
        tags=_tags(record.get("tags", {}), place),
        **cast(Any, optional),
    )
    return check(episode, file=None if file is None else str(file), row=row)


def _turn(value: Any, name: str, place: Place) -> Turn:
    if not isinstance(value, Mapping):
        raise place.wrong_type(name, "an object with role and text", value)
    _known(value, _TURN, name, place)
    role = place.text(f"{name}.role", value.get("role"))
    speaker = place.text(f"{name}.speaker", value.get("speaker", "user"))
    for key, word, allowed in (("role", role, _ROLES), ("speaker", speaker, _SPEAKERS)):
        if word not in allowed:
            raise place.error(
                f"{name}.{key}",
                f"'{word}' is none of {', '.join(allowed)}.",
                f"“{word}”不在 {'、'.join(allowed)} 之中。",
            )
    tokens, logprobs, reward = (value.get(key) for key in ("token_ids", "logprobs", "reward"))
    parts = value.get("token_rewards")
    return Turn(
        role=cast(Role, role),
        text=place.text(f"{name}.text", value.get("text")),
        speaker=cast(Speaker, speaker),
        token_ids=None if tokens is None else _tokens(f"{name}.token_ids", tokens, place),
        logprobs=None
        if logprobs is None
        else tuple(
            place.number(f"{name}.logprobs", each)
            for each in place.list(f"{name}.logprobs", logprobs)
        ),
        reward=None if reward is None else place.number(f"{name}.reward", reward),
        token_rewards=None if parts is None else _parts(f"{name}.token_rewards", parts, place),
    )


def _parts(name: str, value: Any, place: Place) -> tuple[tuple[int, float], ...]:
    parts = []
    for pair in place.list(name, value):
        whole = isinstance(pair, (list, tuple)) and len(pair) == 2 and type(pair[0]) is int
        if not whole:
            raise place.wrong_type(name, "pairs [end, value], end a whole number", pair)
        parts.append((pair[0], place.number(name, pair[1])))
    return tuple(parts)


def _tokens(name: str, value: Any, place: Place) -> tuple[int, ...]:
    tokens = tuple(place.list(name, value))
    for token in tokens:
        if type(token) is not int or not 0 <= token < 1 << 31:
            raise place.wrong_type(name, "token ids, whole numbers from 0", token)
    return tokens


def _feedback(value: Any, name: str, place: Place) -> Feedback:
    if not isinstance(value, Mapping):
        raise place.wrong_type(name, "an object with kind and value", value)
    _known(value, _FEEDBACK, name, place)
    said = value.get("value")
    if isinstance(said, int) and not isinstance(said, bool):
        said = float(said)
    event = Feedback(
        kind=place.text(f"{name}.kind", value.get("kind")),
        value=cast(Any, said),
        time=place.number(f"{name}.time", value.get("time", 0.0)),
        source=place.text(f"{name}.source", value.get("source", "user")),
        id=place.text(f"{name}.id", value.get("id", "")),
    )
    return check_feedback(event, name, place)


def check_feedback(event: Feedback, name: str = "feedback", place: Place | None = None) -> Feedback:
    """Return `event` if it is whole.

    Raises:
        DataError: no kind, a value that is neither text, true or false, nor a finite number.
    """
    place = place or Place()
    place.words(f"{name}.kind", event.kind)
    if not isinstance(event.value, (str, bool)):
        place.number(f"{name}.value", event.value)
    place.number(f"{name}.time", event.time)
    return event


def feedback_from_record(record: Mapping[str, Any]) -> Feedback:
    """One feedback event of a record, checked."""
    return _feedback(record, "feedback", Place())


def _known(value: Mapping[str, Any], known: tuple[str, ...], name: str, place: Place) -> None:
    for key in value:
        if key not in known:
            raise place.unknown(f"{name}.{key}", [f"{name}.{each}" for each in known], list(value))


def _texts(name: str, value: Any, place: Place) -> tuple[str, ...]:
    return tuple(place.text(name, each) for each in place.list(name, value))


def _tags(value: Any, place: Place) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise place.wrong_type("tags", "an object of texts", value)
    return {str(key): place.text(f"tags.{key}", each) for key, each in value.items()}


def to_json(record: Mapping[str, Any]) -> str:
    """One line of JSON, readable where the text allows it.

    Half of a surrogate pair, as in text cut inside an emoji, has no UTF-8; such a record is
    written with escapes.
    """
    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(record, allow_nan=False)
    return line


def fingerprint(episodes: Iterable[Episode]) -> str:
    """Digest of what the episodes hold, feedback included, whatever their order."""
    return digest(*sorted(digest(canonical(to_record(episode))) for episode in episodes))


def canonical(record: Mapping[str, Any]) -> str:
    """The record as JSON with one spelling: keys sorted, no spaces, ASCII."""
    try:
        return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DataError(
            f"a number in episode {record.get('id', '')} is not finite.",
            f"片段 {record.get('id', '')} 中有不是有限数的数值。",
        ) from error
