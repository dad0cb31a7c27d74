"""The run folder: everything that says how a result came about, in one place.

run/
├── settings.yaml    resolved settings, verbatim
├── command.txt      the command or call that made it
├── metrics.jsonl    one line per logged step
├── plots/           curves, fronts, calibration
└── checkpoints/     the state from which training continues exactly
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from speaq.core.errors import SettingsError
from speaq.core.files import storage_errors, write_text
from speaq.core.places import make_folder


class RunFolder:
    """A run's files. Opening an existing folder continues it.

    Args:
        path: the folder; made if missing.
        settings: resolved settings. If the folder already holds others, the run refuses: a
            resumed run must be the same run. A run that was refused before it left anything is
            none, and its folder is taken.

    Raises:
        SettingsError: the folder belongs to a run with other settings, or its settings.yaml to
            something else.
        StorageError: the folder cannot be written.
    """

    def __init__(self, path: Path | str, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
        file, command = self.path / "settings.yaml", self.path / "command.txt"
        if file.exists() and not command.exists():
            raise SettingsError(
                f"{file} was not written by a run (no command.txt is beside it); choose another "
                "folder.",
                f"{file} 不是由运行写入的（旁边没有 command.txt）；请换一个目录。",
            )
        make_folder(self.plots)
        if not file.exists() or not self._begun():
            write_text(command, " ".join(sys.argv) + "\n")
            write_text(file, text)
        elif file.read_text(encoding="utf-8") != text:
            old = yaml.safe_load(file.read_text(encoding="utf-8"))
            changed = sorted(
                name for name in {*old, *settings} if old.get(name) != settings.get(name)
            )
            raise SettingsError(
                f"{self.path} holds a run with other settings ({', '.join(changed)}); choose "
                "another folder, or the same settings to continue it.",
                f"{self.path} 中已有设置不同的运行（{'、'.join(changed)}）；"
                "请换一个目录，或用相同设置继续。",
            )

    @classmethod
    def reopen(cls, path: Path | str) -> "RunFolder":
        """An existing run, whatever its settings are."""
        file = Path(path) / "settings.yaml"
        if not file.exists():
            raise SettingsError(
                f"{path} is not a run folder: it has no settings.yaml.",
                f"{path} 不是运行目录：缺少 settings.yaml。",
            )
        return cls(path, yaml.safe_load(file.read_text(encoding="utf-8")))

    def _begun(self) -> bool:
        """Whether anything but what says how it was begun is in the folder."""
        own = {"settings.yaml", "command.txt", "plots"}
        return any(each.name not in own for each in self.path.iterdir()) or any(
            self.plots.iterdir()
        )

    @property
    def plots(self) -> Path:
        """Where plots go."""
        return self.path / "plots"

    def checkpoint(self, step: int) -> Path:
        """Where the state after `step` steps is kept."""
        return self.path / "checkpoints" / f"step-{step:08d}"

    def checkpoints(self) -> list[Path]:
        """The complete states on disk, oldest first; training continues from the last."""
        return sorted((self.path / "checkpoints").glob("step-*"))

    @property
    def _metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line of metrics."""
        with storage_errors(self._metrics), self._metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **values}) + "\n")

    def rewind(self, step: int) -> None:
        """Drop metrics after `step`, which a resumed run will write again; a torn line goes too."""
        kept = [row for row in self.metrics() if row["step"] <= step]
        write_text(self._metrics, "".join(json.dumps(row) + "\n" for row in kept))

    def metrics(self) -> Iterator[dict[str, float]]:
        """The logged lines in order; stops at a line that a crash cut in two."""
        if not self._metrics.exists():
            return
        for line in self._metrics.read_text(encoding="utf-8").split(os.linesep):
            if not line.endswith("}"):
                return
            yield json.loads(line)
