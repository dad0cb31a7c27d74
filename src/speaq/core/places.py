"""Whether something can be read or written where a path says, told in one sentence if not."""

import os
from pathlib import Path
from uuid import uuid4

from speaq.core.errors import DataError, StorageError


def refusal(path: Path, error: OSError) -> StorageError:
    """What is said when the system refuses to write `path`."""
    reason = os.strerror(error.errno or 0)
    return StorageError(
        f"{path} could not be written ({reason}); nothing half-written was left. "
        "Free some space or choose another folder, then run the same command again.",
        f"无法写入 {path}（{reason}）；未留下不完整的文件。请腾出空间或换一个目录后重试。",
    )


def make_folder(path: Path) -> None:
    """Make a folder and those above it; one that is there stays.

    Raises:
        StorageError: there is a file in its place, or the disk refuses.
    """
    for each in (path, *path.parents):
        if each.is_file():
            raise StorageError(
                f"{each} is a file where a folder is to be; choose another folder.",
                f"{each} 是文件，而此处需要目录；请换一个目录。",
            )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path, error) from error


def require_file(path: Path) -> None:
    """Refuse what is no file to be read.

    Raises:
        DataError: there is no such file, or it is a folder.
    """
    if path.is_dir():
        raise DataError(
            "this is a folder; name a file in it.", "这是目录；请指定其中的文件。", file=path
        )
    if not path.is_file():
        raise DataError("there is no such file.", "没有这个文件。", file=path)


def require_place(path: Path) -> None:
    """Make sure that a file can be made at `path`, before any work goes into it.

    Raises:
        StorageError: there is a folder in its place, or the disk refuses.
    """
    if path.is_dir():
        raise StorageError(
            f"{path} is a folder where a file is to be; name a file.",
            f"{path} 是目录，而此处需要文件；请给出文件名。",
        )
    make_folder(path.parent)
    probe = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise refusal(path, error) from error
