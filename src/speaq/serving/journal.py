"""Answers that were begun and not yet finished, so that an id a client has seen is never unknown.

A streamed answer shows its id with its first word, long before the episode is whole. From that
moment a file here holds the question (synced to disk) and every token given out since (handed to
the operating system). A finished answer becomes an episode in the experience store and its file
goes; after a crash the next start turns what is left into truncated episodes.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from speaq.core.files import storage_errors
from speaq.experience.episode import Episode, Turn
from speaq.experience.records import from_record, to_record

_SUFFIX = ".open.jsonl"


class OpenAnswer:
    """The file of one answer that is being written."""

    def __init__(self, path: Path, episode: Episode, text: str, token: int, logprob: float) -> None:
        self._path = path
        head = {**_owner(), "episode": to_record(_with_reply(episode, text, [token], [logprob]))}
        with storage_errors(path):
            self._stream = path.open("x", encoding="utf-8")
            self._stream.write(json.dumps(head, ensure_ascii=False) + "\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def add(self, text: str, token: int, logprob: float) -> None:
        """Note one more token and the text given out with it."""
        with storage_errors(self._path):
            self._stream.write(json.dumps([text, token, logprob], ensure_ascii=False) + "\n")
            self._stream.flush()

    def leave(self) -> None:
        """The answer could not be stored: keep the file for the next start."""
        self._stream.close()

    def close(self) -> None:
        """The answer is in the store: forget the file."""
        self._stream.close()
        self._path.unlink(missing_ok=True)


class Journal:
    """A folder of answers being written.

    Args:
        folder: made if missing. Two servers may share it; each recovers only what dead ones left.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def open(self, episode: Episode, text: str, token: int, logprob: float) -> OpenAnswer:
        """Begin a file with the question and the first token; on disk when this returns.

        Args:
            episode: id, question and circumstances; its turns are observations only.
            text: given out with the first token; may be empty.
            token: the first token.
            logprob: its log-probability.

        Raises:
            StorageError: the disk refused; nothing may be given out.
        """
        return OpenAnswer(self._path(episode.id), episode, text, token, logprob)

    def holds(self, episode_id: str) -> bool:
        """Whether the answer with this id is being written."""
        path = self._path(episode_id)
        return path.name == episode_id + _SUFFIX and path.is_file()

    def recover(self) -> Iterator[Episode]:
        """Yield what crashed servers left, as truncated episodes; each file goes after its turn."""
        for path in sorted(self._folder.glob("*" + _SUFFIX)):
            lines = path.read_text(encoding="utf-8").split("\n")
            # The last piece is either empty or a line the crash cut short.
            whole = [json.loads(line) for line in lines[:-1]]
            if whole and _alive(whole[0]):
                continue
            if whole:
                yield _assemble(whole[0], whole[1:])
            path.unlink()

    def _path(self, episode_id: str) -> Path:
        # Ids come from requests too; a file name is made only of what ids are made of.
        safe = "".join(c for c in episode_id if c.isascii() and (c.isalnum() or c in "-_"))
        return self._folder / (safe + _SUFFIX)


def _with_reply(episode: Episode, text: str, tokens: list[int], logprobs: list[float]) -> Episode:
    action = Turn("action", text, token_ids=tuple(tokens), logprobs=tuple(logprobs))
    return replace(episode, turns=(*episode.turns, action), truncated=True)


def _assemble(head: dict[str, Any], lines: list[list[Any]]) -> Episode:
    episode = from_record(head["episode"])
    first = episode.turns[-1]
    texts, tokens, logprobs = zip(*lines, strict=True) if lines else ((), (), ())
    return _with_reply(
        replace(episode, turns=episode.turns[:-1]),
        first.text + "".join(texts),
        [*(first.token_ids or ()), *tokens],
        [*(first.logprobs or ()), *logprobs],
    )


def _owner() -> dict[str, Any]:
    process = psutil.Process()
    return {"process": process.pid, "born": process.create_time()}


def _alive(head: dict[str, Any]) -> bool:
    try:
        return bool(psutil.Process(head["process"]).create_time() == head["born"])
    except psutil.NoSuchProcess:
        return False
