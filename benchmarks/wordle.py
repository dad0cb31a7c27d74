"""Does Q-learning find telling guesses in a log of mostly random Wordle games?

    python benchmarks/wordle.py --seeds 0 1 2 3 4 --words 10 --json FILE
    python benchmarks/wordle.py --data ../shared/data/wordle/wordle_official_400.txt --words 0 \\
        --width 256 --layers 4 --episodes 200000 --pretrain 20000 --steps 20000 --batch 256

The second line is LMRL-Gym's task (ILQL -2.04, its near-optimal player -1.94; the exact optimum is
-1.900). It wants an accelerator and has not been run; the first is what a processor can do.

One model is trained from scratch to foresee the log's transcripts (see `transcripts.py`); each
method begins with it, and learns from the same log for as many steps. Rewards are mean returns of
`samples` games against each secret; the optimum is exact (for more than 1000 words: the player
who guesses what tells most).

`--support` bounds what guidance may choose (see `Decoding.support`). Without it a large β finds
letters that the log never tried: every return is negative, and what was never tried looks better
than it should. A quarter of the steps on transcripts is not enough for any method: cloning then
earns -3.3 where the log earns -2.3, and value methods no more.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import parser, write
from transcripts import transcripts

from speaq.core.devices import threads
from speaq.environments.rollout import roll_out
from speaq.environments.wordle import Wordle
from speaq.experience.episode import Episode
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.learn import LearnSettings, learn
from speaq.training.loop import LoopSettings

DATA = Path("../shared/data/wordle/wordle_official_200.txt")
EXACT = 1000
"""Longest list whose exact optimum is computed; beyond it stands the greedy-entropy player."""
OPTIONS: dict[str, dict[str, Any]] = {
    "bc": {},
    "filtered-bc": {"top": 0.2},
    "mc": {},
    "ilql": {
        "expectile": 0.9,
        "cql": 0.01,
        "cql_states": 0,
        "target_every": 1,
        "target_rate": 0.1,
    },
    "dqn": {"cql": 0.1, "cql_states": 0, "target_every": 1, "target_rate": 0.1},
}
LOOP = LoopSettings(lr=2e-3, head_lr=3e-3, value_lr=3e-3, beta2=0.99, warmup=20, schedule="cosine")
LETTERS = 6
"""Longest guess: five letters and the end."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[0, 1, 2, 3, 4])
    arguments.add_argument("--data", type=Path, default=DATA, help="words, one a line")
    arguments.add_argument("--words", type=int, default=10, help="from the top; 0: the whole list")
    arguments.add_argument("--episodes", type=int, default=4000, help="in the log")
    arguments.add_argument("--pretrain", type=int, default=2000, help="steps on whole transcripts")
    arguments.add_argument("--steps", type=int, default=600, help="of each method")
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--width", type=int, default=64)
    arguments.add_argument("--layers", type=int, default=2)
    arguments.add_argument("--samples", type=int, default=10, help="games for each secret")
    arguments.add_argument("--betas", type=float, nargs="+", default=[4.0, 16.0, 64.0])
    arguments.add_argument("--support", type=float, default=0.05, help="of guided guesses")
    chosen = arguments.parse_args()
    if not chosen.data.exists():
        print(f"skipped: {chosen.data} is not here; give a list of words by --data")
        return
    torch.set_num_threads(threads())
    rows = []
    for seed in chosen.seeds:
        rows += measure(seed, chosen)
    write(chosen, rows)


def measure(seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one seed."""
    wordle = Wordle(chosen.data, first=chosen.words, seed=seed)
    log = wordle.log(chosen.episodes)
    known = wordle.entropy_return() if len(wordle.words) > EXACT else wordle.optimum()
    rows = [row(seed, "log", 0.0, log)]
    model = wordle.model(seed, layers=chosen.layers, width=chosen.width)
    start = trained(model, transcripts(model, log), "bc", chosen.pretrain, chosen, seed)
    for method in OPTIONS:
        model = trained(start, log, method, chosen.steps, chosen, seed)
        for beta in chosen.betas if model.head else [0.0]:
            rows.append(
                row(seed, method, beta, played(wordle, model, beta, chosen.samples, chosen.support))
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    name = "entropy player" if len(wordle.words) > EXACT else "optimum"
    return [*rows, {"seed": seed, "method": name, "beta": 0.0, "reward": known}]


def row(seed: int, method: str, beta: float, games: Sequence[Episode]) -> dict[str, Any]:
    earned = mean(sum(turn.reward or 0.0 for turn in game.actions) for game in games)
    return {"seed": seed, "method": method, "beta": beta, "reward": earned}


def trained(
    start: LanguageModel,
    log: Sequence[Episode],
    method: str,
    steps: int,
    chosen: argparse.Namespace,
    seed: int,
) -> LanguageModel:
    """`start` after `steps` steps on a log."""
    with tempfile.TemporaryDirectory() as place:
        return learn(
            start,
            log,
            method,
            settings=LearnSettings(trunk="full"),
            options=OPTIONS[method],
            loop=replace(LOOP, steps=steps, batch_size=chosen.batch, checkpoint_every=steps),
            head=HeadSettings(kind="linear"),
            folder=Path(place) / "run",
            seed=seed,
        ).model


def played(
    wordle: Wordle, model: LanguageModel, beta: float, samples: int, support: float
) -> list[Episode]:
    """`samples` games against each secret."""
    games = [wordle.beside(secret) for secret in wordle.words for _ in range(samples)]
    decoding = Decoding(max_new_tokens=LETTERS, support=support)
    return roll_out(model, games, decoding, seed=wordle.seed, beta=beta)


if __name__ == "__main__":
    main()
