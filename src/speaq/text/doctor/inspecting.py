"""The data doctor: looks at data files and says what is wrong, where, and which command mends it.

report = inspect([open_data("train.csv"), open_data("test.csv")])
for finding in report.findings:
    print(finding.kind, finding.place, finding.en, report.command(finding))
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from speaq.core.progress import track
from speaq.text.doctor.copies import check_copies
from speaq.text.doctor.findings import KINDS, DoctorSettings, Finding, command
from speaq.text.doctor.labels import check_labels
from speaq.text.doctor.pairs import check_parallel, check_questions
from speaq.text.doctor.spans import check_spans
from speaq.text.doctor.tags import check_tags
from speaq.text.doctor.texts import check_texts
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Place

Check = Callable[[Sequence[DataFile], DoctorSettings], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    check_texts,
    check_spans,
    check_tags,
    check_questions,
    check_parallel,
    check_labels,
    check_copies,
)
"""In the order in which their faults are mended: a text before its label, a row before its copy."""


@dataclass(frozen=True)
class Report:
    """What the doctor found in some files."""

    files: tuple[DataFile, ...]
    findings: tuple[Finding, ...]
    settings: DoctorSettings

    @property
    def counts(self) -> Counter[str]:
        """How many findings of each kind."""
        return Counter(finding.kind for finding in self.findings)

    def command(self, finding: Finding) -> str:
        """The command that mends a finding; empty where no command does."""
        return command(finding, self.files, self.settings.near)


def inspect(files: Sequence[DataFile], settings: DoctorSettings | None = None) -> Report:
    """Look at files together: what is in one is compared with what is in the others.

    Args:
        files: as `open_data` reads them; the part of each (train, dev, test) is known by name.
        settings: what is taken for a fault.
    """
    settings = settings or DoctorSettings()
    findings = list(_unreadable(files))
    for check in track(CHECKS, "inspect", len(CHECKS)):
        findings += check(files, settings)
    order = {str(data.paths[0]): place for place, data in enumerate(files)}
    kinds = list(KINDS)
    findings.sort(key=lambda each: (kinds.index(each.kind), order[each.place.file], each.place.row))
    return Report(tuple(files), tuple(findings), settings)


def _unreadable(files: Sequence[DataFile]) -> Iterator[Finding]:
    for data in files:
        for fault in data.faults:
            kind = "uneven-files" if data.layout.format == "parallel" else "unreadable"
            place = Place(str(data.paths[0]), fault.row or 0)
            yield Finding(kind, place, fault.en, fault.zh)
