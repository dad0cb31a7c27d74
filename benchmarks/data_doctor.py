"""The data doctor on 65 small data sets with known faults: what it recognised, found, and made up.

    python benchmarks/data_doctor.py --json benchmarks/results/data_doctor.json

A row per fixture: whether format, kind, encoding and columns are as written; faults put in, faults
found at the very row; findings beyond them, which on these files are false alarms. The last rows
are the sums by format. Under a minute.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from data_cases import fixtures
from data_fixtures import Fault, Fixture
from report import parser, write

from speaq.core.progress import track
from speaq.text.doctor.inspecting import inspect
from speaq.text.files.data_files import open_data


def examine(fixture: Fixture, folder: Path) -> tuple[bool, set[Fault]]:
    """Whether a fixture is recognised, and everything that is found in it."""
    paths = fixture.write(folder)
    files = [open_data(*paths)] if fixture.together else [open_data(path) for path in paths]
    recognised = all(
        data.layout.format == fixture.format
        and data.layout.kind == fixture.kind
        and data.layout.encoding == fixture.encoding
        and fixture.columns.items() <= data.layout.columns.items()
        for data in files
    )
    report = inspect(files)
    return recognised, {
        (each.kind, Path(each.place.file).name, each.place.row) for each in report.findings
    }


def row(fixture: Fixture, folder: Path) -> dict[str, Any]:
    recognised, found = examine(fixture, folder)
    seeded = set(fixture.faults)
    return {
        "fixture": fixture.name,
        "format": fixture.format,
        "encoding": fixture.encoding,
        "recognised": int(recognised),
        "faults": len(seeded),
        "found": len(seeded & found),
        "false": len(found - seeded),
    }


def sums(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in rows:
        groups[each["format"]].append(each)
        groups["all"].append(each)
    names = ("recognised", "faults", "found", "false")
    return [
        {"fixture": f"{len(members)} files", "format": name, "encoding": ""}
        | {key: sum(member[key] for member in members) for key in names}
        for name, members in groups.items()
    ]


def run(arguments: argparse.Namespace) -> None:
    cases = fixtures()
    with tempfile.TemporaryDirectory() as name:
        rows = [row(each, Path(name)) for each in track(cases, "fixtures", len(cases))]
    write(arguments, [*rows, *sums(rows)])


if __name__ == "__main__":
    run(parser(__doc__).parse_args())
