"""speaq data clean: repair what can be repaired in data files, leave out the rest, say which.

zh: 修复数据文件中可修复的问题，去除其余，并逐一说明。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.language import say
from speaq.text.doctor.findings import DoctorSettings

ABOUT = (
    "Do what `speaq data inspect` advises. The new file is UTF-8, in the format of the old one, "
    "which stays as it is.",
    "按 `speaq data inspect` 的建议修复。新文件为 UTF-8，格式与原文件相同；原文件不变。",
)


@dataclass(frozen=True)
class Clean:
    """Options of `speaq data clean`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """What to mend; each for itself."""
    fix: tuple[str, ...] = ()
    """Names of findings; unset: all that nobody could have meant. `all`: those of judgement too."""
    out: Path | None = None
    """The new file, or a folder; unset: NAME.clean.SUFFIX beside the old one."""
    show: int = 10
    """Changes of each kind that are told."""
    columns: tuple[str, ...] = ()
    """Columns that are not found by themselves, as role=name."""
    doctor: Annotated[DoctorSettings, tyro.conf.arg(name="")] = field(
        default_factory=DoctorSettings
    )
    """What is taken for a fault."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Clean, args, "data clean", ABOUT)
    from speaq.cli.data import destination, roles
    from speaq.core.places import make_folder
    from speaq.text.doctor.mending import CERTAIN, FIXES, mend
    from speaq.text.doctor.report import print_changes
    from speaq.text.files.data_files import open_groups, save

    fix = FIXES if options.fix == ("all",) else options.fix or CERTAIN
    files = open_groups(options.files, roles(options.columns))
    out = options.out
    if out is not None and len(files) > 1:
        make_folder(out)
    # Everything is mended before anything is written.
    todo = [
        (mend(data, fix, options.doctor), destination(data.paths, out, "clean")) for data in files
    ]
    for mended, paths in todo:
        save(mended.data, mended.records, *paths)
        print_changes(mended.repaired, mended.dropped, options.show)
        names = ", ".join(map(str, paths))
        print(
            say(
                f"{names}: {len(mended.records)} examples, {len(mended.repaired)} repairs, "
                f"{len(mended.dropped)} left out.",
                f"{names}：{len(mended.records)} 个样本，修复 {len(mended.repaired)} 处，"
                f"去除 {len(mended.dropped)} 个。",
            )
        )
