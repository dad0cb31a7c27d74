"""speaq translate memory: fill a translation memory from files and corrections, and write it out.

zh: 用文件与用户更正充实翻译记忆，或将其导出。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.language import say

ABOUT = (
    "A translation memory in one file. Put it beside a model as memory.sqlite, and what it holds "
    "is translated verbatim.",
    "单文件翻译记忆。以 memory.sqlite 之名放在模型旁，其中的句子将原样译出。",
)


@dataclass(frozen=True)
class Memory:
    """Options of `speaq translate memory`."""

    memory: Annotated[Path, tyro.conf.Positional]
    """The memory's file, made if missing."""
    add: tuple[Path, ...] = ()
    """TMX, TSV or CSV files to add."""
    corrections: str = ""
    """An experience store: add what people said translations should have been."""
    export: Path | None = None
    """Write one pair as TMX."""
    source: str = ""
    """The source's language, where a file does not say it, and of the pair to write."""
    target: str = ""
    """The target's, likewise."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Memory, args, "translate memory", ABOUT)
    from speaq.apps.translate.texts.languages import plain
    from speaq.apps.translate.wording.memory import TranslationMemory
    from speaq.experience.store import ExperienceStore

    said = (plain(options.source), plain(options.target))
    if bool(said[0]) != bool(said[1]) or (options.export and not all(said)):
        raise SettingsError(
            "--export, and files that do not say their languages, need --source and --target.",
            "--export 以及未注明语言的文件需要同时给出 --source 和 --target。",
        )
    if not (options.memory.exists() or options.add or options.corrections):
        raise SettingsError(
            f"there is no translation memory {options.memory}; fill one with --add FILE or "
            "--corrections STORE.",
            f"没有翻译记忆 {options.memory}；请用 --add 文件 或 --corrections 存储 填充。",
        )
    with TranslationMemory(options.memory) as memory:
        for path in options.add:
            new = memory.import_file(path, said if all(said) else None)
            print(say(f"{path}: {new} new.", f"{path}：新增 {new} 条。"))
        if options.corrections:
            with ExperienceStore(options.corrections) as store:
                new = memory.learn(store.iterate("learn"))
            print(
                say(f"{options.corrections}: {new} new.", f"{options.corrections}：新增 {new} 条。")
            )
        if options.export is not None:
            count = memory.export(said, options.export)
            print(
                say(
                    f"{count} units are in {options.export}.", f"{options.export} 中有 {count} 条。"
                )
            )
        for (one, two), count in memory.pairs().items():
            print(say(f"{one} → {two}: {count} units", f"{one} → {two}：{count} 条"))
