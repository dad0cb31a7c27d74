"""Episodes to files and back; all of them or none."""

import errno
import io
from dataclasses import replace
from pathlib import Path

import pytest

from speaq.core.errors import DataError, StorageError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.exporters import write_episodes
from speaq.experience.importers import read_episodes

FULL = Episode(
    turns=(
        Turn("observation", "Be kind.", speaker="system"),
        Turn("observation", "你好"),
        Turn(
            "action", '你好！\r\n"很", 高兴', token_ids=(5, 0), logprobs=(-0.1, -2.5e-8), reward=0.1
        ),
        Turn("observation", "嗯"),
        Turn("action", "🙂 好", reward=-1.0, token_rewards=((3, 0.1), (1, -2.0), (3, 1e-300))),
    ),
    id="full",
    time=1.7e9 + 0.123456,
    app="write",
    model="m:1",
    tokenizer="t",
    feedback=(
        Feedback("thumb", True, 1.0, "user", "a"),
        Feedback("score", 0.3, 2.0),
        Feedback("comment", "1.0", 3.0),
    ),
    reward=2.0,
    truncated=True,
    subject="p",
    consent=(),
    tags={"k": "v", "": ""},
)
PLAIN = Episode((Turn("observation", "=a,b\n"), Turn("action", "c")), id="plain", time=0.0)
INSIDE = replace(PLAIN, turns=(PLAIN.turns[0], Turn("action", "c", token_rewards=((1, 2.0),))))
RATED = replace(PLAIN, id="rated", feedback=(Feedback("score", 0.1, 0.0, "import"),))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
@pytest.mark.parametrize("episodes", [[FULL, PLAIN, RATED], [PLAIN]], ids=["all", "plain"])
def test_nothing_is_lost(tmp_path, name, episodes):
    path = tmp_path / "new" / name
    write_episodes(episodes, path)
    assert read_episodes(path) == episodes


def test_many_rows_in_parquet_keep_their_order(tmp_path):
    many = [replace(PLAIN, id=str(number)) for number in range(2500)]
    write_episodes(iter(many), tmp_path / "a.parquet")
    assert read_episodes(tmp_path / "a.parquet") == many


def test_the_table_reads_back_as_the_same_interactions(tmp_path):
    write_episodes([PLAIN, RATED], tmp_path / "a.csv")
    assert read_episodes(tmp_path / "a.csv") == [PLAIN, RATED]


def test_the_table_opens_as_utf8_in_a_spreadsheet(tmp_path):
    write_episodes([PLAIN], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfid,prompt,response,score\r\n")


def test_compressed_files_of_the_same_episodes_are_the_same_bytes(tmp_path, monkeypatch):
    write_episodes([FULL], tmp_path / "a.jsonl.gz")
    monkeypatch.setattr("time.time", lambda: 5.0)
    write_episodes([FULL], tmp_path / "b.jsonl.gz")
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


HALF = replace(PLAIN, turns=(PLAIN.turns[0], Turn("action", "\ud83d")))


@pytest.mark.parametrize(
    ("episodes", "name", "says"),
    [
        ([PLAIN, FULL], "a.csv", "does not fit a table"),
        ([PLAIN, INSIDE], "a.csv", "rated as a whole"),
        ([PLAIN], "a.xlsx", "known endings"),
        ([PLAIN], "a.parquet.gz", "known endings"),
        ([PLAIN, HALF], "a.csv", "half a character"),
        ([PLAIN, HALF], "a.parquet", "half a character"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_old_file_stays(tmp_path, episodes, name, says):
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(DataError, match=says):
        write_episodes(episodes, path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == [name]


class _FullDisk(io.FileIO):
    """A file on a disk with room for so many bytes."""

    room = 0

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, name, room):
    path = tmp_path / name
    path.write_text("old")
    monkeypatch.setattr(_FullDisk, "room", room)

    plain = Path.open

    def full(self, mode="r", *rest, **named):
        # Only what is being written; the descriptor itself is a real one.
        return _FullDisk(self, mode) if "w" in mode else plain(self, mode, *rest, **named)

    monkeypatch.setattr("pathlib.Path.open", full)
    with pytest.raises(StorageError, match="No space left"):
        write_episodes([replace(RATED, id=str(number)) for number in range(200)], path)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == [name]
