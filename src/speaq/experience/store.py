"""The experience store: episodes and what people made of them, durable, consented, erasable.

* What `append`, `add_feedback` and `erase` have returned from is on disk (SQLite: write-ahead
  log, synced at every commit; PostgreSQL: its own default).
* Episodes never change and feedback is only ever added, so a second copy of either changes
  nothing, and feedback may come late, twice, or before its episode.
* Episodes are given out for a purpose only if their people agreed to it.
* Threads share one object; processes share one file.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from speaq.core.errors import DataError, StorageError
from speaq.core.files import digest
from speaq.experience import schema
from speaq.experience.episode import Episode, Feedback, check
from speaq.experience.records import (
    canonical,
    check_feedback,
    feedback_from_record,
    feedback_record,
    from_record,
    to_json,
    to_record,
)
from speaq.experience.writer import GroupWriter
from speaq.governance.consent import LEARN, may_use

_PAGE = 500
"""Episodes read in one transaction; well under the parameters one statement may have."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Rows to add, or a person to erase."""

    episodes: tuple[dict[str, Any], ...] = ()
    feedback: tuple[dict[str, Any], ...] = ()
    erase: str | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    """How many of each were new, or were erased."""

    episodes: int = 0
    feedback: int = 0


class ExperienceStore:
    """Episodes and feedback in one database.

    Args:
        where: path of an SQLite file, made if missing, or a database address such as
            `postgresql+psycopg://host/name`. Put an SQLite file on a local disk: its locks do not
            work on most network drives.

    Raises:
        SettingsError: an address that cannot be used.
        StorageError: the database cannot be opened.
    """

    def __init__(self, where: str | Path) -> None:
        self._engine = schema.open_engine(schema.url_of(where))
        self._writer: GroupWriter[_Work, _Done] = GroupWriter(self._engine, _apply)

    def append(self, *episodes: Episode) -> int:
        """Keep episodes with the feedback they carry; on disk when this returns.

        An id that is already there keeps its episode as it was; feedback that is new is added.

        Returns:
            How many episodes were new.

        Raises:
            DataError: an episode that is not whole; none was kept.
            StorageError: the database refused; none was kept.
        """
        rows = tuple(_episode_row(each) for each in episodes)
        events = [_feedback_row(each.id, event) for each in episodes for event in each.feedback]
        return self._writer.do(_Work(rows, tuple(events))).episodes

    def add_feedback(self, episode_id: str, event: Feedback) -> bool:
        """Keep what somebody made of an episode; on disk when this returns.

        The event's id, or its content and time if it has none, says whether it is already known
        for this episode. The episode may come later.

        Returns:
            Whether the event was new.

        Raises:
            DataError: a value that is not a finite number, true, false or text.
            StorageError: the database refused; the event was not kept.
        """
        row = _feedback_row(episode_id, event)
        return self._writer.do(_Work(feedback=(row,))).feedback == 1

    def get(self, episode_id: str) -> Episode | None:
        """The episode with all its feedback so far, whatever it may be used for."""
        found = self._read(select(schema.episodes).where(schema.episodes.c.id == episode_id))
        return found[0][1] if found else None

    def iterate(self, purpose: str | None = LEARN) -> Iterator[Episode]:
        """Yield the episodes that may be used for `purpose`, in the order they were added.

        Feedback comes in the order it was added. What is added meanwhile may or may not be seen.

        Args:
            purpose: None gives all of them, for the owner's own backup and export.
        """
        table = schema.episodes
        last = 0
        while True:
            page = self._read(
                select(table).where(table.c.number > last).order_by(table.c.number).limit(_PAGE)
            )
            for _, episode in page:
                # The one place where consent is enforced for learning.
                if purpose is None or may_use(episode.consent, purpose):
                    yield episode
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def episodes(self, purpose: str | None = LEARN) -> list[Episode]:
        """What `iterate` yields, as a list."""
        return list(self.iterate(purpose))

    def count(self) -> int:
        """How many episodes there are, whatever they may be used for."""
        with schema.database_errors(self._engine.url), self._engine.connect() as connection:
            return connection.execute(
                select(func.count()).select_from(schema.episodes)
            ).scalar_one()

    def erase(self, subject: str) -> int:
        """Remove a person's episodes with their feedback, from the file and its log.

        Not reached: copies made elsewhere, such as backups, exports and runs, and models that
        have learnt from them. Feedback whose episode never came cannot be told apart.

        Returns:
            How many episodes were removed.

        Raises:
            StorageError: nothing was removed; or the rows are gone but another process kept
                reading, so that their bytes are still in the log file: erase again.
        """
        erased = self._writer.do(_Work(erase=subject)).episodes
        if self._engine.dialect.name == "sqlite" and not schema.empty_log(self._engine):
            raise StorageError(
                "The rows are erased, but another process is reading the store and their bytes "
                "are still in its log; erase again when it has finished.",
                "记录已删除，但另一进程正在读取数据存储，其日志中仍有残留；请待其结束后再次删除。",
            )
        return erased

    def close(self) -> None:
        """Finish what is being written and let go of the database."""
        self._writer.close()
        self._engine.dispose()

    def __enter__(self) -> "ExperienceStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, wanted: Select[Any]) -> list[tuple[int, Episode]]:
        """Episodes of the rows wanted, with their numbers, feedback joined, in one snapshot."""
        table = schema.feedback
        with schema.database_errors(self._engine.url), self._engine.connect() as connection:
            rows = connection.execute(wanted).all()
            said = connection.execute(
                select(table.c.episode, table.c.record)
                .where(table.c.episode.in_([row.id for row in rows]))
                .order_by(table.c.number)
            ).all()
        events: dict[str, list[Feedback]] = defaultdict(list)
        for episode_id, record in said:
            events[episode_id].append(feedback_from_record(json.loads(record)))
        return [
            (
                row.number,
                replace(from_record(json.loads(row.record)), feedback=tuple(events[row.id])),
            )
            for row in rows
        ]


def _apply(connection: Connection, works: Sequence[_Work]) -> list[_Done]:
    new_episodes = schema.add_new(
        connection, schema.episodes, [row for work in works for row in work.episodes]
    )
    new_feedback = schema.add_new(
        connection, schema.feedback, [row for work in works for row in work.feedback]
    )
    done = []
    for work in works:
        # Of two alike rows in one group the first is the new one.
        added = {(row["id"],) for row in work.episodes} & new_episodes
        heard = {(row["episode"], row["key"]) for row in work.feedback} & new_feedback
        new_episodes -= added
        new_feedback -= heard
        gone = 0 if work.erase is None else _erase(connection, work.erase)
        done.append(_Done(len(added) + gone, len(heard)))
    return done


def _erase(connection: Connection, subject: str) -> int:
    of_person = schema.episodes.c.subject == subject
    theirs = select(schema.episodes.c.id).where(of_person)
    connection.execute(delete(schema.feedback).where(schema.feedback.c.episode.in_(theirs)))
    return connection.execute(delete(schema.episodes).where(of_person)).rowcount


def _episode_row(episode: Episode) -> dict[str, Any]:
    record = to_record(check(replace(episode, feedback=())))
    return {
        "id": _name("id", episode.id),
        "time": episode.time,
        "subject": None if episode.subject is None else _name("subject", episode.subject),
        "record": to_json(record),
    }


def _feedback_row(episode_id: str, event: Feedback) -> dict[str, Any]:
    record = feedback_record(check_feedback(event))
    return {
        "episode": _name("id", episode_id),
        # A key made of the content begins with what no id of a person's own is likely to.
        "key": _name("feedback.id", event.id) if event.id else f"\u2248{digest(canonical(record))}",
        "record": to_json(record),
    }


def _name(field: str, value: str) -> str:
    """`value` if every database can hold it as a key."""
    try:
        value.encode()
    except UnicodeEncodeError:
        value = ""
    if not value or "\0" in value:
        raise DataError(
            "expected a text without control or broken characters.",
            "应为不含控制字符或损坏字符的文本。",
            field=field,
        )
    return value
