"""speaq translate convert: a translator for CTranslate2, the fast engine, in int8.

zh: 把翻译模型转换为 CTranslate2 快速引擎的 int8 格式。
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from speaq.apps.translate.model.fast import Precision
from speaq.cli.options import parse
from speaq.core.language import say

ABOUT = (
    "Convert a translator for CTranslate2 (needs the extra fast); every verb takes the new folder "
    "in place of the old one.",
    "把翻译模型转换为 CTranslate2 格式（需要 fast 扩展）；各命令均可用新目录代替旧目录。",
)


@dataclass(frozen=True)
class Convert:
    """Options of `speaq translate convert`."""

    model: Annotated[Path, tyro.conf.Positional]
    """A trained folder, or a model folder of Marian, M2M, NLLB, BART or T5."""
    folder: Annotated[Path, tyro.conf.Positional]
    """Where the converted model goes."""
    precision: Precision = "int8"
    """int8, int8_float32 or float32."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Convert, args, "translate convert", ABOUT)
    from speaq.apps.translate.model.converting import convert

    convert(options.model, options.folder, options.precision)
    size = (options.folder / "model.bin").stat().st_size / 1e6
    print(
        say(
            f"The converted model is in {options.folder}: {size:.1f} MB.",
            f"转换后的模型在 {options.folder}：{size:.1f} MB。",
        )
    )
