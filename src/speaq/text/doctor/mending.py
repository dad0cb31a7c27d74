"""Mending data files: what the doctor advises, done to every example it is advised for."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speaq.core.errors import DataError, SettingsError
from speaq.text.doctor.findings import KINDS, DoctorSettings, Finding
from speaq.text.doctor.inspecting import CHECKS
from speaq.text.files.data_files import DataFile, Entry
from speaq.text.files.examples import Place
from speaq.text.files.shapes import record_of

_ROUNDS = 10
"""An example may have several faults of a kind of check; each round mends one."""

FIXES = tuple(kind for kind, about in KINDS.items() if about.verb == "clean")
"""What can be mended, by the name of the finding."""
CERTAIN = tuple(kind for kind in FIXES if KINDS[kind].certain)
"""What is mended unless other kinds are named: what nobody could have meant."""


@dataclass(frozen=True)
class Mended:
    """A file after mending."""

    data: DataFile
    records: tuple[dict[str, Any], ...]
    """What is left, in order, in the form of the file."""
    repaired: tuple[Finding, ...]
    dropped: tuple[Finding, ...]
    """Examples that could not be repaired and are left out."""


def mend(
    data: DataFile, fix: Collection[str] = CERTAIN, settings: DoctorSettings | None = None
) -> Mended:
    """Mend a file until the doctor finds no more of these faults in it.

    Args:
        data: as `open_data` read it.
        fix: names of findings, of `FIXES`.
        settings: what is taken for a fault.

    Raises:
        SettingsError: an unknown name.
        DataError: no example would be left.
    """
    _require_known(fix)
    # Near-duplicates are no concern of mending, and take the longest to find.
    settings = replace(settings or DoctorSettings(), near=1.0)
    work = _Work(data)
    for check in CHECKS:
        for _ in range(_ROUNDS):
            findings = [each for each in check([work.now()], settings) if each.kind in fix]
            if not work.apply(findings):
                break
    return work.done()


def _require_known(fix: Collection[str]) -> None:
    for name in fix:
        if name not in FIXES:
            near = difflib.get_close_matches(name, FIXES, n=1, cutoff=0.5)
            hint_en = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(FIXES)}."
            hint_zh = f"是否想用“{near[0]}”？" if near else f"可用：{'、'.join(FIXES)}。"
            raise SettingsError(
                f"--fix: nothing called '{name}' can be mended; {hint_en}",
                f"--fix：没有可修复的“{name}”；{hint_zh}",
            )


class _Work:
    """A file while it is mended: the entries as they were, beside what became of their examples."""

    def __init__(self, data: DataFile) -> None:
        self._data = data
        self._entries = [(entry, entry.example) for entry in data.entries]
        self._repaired: list[Finding] = []
        self._dropped: list[Finding] = [
            Finding("unreadable", Place(data.name, fault.row or 0), fault.en, fault.zh)
            for fault in data.faults
        ]

    def now(self) -> DataFile:
        """The file as far as it is mended."""
        entries = tuple(Entry(entry.record, example) for entry, example in self._entries)
        return replace(self._data, entries=entries)

    def apply(self, findings: Sequence[Finding]) -> bool:
        """Put what is mended in place of what was found, one finding an example."""
        todo: dict[int, Finding] = {}
        for finding in findings:
            todo.setdefault(id(finding.example), finding)
        kept = []
        changed = False
        for entry, example in self._entries:
            fault = todo.get(id(example))
            if fault is None:
                kept.append((entry, example))
                continue
            changed = True
            if fault.mended is not None:
                self._repaired.append(fault)
                kept.append((entry, fault.mended))
            else:
                self._dropped.append(fault)
        self._entries = kept
        return changed

    def done(self) -> Mended:
        """The records of what is left."""
        if not self._entries:
            raise DataError(
                "no example would be left; nothing was written.",
                "不会剩下任何样本；未写入任何内容。",
                file=self._data.name,
            )
        layout = self._data.layout
        records = tuple(
            record_of(example, entry.example, entry.record, layout)
            for entry, example in self._entries
        )
        return Mended(self._data, records, tuple(self._repaired), tuple(self._dropped))
