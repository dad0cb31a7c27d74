"""The episode in Arrow's types, for Parquet: the JSON schema with one column per kind of value.

The value of a feedback event stands in `number`, `flag` or `words`, whichever it is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


def schema() -> "pyarrow.Schema":
    """Arrow's schema of one episode per row."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    turn = {
        "role": text,
        "text": text,
        "speaker": text,
        "token_ids": pa.list_(pa.int64()),
        "logprobs": pa.list_(number),
        "reward": number,
        "token_rewards": pa.list_(pa.struct([("end", pa.int64()), ("value", number)])),
    }
    event = {"kind": text, "number": number, "flag": pa.bool_(), "words": text}
    event |= {"time": number, "source": text, "id": text}
    columns = {
        "id": text,
        "time": number,
        "app": text,
        "model": text,
        "tokenizer": text,
        "turns": pa.list_(pa.struct(list(turn.items()))),
        "feedback": pa.list_(pa.struct(list(event.items()))),
        "reward": number,
        "truncated": pa.bool_(),
        "subject": text,
        "consent": pa.list_(text),
        "tags": pa.map_(text, text),
    }
    return pa.schema(list(columns.items()))


def to_row(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of `records.to_record` as a row of the schema."""
    row = dict(record)
    row["turns"] = [_with_parts(turn) for turn in record["turns"]]
    row["feedback"] = [
        {key: value for key, value in event.items() if key != "value"} | _kind(event["value"])
        for event in record.get("feedback", ())
    ]
    row["tags"] = list(record.get("tags", {}).items())
    return row


def _with_parts(turn: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(turn)
    if "token_rewards" in row:
        row["token_rewards"] = [dict(end=end, value=value) for end, value in row["token_rewards"]]
    return row


def _kind(value: float | str | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"flag": value}
    return {"words": value} if isinstance(value, str) else {"number": value}


def from_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a row of the schema; what is null is left out."""
    record = {key: value for key, value in row.items() if value is not None}
    if isinstance(record.get("turns"), list):
        record["turns"] = [_turn(turn) for turn in record["turns"]]
    if isinstance(record.get("feedback"), list):
        record["feedback"] = [_event(event) for event in record["feedback"]]
    if isinstance(record.get("tags"), list):
        record["tags"] = dict(record["tags"])
    return record


def _whole(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: each for key, each in value.items() if each is not None}


def _turn(value: Any) -> Any:
    turn = _whole(value)
    if isinstance(turn, dict) and isinstance(turn.get("token_rewards"), list):
        turn["token_rewards"] = [
            [part["end"], part["value"]] if isinstance(part, Mapping) else part
            for part in turn["token_rewards"]
        ]
    return turn


def _event(value: Any) -> Any:
    event = _whole(value)
    if isinstance(event, dict):
        for kind in ("number", "flag", "words"):
            if kind in event:
                event["value"] = event.pop(kind)
    return event
