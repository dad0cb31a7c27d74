"""speaq data inspect: say what is wrong with data files, in which row, and what mends it.

zh: 指出数据文件中哪一行有什么问题，以及如何修复。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.text.doctor.findings import DoctorSettings

ABOUT = (
    "Look at data files, or at folders of them. Format, encoding and columns are recognised; files "
    "are compared with each other, so name all splits at once.",
    "检查数据文件或其目录。自动识别格式、编码与列；文件之间相互比较，请一次给出所有划分。",
)


@dataclass(frozen=True)
class Inspect:
    """Options of `speaq data inspect`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """CSV, TSV, JSONL, JSON, Parquet, text, CoNLL, SQuAD, TMX; two files of parallel text."""
    json: bool = False
    """Print everything as JSON instead of a table."""
    show: int = 3
    """Findings of each kind that the table tells in full."""
    columns: tuple[str, ...] = ()
    """Columns that are not found by themselves, as role=name: text=评论 label=情感."""
    doctor: Annotated[DoctorSettings, tyro.conf.arg(name="")] = field(
        default_factory=DoctorSettings
    )
    """What is taken for a fault."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Inspect, args, "data inspect", ABOUT)
    from speaq.cli.data import roles
    from speaq.text.doctor.inspecting import inspect
    from speaq.text.doctor.report import as_json, print_report
    from speaq.text.files.data_files import open_groups

    files = open_groups(options.files, roles(options.columns))
    report = inspect(files, options.doctor)
    if options.json:
        print(as_json(report))
    else:
        print_report(report, options.show)
