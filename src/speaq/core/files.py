"""Writing files so that a crash leaves either the old one or the new one, and fingerprints."""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from speaq.core.places import make_folder, refusal, require_place

_REFUSALS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EFBIG,
}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write `path` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        raise refusal(path, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, synced, in one step.

    On any failure the temporary file is removed and `path` is untouched.

    Raises:
        StorageError: the disk is full, read-only or broken, or there is no place for a file.
    """
    path = Path(path)
    require_place(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        with storage_errors(path):
            yield temporary
            _sync_file(temporary)
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder; on success it takes the place of `path`.

    An existing `path` is moved aside first and removed last, so that a crash between the two
    renames leaves the old folder under a `.old` name rather than nothing.

    Raises:
        StorageError: the disk is full, read-only or broken, or there is a file in its place.
    """
    path = Path(path)
    if path.is_file():
        make_folder(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.old")
    try:
        with storage_errors(path):
            make_folder(temporary)
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _sync_file(file)
            if path.exists():
                path.replace(aside)
            temporary.replace(path)
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8), all or nothing."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest(*parts: bytes | str) -> str:
    """A short content fingerprint (BLAKE2b, 16 bytes, hexadecimal) of the parts in order."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """The fingerprint of a file's bytes, read in pieces."""
    state = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
    return state.hexdigest()
