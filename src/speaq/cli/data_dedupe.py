"""speaq data dedupe: take out duplicates, within a file and of what is in other files.

zh: 去除重复：文件内的，以及与其他文件重复的。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.language import say

ABOUT = (
    "Take out copies: of the rows of a file the later one, of two splits in a file the one of "
    "training; with --against whatever stands in those files. Those stay as they are.",
    "去除重复：同一文件中保留先出现的行，文件内两个划分之间保留测试集的；"
    "--against 去除也出现在那些文件中的行，那些文件不变。",
)


@dataclass(frozen=True)
class Dedupe:
    """Options of `speaq data dedupe`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The file that loses its copies; two files of parallel text."""
    against: tuple[Path, ...] = ()
    """Files that keep all, such as the test split."""
    near: float = 1.0
    """Least similarity, 0.3 to 1, of near-duplicates to take out too; 1: only duplicates."""
    out: Path | None = None
    """The new file, or a folder; unset: NAME.dedupe.SUFFIX beside the old one."""
    show: int = 10
    """Copies that are told."""
    columns: tuple[str, ...] = ()
    """Columns that are not found by themselves, as role=name."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Dedupe, args, "data dedupe", ABOUT)
    from speaq.cli.data import destination, roles
    from speaq.text.doctor.report import print_copies
    from speaq.text.doctor.thinning import dedupe
    from speaq.text.files.data_files import open_groups, save

    if not 0.3 <= options.near <= 1:
        raise SettingsError(
            f"--near {options.near:g} must be 0.3–1.", f"--near {options.near:g} 必须为 0.3–1。"
        )
    columns = roles(options.columns)
    files = open_groups(options.files, columns)
    if len(files) != 1:
        raise SettingsError(
            f"dedupe changes one file at a time, not {len(files)}; name others after --against.",
            f"dedupe 一次只处理一个文件，而不是 {len(files)} 个；其他文件请写在 --against 之后。",
        )
    (data,) = files
    against = open_groups(options.against, columns) if options.against else []
    thinned = dedupe(data, against, options.near)
    paths = destination(data.paths, options.out, "dedupe")
    save(data, [entry.record for entry in thinned.kept], *paths)
    print_copies(thinned.dropped, options.show)
    names = ", ".join(map(str, paths))
    print(
        say(
            f"{names}: {len(thinned.kept)} examples, {len(thinned.dropped)} copies left out.",
            f"{names}：{len(thinned.kept)} 个样本，去除 {len(thinned.dropped)} 个重复。",
        )
    )
