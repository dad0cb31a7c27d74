"""The loop of a language model: its own rated samples, three ways to learn from them, new play."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from five.choosing import row
from speaq.core.seeds import generator
from speaq.environments.logs import generate_log
from speaq.evaluation.estimate import GateSettings
from speaq.evaluation.gate import gate
from speaq.experience.episode import Feedback
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import sample
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

Row = dict[str, Any]
CLONING = LoopSettings(
    steps=40, batch_size=64, lr=1e-3, warmup=5, schedule="cosine", checkpoint_every=1000
)
VALUES = LoopSettings(
    steps=200, batch_size=64, head_lr=5e-3, value_lr=1e-3, warmup=10, schedule="cosine",
    checkpoint_every=1000,
)  # fmt: skip
RIDGE = 0.2
BETAS = (0.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0)
GATE = GateSettings(least_share=0.05)


@dataclass(frozen=True)
class Task:
    """What is written, and how it is rated."""

    application: str
    model: LanguageModel
    """Draws the log."""
    prompts: Sequence[str]
    """Of the log."""
    tests: Sequence[str]
    """Others."""
    score: Callable[[str, str], float]
    """Of a prompt and a reply, in [0, 1]."""
    samples: int
    """Replies to each prompt of the log."""
    plays: int
    """Replies to each test prompt."""
    noise: float
    """Of a rating: its score plus N(0, noise²)."""
    decoding: Decoding
    """Of the log, and of all that is played."""


def compare(task: Task, seed: int, tell: Callable[[Row], None]) -> None:
    """Rows of all methods. speaq is direct advantage estimation on what filtered cloning made,
    guided by the β that the gate allows; 0, the cloned model itself, if it allows none.
    Settings were chosen on seeds 100 and 101."""
    model = task.model

    def play(played: LanguageModel, method: str, beta: float, seconds: float) -> None:
        openings = [opening(played, [Message("user", prompt)]) for prompt in task.tests]
        drawn = sample(played, openings, task.plays, task.decoding, seed=seed + 1000, beta=beta)
        earned = [task.score(task.tests[e.prompt], played.decode(e.token_ids)) for e in drawn]
        starts = range(0, len(earned), task.plays)
        means = [sum(earned[n : n + task.plays]) / task.plays for n in starts]
        tell({**row(seed, task.application, method, means, seconds), "guidance": beta})

    episodes, _ = generate_log(model, task.prompts, task.samples, task.decoding, seed=seed)
    luck = [float(generator(seed, "rating", each.id).normal()) for each in episodes]
    rated = [
        replace(
            each,
            feedback=(Feedback("score", task.score(each.prompt, each.reply) + task.noise * moved),),
        )
        for each, moved in zip(episodes, luck, strict=True)
    ]
    play(model, "logged", 0.0, 0.0)
    for method, algorithm in (("cloning", "bc"), ("filtered cloning", "filtered-bc")):
        with tempfile.TemporaryDirectory() as place:
            begun = time.perf_counter()
            made = learn(
                model, rated, algorithm,
                settings=LearnSettings(trunk="full"), loop=CLONING,
                folder=Path(place) / "run", seed=seed,
            )  # fmt: skip
            seconds = time.perf_counter() - begun
        play(made.model, method, 0.0, seconds)
    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter() - seconds  # the cloning it begins with counts
        made = learn(
            made.model, rated, "dae", options={"ridge": RIDGE},
            loop=VALUES, folder=Path(place) / "run", seed=seed,
        )  # fmt: skip
        report = gate(made.model, rated, BETAS, decoding=task.decoding, settings=GATE, seed=seed)
        seconds = time.perf_counter() - begun
    play(made.model, "speaq", report.best_beta, seconds)
