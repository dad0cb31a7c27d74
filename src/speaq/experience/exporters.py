"""Writing episodes to files: all of them or none."""

import csv
import gzip
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, cast

from speaq.core.errors import DataError
from speaq.core.files import replacing_file
from speaq.experience.arrow import schema, to_row
from speaq.experience.episode import Episode
from speaq.experience.records import to_json, to_record
from speaq.experience.rewards import action_rewards, feedback
from speaq.text.files.readers import suffix_of

_BATCH = 1024


def write_episodes(episodes: Iterable[Episode], path: str | Path) -> None:
    """Write episodes to `path`, replacing it in one step.

    `.jsonl` (also `.jsonl.gz`) and `.parquet` keep everything. `.csv` is the table id, prompt,
    response, score, for spreadsheets; the score is the reward `feedback`, empty where there is
    none, and only episodes of one question and one answer fit.

    Raises:
        DataError: an ending that names no format, or an episode that does not fit the table.
        StorageError: the disk refused; the old file, if any, is still there.
    """
    path = Path(path)
    kind = suffix_of(path)
    writer = _WRITERS.get(kind)
    zipped = path.name.lower().endswith(".gz")
    if writer is None or (zipped and kind == ".parquet"):
        known = ", ".join(_WRITERS)
        raise DataError(
            f"cannot write files named like this; known endings are {known}, text also with .gz.",
            f"无法写入这种后缀的文件；可用的后缀：{known}（文本可加 .gz）。",
            file=path,
        )
    with replacing_file(path) as temporary, temporary.open("wb") as plain:
        try:
            if not zipped:
                writer(episodes, plain, path)
                return
            # Without a time in the header the same episodes give the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as packed:
                writer(episodes, cast(BinaryIO, packed), path)
        except UnicodeEncodeError as error:
            raise DataError(
                "a text holds half a character (an emoji cut in two) that this format cannot keep; "
                "write .jsonl instead.",
                "文本中有半个字符（被截断的表情符号），此格式无法保存；请改用 .jsonl。",
                file=path,
            ) from error


def _json_lines(episodes: Iterable[Episode], stream: BinaryIO, path: Path) -> None:
    for episode in episodes:
        stream.write(to_json(to_record(episode)).encode() + b"\n")


def _csv(episodes: Iterable[Episode], stream: BinaryIO, path: Path) -> None:
    # The mark at the start makes spreadsheets read Chinese as UTF-8.
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    table = csv.writer(text)
    table.writerow(["id", "prompt", "response", "score"])
    for row, episode in enumerate(episodes, start=2):
        inside = any(turn.token_rewards for turn in episode.actions)
        if inside or [turn.role for turn in episode.turns] != ["observation", "action"]:
            raise DataError(
                f"episode {episode.id} is not one question and one answer, rated as a whole, so it "
                "does not fit a table; write .jsonl or .parquet.",
                f"片段 {episode.id} 不是整体评分的一问一答，放不进表格；"
                "请改用 .jsonl 或 .parquet。",
                file=path,
                row=row,
            )
        rated = feedback(episode) is not None
        score = repr(action_rewards(episode, feedback)[-1]) if rated else ""
        table.writerow([episode.id, episode.prompt, episode.reply, score])
    text.flush()
    # The stream is the caller's to close.
    text.detach()


def _parquet(episodes: Iterable[Episode], stream: BinaryIO, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = schema()
    with pyarrow.parquet.ParquetWriter(stream, columns, compression="zstd") as writer:
        rows = []
        for episode in episodes:
            rows.append(to_row(to_record(episode)))
            if len(rows) == _BATCH:
                writer.write_table(pyarrow.Table.from_pylist(rows, columns))
                rows = []
        writer.write_table(pyarrow.Table.from_pylist(rows, columns))


_WRITERS: dict[str, Callable[[Iterable[Episode], BinaryIO, Path], None]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}
