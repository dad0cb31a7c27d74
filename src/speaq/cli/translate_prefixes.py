"""speaq translate prefixes: beginnings of sentences beside whole ones, for models that go live.

zh: 在整句之外加入句首片段，供实时翻译模型训练。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.errors import DataError
from speaq.core.language import say

ABOUT = (
    "Write parallel texts and a beginning of each pair, so that a model trained on them can "
    "translate beginnings: what `live` needs.",
    "写出平行文本及每对的句首片段；用其训练的模型能翻译未完的句子，适合 live。",
)


@dataclass(frozen=True)
class Prefixes:
    """Options of `speaq translate prefixes`."""

    data: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """A TSV, CSV or TMX; or a source and its translation."""
    source: str
    """The source's language."""
    target: str
    """The target's."""
    out: Path = Path("prefixes.tsv")
    """The file to write: source and target columns."""
    seed: int = 0
    """Of the places that sentences are cut at."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Prefixes, args, "translate prefixes", ABOUT)
    from speaq.apps.translate.live.simultaneous import prefix_pairs
    from speaq.core.files import write_text
    from speaq.text.files.data_files import read_examples
    from speaq.text.files.examples import Parallel

    examples = read_examples(*options.data, kind="parallel")
    pairs = [(each.source, each.target) for each in examples if isinstance(each, Parallel)]
    made = prefix_pairs(pairs, options.source, options.target, seed=options.seed)
    if not made:
        raise DataError(
            "no sentence has two words or more, so none has a beginning.",
            "没有含两个以上词语的句子，无法截取句首。",
            file=options.data[0],
        )
    lines = [f"{_cell(one)}\t{_cell(two)}\n" for one, two in [*pairs, *made]]
    write_text(options.out, "source\ttarget\n" + "".join(lines))
    print(
        say(
            f"{len(pairs)} pairs and {len(made)} beginnings are in {options.out}.",
            f"{options.out} 中有 {len(pairs)} 对句子和 {len(made)} 个句首片段。",
        )
    )


def _cell(text: str) -> str:
    return " ".join(text.split())
