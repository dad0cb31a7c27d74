"""What the doctor says: a table for people, JSON for programs."""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import IO, Any

from speaq.core.language import say
from speaq.text.doctor.findings import KINDS, Finding
from speaq.text.doctor.inspecting import Report
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Place

_WIDTH = 120
"""Of tables where nobody looks, such as in a file."""
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def as_json(report: Report) -> str:
    """Files and findings as one JSON object, each finding with the command that mends it."""
    record = {
        "files": [_described(data) for data in report.files],
        "settings": asdict(report.settings),
        "counts": dict(report.counts),
        "findings": [
            {**finding_record(finding), "command": report.command(finding)}
            for finding in report.findings
        ],
    }
    return json.dumps(record, ensure_ascii=False, indent=1)


def finding_record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "file": finding.place.file,
        "row": finding.place.row,
        "part": finding.place.part,
        "en": finding.en,
        "zh": finding.zh,
        "others": [{"file": place.file, "row": place.row} for place in finding.others],
    }


def _described(data: DataFile) -> dict[str, Any]:
    layout = data.layout
    return {
        "file": data.name,
        "format": layout.format,
        "kind": layout.kind,
        "encoding": layout.encoding,
        "delimiter": layout.delimiter,
        "header": layout.header,
        "columns": dict(layout.columns),
        "languages": list(layout.languages),
        "parts": dict(Counter(each.place.part for each in data.examples)),
        "examples": len(data.entries),
        "unreadable": len(data.faults),
    }


def print_report(report: Report, show: int, stream: IO[str] | None = None) -> None:
    """Print how each file was understood, what was found, and the commands that mend it.

    Args:
        report: what the doctor found.
        show: findings of each kind that are told in full.
        stream: where to; standard output.
    """
    console = _console(stream)
    console.print(_files(report.files))
    if not report.findings:
        console.print(say("Nothing is wrong with these files.", "这些文件没有问题。"))
        return
    of_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        of_kind[finding.kind].append(finding)
    console.print(_table(of_kind, show))
    commands = dict.fromkeys(filter(None, map(report.command, report.findings)))
    if commands:
        console.print(say("What mends it:", "修复命令："))
    for line in commands:
        # Commands are to be copied: no line may be broken.
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)


def _console(stream: IO[str] | None) -> Any:
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _WIDTH)


def _files(files: Iterable[DataFile]) -> Any:
    from rich.table import Table
    from rich.text import Text

    heads = (
        ("file", "文件"), ("format", "格式"), ("encoding", "编码"), ("examples", "样本"),
        ("columns", "列"), ("splits", "划分"),
    )  # fmt: skip
    table = Table(*(say(en, zh) for en, zh in heads), box=None, pad_edge=False)
    for data in files:
        layout = data.layout
        columns = ", ".join(f"{role}={name}" for role, name in layout.columns.items())
        parts = Counter(each.place.part for each in data.examples)
        cells = (
            data.name,
            _format_name(data),
            layout.encoding,
            f"{len(data.entries)} {layout.kind}",
            columns,
            ", ".join(f"{part} {count}" for part, count in parts.items()),
        )
        table.add_row(*map(Text, cells))
    return table


def _format_name(data: DataFile) -> str:
    layout = data.layout
    tabs = layout.format == "csv" and layout.delimiter == "\t"
    name = "tsv" if tabs else layout.format
    return name if layout.header else say(f"{name}, no header", f"{name}（无表头）")


def _table(of_kind: dict[str, list[Finding]], show: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    heads = (("what", "问题"), ("rows", "行数"), ("where and why", "位置与原因"))
    table = Table(*(say(en, zh) for en, zh in heads), box=None, pad_edge=False)
    for kind in sorted(of_kind, key=list(KINDS).index):
        findings = of_kind[kind]
        about = KINDS[kind]
        lines = [f"{each.place}: {say(each.en, each.zh)}" for each in findings[:show]]
        if len(findings) > show:
            lines.append(say(f"and {len(findings) - show} more", f"另有 {len(findings) - show} 处"))
        title = Text(say(about.en, about.zh), style=_STYLES[about.severity])
        table.add_row(
            title + Text(f"\n{kind}", style="dim"), str(len(findings)), Text("\n".join(lines))
        )
    return table


def print_changes(
    repaired: Sequence[Finding],
    dropped: Sequence[Finding],
    show: int,
    stream: IO[str] | None = None,
) -> None:
    """Print what was repaired and what was left out, each with its place."""
    console = _console(stream)
    for title, findings in (
        (say("repaired", "已修复"), repaired),
        (say("left out", "已去除"), dropped),
    ):
        if findings:
            of_kind: dict[str, list[Finding]] = defaultdict(list)
            for finding in findings:
                of_kind[finding.kind].append(finding)
            console.print(f"{title}: {len(findings)}", highlight=False)
            console.print(_table(of_kind, show))


def print_copies(
    dropped: Sequence[tuple[Place, Place]], show: int, stream: IO[str] | None = None
) -> None:
    """Print which rows were left out, and what they were copies of."""
    console = _console(stream)
    for place, origin in dropped[:show]:
        console.print(f"  {place} = {origin}", soft_wrap=True, highlight=False, markup=False)
    if len(dropped) > show:
        more = len(dropped) - show
        console.print(say(f"  and {more} more", f"  另有 {more} 处"), highlight=False)
