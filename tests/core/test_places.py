"""Files and folders that cannot be read or written are refused in a sentence, before any work."""

import math
from pathlib import Path

import pytest

from speaq.core.errors import DataError, StorageError
from speaq.core.files import replacing_file, replacing_folder, write_text
from speaq.core.places import make_folder, require_file
from speaq.core.progress import bar
from speaq.core.runs import RunFolder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "taken"
    made.write_text("mine", encoding="utf-8")
    return made


def test_a_folder_is_not_made_where_a_file_is(file: Path) -> None:
    for place in (file, file / "deeper" / "still"):
        with pytest.raises(StorageError, match=r"taken is a file where a folder is to be"):
            make_folder(place)
    with pytest.raises(StorageError, match="is a file"):
        RunFolder(file, {})
    with pytest.raises(StorageError, match="is a file"), replacing_folder(file):
        raise AssertionError("no work is begun")
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_file_is_not_written_where_a_folder_is(tmp_path: Path, file: Path) -> None:
    with pytest.raises(StorageError, match="is a folder where a file is to be"):
        write_text(tmp_path, "text")
    with pytest.raises(StorageError, match="is a file where a folder"):
        write_text(file / "under.txt", "text")
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_takes_nothing_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *more: object, **rest: object) -> None:
        raise OSError(2, "no", str(path))

    monkeypatch.setattr(Path, "touch", refused)
    refusal = pytest.raises(StorageError, match="could not be written")
    with refusal, replacing_file(tmp_path / "a.txt"):
        raise AssertionError("no work is begun")


def test_a_folder_is_not_read_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a folder; name a file in it"):
        require_file(tmp_path)
    with pytest.raises(DataError, match="there is no such file"):
        require_file(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_begun_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path.mkdir

    def refused(path: Path, *more: object, **rest: object) -> None:
        if path.name.endswith(".part"):
            raise OSError(2, "no", str(path))
        made(path, *more, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", refused)
    refusal = pytest.raises(StorageError, match="could not be written")
    with refusal, replacing_folder(tmp_path / "a"):
        raise AssertionError("no work is begun")


def test_a_bar_whose_end_nobody_knows_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPEAQ_PROGRESS", "1")
    for total in (None, math.inf):
        with bar("looking", total) as running:
            running.advance()
    assert "looking" in capsys.readouterr().err
