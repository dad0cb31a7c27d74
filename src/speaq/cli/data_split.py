"""speaq data split: divide data into train, dev and test, balanced and without leaks.

zh: 将数据划分为训练、验证与测试集：类别均衡，互不泄漏。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.text.doctor.dividing import SplitSettings

ABOUT = (
    "Divide data: classes in the same shares, copies and near-copies in one split, the same for "
    "the same seed. Several files are divided as if they were one.",
    "划分数据：各划分类别比例一致，相同与近似的样本在同一划分中，种子相同则结果相同。"
    "多个文件视为一个。",
)


@dataclass(frozen=True)
class Split:
    """Options of `speaq data split`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """What to divide."""
    out: Path
    """The folder of the splits, made anew; it may exist if it holds nothing but splits."""
    columns: tuple[str, ...] = ()
    """Columns that are not found by themselves, as role=name."""
    split: Annotated[SplitSettings, tyro.conf.arg(name="")] = field(default_factory=SplitSettings)
    """How to divide."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Split, args, "data split", ABOUT)
    from speaq.cli.data import roles
    from speaq.core.files import replacing_folder
    from speaq.text.doctor.dividing import divide
    from speaq.text.files.data_files import open_groups, save

    files = open_groups(options.files, roles(options.columns))
    unreadable = sum(len(data.faults) for data in files)
    if unreadable:
        raise SettingsError(
            f"{unreadable} rows cannot be read; run speaq data clean first.",
            f"有 {unreadable} 行无法读取；请先运行 speaq data clean。",
        )
    first = files[0]
    suffixes = [Path(path.name.removesuffix(".gz")).suffix for path in first.paths]
    _require_free(options.out, suffixes)
    made = divide(files, options.split)
    with replacing_folder(options.out) as folder:
        for part, records in made.items():
            save(first, records, *(folder / f"{part}{suffix}" for suffix in suffixes))
    sizes = ", ".join(f"{part} {len(records)}" for part, records in made.items())
    print(say(f"{options.out}: {sizes}.", f"{options.out}：{sizes}。"))


def _require_free(folder: Path, suffixes: list[str]) -> None:
    """Refuse a folder that holds anything but splits: it is replaced as a whole."""
    if folder.is_file() or (
        folder.is_dir()
        and any(
            each.stem not in ("train", "dev", "test") or each.suffix not in suffixes
            for each in folder.iterdir()
        )
    ):
        raise SettingsError(
            f"--out: '{folder}' holds something else; name a new folder.",
            f"--out：“{folder}”中有其他内容；请指定新目录。",
        )
