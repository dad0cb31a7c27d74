"""speaq data noise: misspelt texts out of clean ones, as pairs to learn repairing from.

zh: 由干净文本生成带错误的文本，成对用于训练修复模型。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.options import parse
from speaq.core.language import say
from speaq.text.augmentation.noise import NoiseSettings

ABOUT = (
    "Write pairs of a text with mistakes and the same text without, as JSON Lines with source, "
    "target and mistakes.",
    "写出带错误的文本与原文的配对，JSON Lines 格式，字段为 source、target 与 mistakes。",
)


@dataclass(frozen=True)
class Noise:
    """Options of `speaq data noise`."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Clean texts: plain text, a line a text; or .jsonl, .json, .csv, .tsv, .parquet."""
    out: Path = Path("noise.jsonl")
    """Where the pairs go."""
    column: str = ""
    """Of the files with columns; unset: text, content, 文本 and the like."""
    sentences: bool = False
    """A pair for each sentence rather than for each text."""
    seed: int = 0
    """Of the draws."""
    settings: Annotated[NoiseSettings, tyro.conf.arg(name="")] = field(
        default_factory=NoiseSettings
    )
    """Which mistakes, and how many."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Noise, args, "data noise", ABOUT)
    from speaq.text.augmentation.files import write_pairs
    from speaq.text.corpus import Corpus

    corpus = Corpus(options.files, options.column)
    count = write_pairs(
        corpus, options.out, options.settings, options.seed, sentences=options.sentences
    )
    print(say(f"{options.out} holds {count} pairs.", f"{options.out} 中有 {count} 对文本。"))
