"""Does Q-learning learn to find the coin from a log of players who mostly blundered about?

    python benchmarks/coin_collector.py --seeds 0 1 2 3 4 --json FILE
    python benchmarks/coin_collector.py --seeds 0 --houses 200 --episodes 2000 --pretrain 800 \
        --steps 1500

TextWorld's coin collector (`pip install "speaq[textworld]"`), medium mode: a chain of `length`
rooms with a dead end beside each, and 4 · `length` commands to find and take the coin. The log
holds `houses` houses, in which a solver said 15 % of the commands and chance the others. One model
is trained from scratch to foresee the log's transcripts (see `transcripts.py`); each method begins
with it. What comes of it plays `samples` games in each of those houses (split `train`) and in each
of 20 that no method ever saw (`test`). Houses are the same for all seeds; log, weights and draws
are not.

    log                  what was learnt from
    bc, filtered-bc      cloning of all episodes, or of the best fifth (all that found the coin)
    ... greedy           the same, always the likeliest word
    dqn                  double Q-learning on the same log, guided decoding at temperature 1
    dqn greedy           the same, always the likeliest word
    dqn after cloning    double Q-learning that begins with what filtered cloning made

More houses are what unseen ones need: from 40 of them greedy filtered cloning solves 0.80 of
those, from 200 0.90, with 2,000 games and 800 steps on transcripts (one seed); `dqn` 0.66 and, with
three steps ahead and 1,500 steps, 0.80. ILQL (0.68) and Monte Carlo values (0.58) did worse.

`solved` is the share of games in which the coin was taken, `commands` how many were said.
Every game can be solved, so the optimum is 1.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import parser, write
from transcripts import transcripts

from speaq.core.devices import threads
from speaq.environments.rollout import roll_out
from speaq.environments.textworld import CoinCollector
from speaq.experience.episode import Episode
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.learn import LearnSettings, learn
from speaq.training.loop import LoopSettings

OPTIONS: dict[str, dict[str, Any]] = {
    "bc": {},
    "filtered-bc": {"top": 0.2},
    "dqn": {
        "cql": 0.1,
        "cql_states": 0,
        "target_every": 1,
        "target_rate": 0.1,
        "steps": 3,
        "huber": 0.0,
    },
}
AFTER = "dqn after cloning"
REWARD = 3.0
"""Times the coin's; at 10 errors of Q spoil the trunk they share with the policy."""
LOOP = LoopSettings(
    batch_size=16, lr=1e-3, head_lr=3e-3, value_lr=3e-3, beta2=0.99, warmup=20, schedule="cosine"
)
GREEDY = Decoding(temperature=0, max_new_tokens=3)
SAMPLED = Decoding(max_new_tokens=3)
"""Two words and the end."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[0, 1, 2, 3, 4])
    arguments.add_argument("--length", type=int, default=3)
    arguments.add_argument("--houses", type=int, default=40)
    arguments.add_argument("--methods", nargs="+", default=[*OPTIONS, AFTER])
    arguments.add_argument("--episodes", type=int, default=1000)
    arguments.add_argument("--pretrain", type=int, default=250, help="steps on transcripts")
    arguments.add_argument("--steps", type=int, default=250, help="of each method")
    arguments.add_argument("--betas", type=float, nargs="+", default=[8.0, 32.0, 128.0])
    arguments.add_argument("--support", type=float, default=0.05, help="of guided words")
    arguments.add_argument("--samples", type=int, default=2)
    arguments.add_argument("--cache", type=Path, help="keeps the games between runs")
    chosen = arguments.parse_args()
    if find_spec("textworld") is None:
        print("skipped: TextWorld is not installed; pip install 'speaq[textworld]'")
        return
    torch.set_num_threads(threads())
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for seed in chosen.seeds:
            rows += measure(seed, chosen.cache or Path(place), chosen)
    write(chosen, rows)


def measure(seed: int, place: Path, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one seed."""
    known = CoinCollector(
        place,
        length=chosen.length,
        limit=4 * chosen.length,
        games=chosen.houses,
        solver=0.15,
        seed=seed,
    )
    unseen = replace(known, split="test", games=20)
    log = known.log(chosen.episodes)
    rows = [row(seed, "log", 0.0, "train", log)]
    model = known.model(seed)
    start = cloned = trained(model, transcripts(model, log), "bc", chosen.pretrain, seed, lr=3e-3)
    for method in chosen.methods:
        begin = cloned if method == AFTER else start
        model = trained(begin, log, method.partition(" ")[0], chosen.steps, seed)
        if method == "filtered-bc":
            cloned = model
        betas = chosen.betas if model.head is not None else [0.0]
        decodings = (("", SAMPLED), (" greedy", GREEDY))
        tries = [
            (method + how, beta, replace(decoding, support=chosen.support if beta else 0.0))
            for beta in betas
            for how, decoding in decodings
        ]
        for name, beta, decoding in tries:
            for house in (known, unseen):
                numbers = range(house.games * chosen.samples)
                games = [replace(house, game=number % house.games) for number in numbers]
                episodes = roll_out(model, games, decoding, seed=seed, beta=beta)
                rows.append(row(seed, name, beta, house.split, episodes))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def row(
    seed: int, method: str, beta: float, split: str, episodes: Sequence[Episode]
) -> dict[str, Any]:
    return {
        "seed": seed,
        "method": method,
        "beta": beta,
        "split": split,
        "solved": mean(float(not episode.truncated) for episode in episodes),
        "commands": mean(len(episode.actions) for episode in episodes),
    }


def trained(
    start: LanguageModel,
    log: Sequence[Episode],
    method: str,
    steps: int,
    seed: int,
    lr: float = 1e-3,
) -> LanguageModel:
    """`start` after `steps` steps on a log."""
    with tempfile.TemporaryDirectory() as place:
        return learn(
            start,
            log,
            method,
            settings=LearnSettings(trunk="full"),
            options=OPTIONS[method],
            loop=replace(LOOP, lr=lr, steps=steps, checkpoint_every=steps),
            reward=scaled,
            head=HeadSettings(kind="linear"),
            folder=Path(place) / "run",
            seed=seed,
        ).model


def scaled(episode: Episode) -> list[float]:
    """What learning is told that each action earned."""
    return [REWARD * (turn.reward or 0.0) for turn in episode.actions]


if __name__ == "__main__":
    main()
