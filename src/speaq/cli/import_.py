"""speaq import: bring a file of prompts, responses and scores into an experience store.

zh: 将提示、回复与评分文件导入经验库。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.language import say

ABOUT = (
    "Bring a log into an experience store. The same file twice adds nothing twice.",
    "将日志导入经验库；重复导入同一文件不会重复添加。",
)


@dataclass(frozen=True)
class Import:
    """Options of `speaq import`."""

    file: Annotated[Path, tyro.conf.Positional]
    """.jsonl, .json, .csv, .tsv (each also .gz) or .parquet."""
    store: str = "experience.sqlite"
    """The experience store: a file, made if missing, or a database URL."""
    layout: Literal["auto", "episodes", "table", "chat", "pairs"] = "auto"
    """What a row holds; auto looks at the names of the columns."""
    prompt: str = ""
    """Name of the column with the prompt, if it is not a usual one."""
    response: str = ""
    """Name of the column with the response."""
    score: str = ""
    """Name of the column with the score; none: nobody has rated these yet."""
    skip_bad: bool = False
    """Leave out rows that cannot be used, and name them, rather than stop at the first."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Import, args, "import", ABOUT)
    from speaq.core.errors import DataError
    from speaq.experience.importers import read_episodes
    from speaq.experience.store import ExperienceStore

    skipped: list[DataError] = []
    episodes = read_episodes(
        options.file,
        layout=options.layout,
        prompt=options.prompt,
        response=options.response,
        score=options.score,
        skipped=skipped if options.skip_bad else None,
    )
    for error in skipped:
        tell(error.en, error.zh)
    with ExperienceStore(options.store) as store:
        new = store.append(*episodes)
        count = store.count()
    print(
        say(
            f"{len(episodes)} episodes read, {new} of them new; {options.store} holds {count}.",
            f"读取 {len(episodes)} 个片段，新增 {new} 个；{options.store} 现有 {count} 个。",
        )
    )
