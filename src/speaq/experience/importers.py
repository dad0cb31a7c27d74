"""Reading logs of other programs as episodes.

| layout     | a row holds                                                                    |
|------------|--------------------------------------------------------------------------------|
| `episodes` | an episode in speaq's own schema (`speaq.experience.records`)                   |
| `table`    | prompt, response and score, under these or other usual names                    |
| `chat`     | `messages` as OpenAI writes them, the last one the model's; perhaps a score      |
| `pairs`    | `chosen` and `rejected`: two replies, or two dialogues, to one `prompt`          |

A row without an id gets one made from its content, so that importing a file twice, or a longer
export of the same log, adds nothing twice; alike rows within a file stay different episodes.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError, SettingsError
from speaq.core.files import digest
from speaq.experience.arrow import from_row
from speaq.experience.columns import Columns
from speaq.experience.dialogues import dialogue, messages
from speaq.experience.episode import Episode, Feedback, Turn, check
from speaq.experience.fields import Place
from speaq.experience.records import canonical, from_record, to_record
from speaq.text.files.readers import read_rows, suffix_of

LAYOUTS = ("auto", "episodes", "table", "chat", "pairs")
_CHATS = ("messages", "conversations", "conversation")

Record = dict[str, Any]


def read_episodes(
    path: str | Path,
    *,
    layout: str = "auto",
    prompt: str = "",
    response: str = "",
    score: str = "",
    skipped: list[DataError] | None = None,
) -> list[Episode]:
    """Read the episodes of a data file, in its order.

    Args:
        path: `.jsonl`, `.json`, `.csv`, `.tsv` (each also `.gz`) or `.parquet`.
        layout: see the head of this module; `auto` decides by the names of the columns.
        prompt: name of the column with the prompt, if it is not a usual one.
        response: name of the column with the response.
        score: name of the column with the score; `none` for a log that nobody has rated yet.
        skipped: a list to put the errors of unusable rows into; without it the first one is
            raised.

    Raises:
        DataError: the file, row and field, and what was expected there.
        SettingsError: no such layout.
    """
    if layout not in LAYOUTS:
        raise SettingsError(
            f"layout: there is no '{layout}'; known are {', '.join(LAYOUTS)}.",
            f"layout：没有“{layout}”；可用的有：{'、'.join(LAYOUTS)}。",
        )
    path = Path(path)
    rows = list(read_rows(path))
    found = list(dict.fromkeys(name for _, record in rows for name in record))
    if layout == "auto":
        layout = "table" if prompt or response else _layout(found)
    columns = Columns.find(layout, found, prompt, response, score, Place(path)) if rows else None
    keeper = _Keeper()
    for row, record in rows:
        try:
            for episode in _READERS[layout](record, columns or Columns(), Place(path, row)):
                keeper.add(episode, Place(path, row))
        except DataError as error:
            if skipped is None:
                raise
            skipped.append(error)
    if not keeper.episodes and not skipped:
        raise DataError("the file holds no rows.", "文件中没有任何行。", file=path)
    return keeper.episodes


def _layout(found: list[str]) -> str:
    if "turns" in found:
        return "episodes"
    if "chosen" in found and "rejected" in found:
        return "pairs"
    return "chat" if any(name in found for name in _CHATS) else "table"


class _Keeper:
    """Collects episodes, gives ids to those without, and watches over ids used twice."""

    def __init__(self) -> None:
        self.episodes: list[Episode] = []
        self._seen: dict[str, Episode] = {}
        self._alike: Counter[str] = Counter()

    def add(self, episode: Episode, place: Place) -> None:
        if episode.id == _UNNAMED:
            content = digest(canonical({**to_record(episode), "time": 0}))
            self._alike[content] += 1
            episode = replace(episode, id=digest(content, str(self._alike[content])))
        before = self._seen.setdefault(episode.id, episode)
        if before is episode:
            self.episodes.append(check(episode, file=str(place.file), row=place.row))
        elif before != episode:
            raise place.error(
                "id",
                f"'{episode.id}' already names another episode in this file; an id must be the "
                "interaction's own.",
                f"“{episode.id}”在此文件中已指另一个片段；每次交互须有自己的 id。",
            )


_UNNAMED = "?"
"""Stands for the id of an episode until its content has given it one."""


def _episodes(record: Record, columns: Columns, place: Place) -> Iterator[Episode]:
    if suffix_of(Path(str(place.file))) == ".parquet":
        record = from_row(record)
    yield from_record(record, file=place.file, row=place.row)


def _table(record: Record, columns: Columns, place: Place) -> Iterator[Episode]:
    asked = columns.take(record, columns.prompt, place)
    answer = place.words(columns.response, columns.take(record, columns.response, place))
    yield _episode(
        (*_opening(columns.prompt, asked, place), Turn("action", answer)), record, columns, place
    )


def _opening(name: str, asked: Any, place: Place) -> tuple[Turn, ...]:
    if isinstance(asked, (list, tuple)):
        return tuple(
            replace(turn, role="observation", speaker="assistant")
            if turn.role == "action"
            else turn
            for turn in messages(name, asked, place)
        )
    return (Turn("observation", place.words(name, asked)),)


def _chat(record: Record, columns: Columns, place: Place) -> Iterator[Episode]:
    name = next((name for name in _CHATS if record.get(name) is not None), _CHATS[0])
    turns = messages(name, columns.take(record, name, place), place)
    yield _episode(judged(name, turns, place), record, columns, place)


def judged(name: str, turns: tuple[Turn, ...], place: Place) -> tuple[Turn, ...]:
    """Turns of which only the model's last one is an action: the others were not judged."""
    last = max((n for n, turn in enumerate(turns) if turn.role == "action"), default=None)
    if last is None:
        raise place.error(
            name, "nothing in it was said by the assistant.", "其中没有 assistant 说的话。"
        )
    return tuple(
        replace(turn, role="observation", speaker="assistant")
        if turn.role == "action" and number != last
        else turn
        for number, turn in enumerate(turns)
    )


def _pairs(record: Record, columns: Columns, place: Place) -> Iterator[Episode]:
    sides: dict[str, tuple[Turn, ...]] = {}
    for side in ("chosen", "rejected"):
        said = columns.take(record, side, place)
        if isinstance(said, str):
            turns = dialogue(side, said, place)
        else:
            turns = messages(side, said, place)
        asked = record.get(columns.prompt)
        if asked is not None and not any(turn.role == "observation" for turn in turns):
            turns = _opening(columns.prompt, asked, place) + turns
        sides[side] = judged(side, turns, place)
    plain = {name: value for name, value in record.items() if name not in sides}
    made = {
        side: _episode(turns, plain, columns, place, without=(columns.prompt, "id"))
        for side, turns in sides.items()
    }
    pair = digest(*(canonical({**to_record(each), "time": 0}) for each in made.values()))
    name = str(record.get("id") or pair)
    for side, episode in made.items():
        yield replace(
            episode,
            reward=float(side == "chosen"),
            tags={**episode.tags, "pair": name, "side": side},
        )


def _episode(
    turns: tuple[Turn, ...],
    record: Record,
    columns: Columns,
    place: Place,
    without: tuple[str, ...] = (),
) -> Episode:
    """An episode of these turns with what else the row says."""
    rest = columns.rest(record, without)
    when = columns.time(record, place)
    score = columns.number(record, place)
    event = () if score is None else (Feedback("score", score, when, source="import"),)
    return Episode(
        turns=turns,
        id=columns.id(record, place) if "id" not in without else _UNNAMED,
        time=when,
        app=str(record.get("app") or "chat"),
        model=str(record.get("model") or ""),
        feedback=event,
        subject=columns.subject(record),
        consent=columns.consent(record, place),
        tags={
            name: value
            if isinstance(value, str)
            else json.dumps(value, default=str, ensure_ascii=False)
            for name, value in rest.items()
        },
    )


_READERS: dict[str, Callable[[Record, Columns, Place], Iterator[Episode]]] = {
    "episodes": _episodes,
    "table": _table,
    "chat": _chat,
    "pairs": _pairs,
}
