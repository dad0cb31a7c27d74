"""speaq generate: sample replies to your prompts, with propensities, into an experience store.

zh: 对给定提示采样回复，连同生成概率存入经验库。
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from speaq.cli.inputs import open_model, read_prompts
from speaq.cli.options import parse
from speaq.core.language import say
from speaq.models.decoding import Decoding

ABOUT = (
    "Sample replies with the exact probability of every token: the log a gate can trust most. "
    "An interrupted run continues.",
    "采样回复并记录每个词元的确切概率：这是闸门最可信的日志。中断后可继续。",
)


@dataclass(frozen=True)
class Generate:
    """Options of `speaq generate`."""

    model: Annotated[str, tyro.conf.Positional]
    """pypi:PACKAGE, a model folder, a hub id or new:PRESET."""
    prompts: Annotated[Path, tyro.conf.Positional]
    """A .txt with one prompt a line, or a data file."""
    store: str = "experience.sqlite"
    """Where the replies go: a file, made if missing, or a database URL."""
    prompt: str = "prompt"
    """Name of the column with the prompt in a data file."""
    samples: int = 8
    """Replies to each prompt."""
    seed: int = 0
    """Of the sampling; the same seed gives the same replies."""
    beta: float = 0.0
    """Strength of guidance by the model's value head; 0 samples the model itself."""
    decoding: Annotated[Decoding, tyro.conf.arg(name="")] = field(default_factory=Decoding)
    """How replies are drawn."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = parse(Generate, args, "generate", ABOUT)
    from speaq.environments.collecting import collect
    from speaq.experience.store import ExperienceStore

    prompts = read_prompts(options.prompts, options.prompt)
    model = open_model(options.model).for_batches()
    with ExperienceStore(options.store) as store:
        new = collect(
            model,
            prompts,
            store,
            samples=options.samples,
            decoding=options.decoding,
            seed=options.seed,
            beta=options.beta,
        )
        count = store.count()
    print(
        say(
            f"{new} new replies to {len(prompts)} prompts; {options.store} holds {count} episodes.",
            f"对 {len(prompts)} 个提示新增 {new} 条回复；{options.store} 现有 {count} 个片段。",
        )
    )
