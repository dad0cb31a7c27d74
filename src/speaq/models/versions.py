"""The registry: the versions of a model, which one is live, and how to go back.

registry/
├── registry.json   versions, the trail of live ones, every event; replaced in one step
└── v1/, v2/, ...   the model folders, copies of their own (weights are hard links where possible)

A version goes live only if the gate said so, or by force, and force is recorded.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from speaq.core.errors import EvidenceError, ModelError, SettingsError
from speaq.core.files import replacing_folder, storage_errors, write_text
from speaq.governance.safe_files import require_safe

STATE = "registry.json"
_EMPTY: dict[str, Any] = {"versions": {}, "trail": [], "events": []}


class Registry:
    """Versions of one model in a folder. Safe between processes: changes wait for each other.

    Args:
        folder: made on the first `add`.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def add(self, model_folder: Path | str, report: Mapping[str, Any] | None = None) -> str:
        """Copy a model folder in and return its version, `v1`, `v2`, ...; nothing goes live.

        Args:
            model_folder: as written by `save`.
            report: the gate's (`GateReport.to_dict()`); its row for the folder's β counts.

        Raises:
            ModelError: not a model folder.
            UnsafeFileError: it holds a pickle.
            StorageError: the disk refused; the registry is as it was.
        """
        source = Path(model_folder)
        if not (source / "config.json").is_file():
            raise ModelError(
                f"{source} is not a model folder (no config.json).",
                f"{source} 不是模型目录（缺少 config.json）。",
            )
        require_safe(source)
        verdict, reasons = _verdict(report, _folded_beta(source))
        with self._changing() as state:
            version = f"v{len(state['versions']) + 1}"
            with replacing_folder(self.folder / version) as temporary:
                shutil.copytree(source, temporary, copy_function=_copy, dirs_exist_ok=True)
            state["versions"][version] = {
                "time": time.time(),
                "verdict": verdict,
                "reasons": reasons,
                "report": dict(report) if report else None,
            }
            _note(state, "add", version)
        return version

    def versions(self) -> list[str]:
        """All versions, oldest first."""
        return list(self._read()["versions"])

    def live(self) -> str | None:
        """The version that is live; None before the first promotion."""
        trail = self._read()["trail"]
        return str(trail[-1]) if trail else None

    def path(self, version: str) -> Path:
        """The model folder of a version.

        Raises:
            SettingsError: no such version.
        """
        self._require(self._read(), version)
        return self.folder / version

    def report(self, version: str) -> dict[str, Any] | None:
        """The gate's report a version was added with.

        Raises:
            SettingsError: no such version.
        """
        state = self._read()
        self._require(state, version)
        report: dict[str, Any] | None = state["versions"][version]["report"]
        return report

    def promote(self, version: str, *, forced: bool = False, reason: str = "") -> None:
        """Make a version live.

        Args:
            version: one of `versions()`.
            forced: go live against the gate; written into the history.
            reason: why, in the person's words; written into the history.

        Raises:
            EvidenceError: the gate did not say "promote" and `forced` is not set.
            SettingsError: no such version.
        """
        with self._changing() as state:
            self._require(state, version)
            known = state["versions"][version]
            refused = known["verdict"] != "promote"
            if refused and not forced:
                reason_en, reason_zh = known["reasons"]
                raise EvidenceError(
                    f"{version} is not promoted: {reason_en}. Gather more evidence, or force it "
                    "(--force), which is recorded.",
                    f"不发布 {version}：{reason_zh}。"
                    "请收集更多证据，或强制发布（--force，会留下记录）。",
                )
            state["trail"].append(version)
            _note(state, "promote", version, forced=forced and refused, reason=reason)

    def back(self) -> str:
        """Return to the version that was live before, and name it.

        Raises:
            SettingsError: there is none.
        """
        with self._changing() as state:
            if len(state["trail"]) < 2:
                raise SettingsError(
                    "There is no earlier live version to go back to.", "没有可以回退的上一版本。"
                )
            state["trail"].pop()
            version = str(state["trail"][-1])
            _note(state, "back", version)
        return version

    def history(self) -> list[dict[str, Any]]:
        """Every event, oldest first: `time, event, version, forced, reason`."""
        return list(self._read()["events"])

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The state, locked; written when the block ends well, else left as it was."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        # The system drops the lock when the process dies, however it dies.
        with FileLock(self.folder / ".lock"):
            state = self._read()
            yield state
            write_text(self.folder / STATE, json.dumps(state, ensure_ascii=False, indent=2) + "\n")

    def _read(self) -> dict[str, Any]:
        file = self.folder / STATE
        if not file.is_file():
            return json.loads(json.dumps(_EMPTY))  # type: ignore[no-any-return]
        try:
            state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(
                f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。"
            ) from error
        return state

    def _require(self, state: Mapping[str, Any], version: str) -> None:
        if version not in state["versions"]:
            known = ", ".join(state["versions"]) or "none"
            raise SettingsError(
                f"There is no version '{version}' in {self.folder}; there are: {known}.",
                f"{self.folder} 中没有版本“{version}”；已有：{known}。",
            )


def _note(
    state: dict[str, Any], event: str, version: str, *, forced: bool = False, reason: str = ""
) -> None:
    state["events"].append(
        {
            "time": time.time(),
            "event": event,
            "version": version,
            "forced": forced,
            "reason": reason,
        }
    )


def _copy(source: str, target: str) -> str:
    """Link weights, which nobody edits in place; copy the rest."""
    if source.endswith(".safetensors"):
        try:
            os.link(Path(source).resolve(), target)
            return target
        except OSError:  # another disk, or a file system without links
            pass
    return str(shutil.copy2(source, target))


def _folded_beta(folder: Path) -> float | None:
    """β of the folder's last fold; None if it was not folded."""
    file = folder / "speaq.json"
    if not file.is_file():
        return None
    try:
        history = json.loads(file.read_text(encoding="utf-8"))["origin"]["history"]
        folds = [step["beta"] for step in history if step["step"] == "fold"]
        return float(folds[-1]) if folds else None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{file} is damaged ({type(error).__name__}: {error}).",
            f"{file} 已损坏（{type(error).__name__}：{error}）。",
        ) from error


def _verdict(report: Mapping[str, Any] | None, folded: float | None) -> tuple[str, tuple[str, str]]:
    """The gate's word on this very model, and why, in both languages."""
    if not report:
        return "none", ("no gate has judged it", "尚未经过闸门评估")
    beta = float(report.get("best_beta", 0.0)) if folded is None else folded
    for row in report.get("rows", ()):
        if math.isclose(float(row["beta"]), beta):
            reasons = (str(row.get("reason_en", "")), str(row.get("reason_zh", "")))
            return str(row["verdict"]), reasons
    return "none", (
        f"the gate's report says nothing about beta = {beta:g}",
        f"闸门报告未涉及 beta = {beta:g}",
    )
