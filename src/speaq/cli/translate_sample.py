"""speaq translate sample: a translator's own translations, rated by chrF, to learn from.

zh: 记录翻译模型自己的译文并以 chrF 评分，供学习使用。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import tell
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.models.decoding import Decoding

ABOUT = (
    "Draw translations of parallel text's sources with their propensities, rate each by its chrF "
    "against the reference (0 to 1), and keep them in an experience store; speaq learn, evaluate "
    "and fold then make a better translator of them.",
    "对平行文本的原文采样译文并记录概率，以相对参考译文的 chrF（0 至 1）评分，存入经验库；"
    "之后可用 speaq learn、evaluate 与 fold 得到更好的翻译模型。",
)


@dataclass(frozen=True)
class Sample:
    """Options of `speaq translate sample`."""

    model: Annotated[str, tyro.conf.Positional]
    """A trained folder."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Parallel text."""
    store: str = "experience.sqlite"
    """The experience store: a file, or a database address."""
    source: str = ""
    """Code of the source language, where files and their names do not say it."""
    target: str = ""
    """Code of the target language, likewise."""
    samples: int = 1
    """Translations of each sentence."""
    limit: int = 0
    """At most so many sentences, the first ones; 0: all."""
    seed: int = 0
    """Of the draws."""
    decoding: Decoding = field(default_factory=Decoding)
    """How translations are drawn; a temperature of 0 would leave nothing to compare."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(Sample, args, "translate sample", ABOUT)
    from speaq.apps.translate.training.parallel import read_pairs
    from speaq.apps.translate.training.samples import rated_samples, sampled_tags
    from speaq.cli.inputs import open_model
    from speaq.experience.store import ExperienceStore

    pairs = read_pairs(options.files, source=options.source, target=options.target)
    pairs = pairs[: options.limit or None]
    folder = Path(options.model) / "model"
    model = open_model(str(folder) if folder.is_dir() else options.model)
    tags = sampled_tags(model, pairs)
    drawn = rated_samples(
        model, pairs, options.samples, options.decoding, seed=options.seed, tags=tags
    )
    said = [episode for episode in drawn if episode.reply.strip()]
    if len(said) < len(drawn):
        empty = len(drawn) - len(said)
        tell(f"{empty} empty translations are not kept.", f"{empty} 条空译文未保留。")
    with ExperienceStore(options.store) as store:
        new = store.append(*said)
    mean = sum(float(each.feedback[0].value) for each in said) / max(1, len(said))
    print(
        say(
            f"{new} new translations in {options.store}, chrF {100 * mean:.1f} on average.",
            f"{options.store} 新增 {new} 条译文，平均 chrF {100 * mean:.1f}。",
        )
    )
