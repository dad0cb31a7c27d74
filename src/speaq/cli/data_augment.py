"""speaq data augment: more examples out of few, by random edits that keep labels and spans right.

zh: 用随机编辑扩增样本，标签与区间保持正确。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from speaq.cli.data import roles
from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.text.augmentation.edits import AugmentationSettings

if TYPE_CHECKING:
    from speaq.text.augmentation.synonyms import Synonyms

ABOUT = (
    "Write a data file with copies of its examples, each edited at random: words replaced, put in, "
    "swapped or left out. Rows of a dev or test part get none. It helps most with a few hundred "
    "examples; above some thousands it rarely does.",
    "为数据文件中的样本生成随机编辑的副本：替换、插入、交换或删除词语。验证集与测试集的行不生成副本。"
    "样本为数百条时最有用，数千条以上通常无益。",
)

MANY = 5000
"""Examples above which augmentation rarely helps (Wei & Zou 2019 gained 0.8 points with all data,
3.0 with 500)."""


@dataclass(frozen=True)
class Augment:
    """Options of `speaq data augment`."""

    file: Annotated[Path, tyro.conf.Positional]
    """Texts, texts with classes or spans, or tagged tokens, in any format speaq reads."""
    out: Annotated[Path, tyro.conf.Positional]
    """Where the examples and their copies go, in the same format."""
    columns: tuple[str, ...] = ()
    """Columns that are not found by themselves, as ROLE=NAME, such as text=said label=mood."""
    synonyms: Path | None = None
    """Your own list: a group a line, parted by tabs or commas."""
    vectors: Path | None = None
    """Word vectors for synonyms: a run folder of speaq embed, .safetensors or .txt."""
    least: float = 0.6
    """Smallest cosine of a synonym by vectors."""
    seed: int = 0
    """Of the draws."""
    settings: Annotated[AugmentationSettings, tyro.conf.arg(name="")] = field(
        default_factory=AugmentationSettings
    )
    """Which edits, and how many."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Augment, args, "data augment", ABOUT)
    from speaq.text.augmentation.edits import Augmenter
    from speaq.text.augmentation.files import augmented, require_like
    from speaq.text.files.data_files import open_data, save

    require_like(options.out, options.file)
    augmenter = Augmenter(options.settings, _synonyms(options))
    data = open_data(options.file, columns=roles(options.columns) or None)
    records = list(augmented(data, augmenter, options.seed))
    save(data, records, options.out)
    if len(data.entries) > MANY:
        tell(
            f"With {len(data.entries)} examples augmentation rarely helps; compare with and "
            "without it.",
            f"样本已有 {len(data.entries)} 个，扩增通常无益；请对比使用与不使用的结果。",
        )
    print(
        say(
            f"{options.out} holds {len(records)} examples, "
            f"{len(records) - len(data.entries)} of them new.",
            f"{options.out} 中有 {len(records)} 个样本，"
            f"其中 {len(records) - len(data.entries)} 个为新增。",
        )
    )


def _synonyms(options: Augment) -> "Synonyms | None":
    """What may stand for a word: the user's list first, then vectors."""
    from speaq.text.augmentation.synonyms import NearWords, first_of, read_synonyms
    from speaq.text.embeddings.files import open_vectors

    sources: list[Synonyms] = []
    if options.synonyms is not None:
        sources.append(read_synonyms(options.synonyms))
    if options.vectors is not None:
        sources.append(NearWords(open_vectors(options.vectors), least=options.least))
    if sources:
        return first_of(*sources)
    if options.settings.edits == ("replace",):
        raise SettingsError(
            "replacing words needs --synonyms or --vectors.",
            "替换词语需要 --synonyms 或 --vectors。",
        )
    return None
