"""Who finds the way out of a maze told in words, having only seen others get lost in it?

    python benchmarks/maze.py --seeds 0 1 2 3 4 --observed full partly --json FILE

The maze of LMRL-Gym, see `speaq.environments.maze`: fully observed the optimum is -6.84, partly
observed -7.24, and LMRL-Gym's ILQL, on a pretrained GPT-2, reaches -6.97 and -52.9. Here a Llama
of 2 layers of 64 learns from scratch, trunk and head together, from a log of 1240 episodes.

Learners and players read the last few turns only, as LMRL-Gym's do. So the log is cut into
windows: a window that is not the end of its episode is cut off and bootstraps. For `mc` the last
move of a window is credited with all that came after it, and nothing bootstraps. `filtered-bc`
clones windows of the best fifth of the episodes.

Values need many more steps than cloning does: after 1000 `dqn` still loses its way from three
starts of 25 (seed 0); after 3000 one seed of five does, after 6000 none. Partly observed, windows
that do not overlap lead nowhere near (seed 0: `dqn` -69 after 2000 steps, greedy cloning -70, `mc`
worse); windows that begin every 5 turns lead to -50.3 after 4000 steps, every 2 turns to -38.3
after 7000, but two other seeds lose their way entirely (-97.5, -91.7).
`--support` bounds what guidance may choose, see `Decoding.support`.

Each row is the mean return of `samples` episodes from each of the 25 starts:

    log                  the episodes learnt from
    bc, filtered-bc      sampled; `greedy`: always the likeliest move
    mc, ilql, dqn        guided at `beta`
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from report import parser, write

from speaq.core.devices import threads
from speaq.core.seeds import derive
from speaq.environments.maze import STARTS, Maze
from speaq.experience.episode import Episode
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import sample
from speaq.qlearning.learn import LearnSettings, learn
from speaq.training.loop import LoopSettings

MEMORY = {"full": 3, "partly": 10}
"""Turns that are remembered. More than one even where nothing need be: the state a window
bootstraps from stands behind other turns, so values must be learnt behind other turns."""
STRIDE = {"full": 3, "partly": 2}
"""Turns from the beginning of a window to that of the next. Where windows overlap, most moves are
also learnt behind what a player remembers, rather than at the beginning of a window."""
STEPS = {"full": 6000, "partly": 7000}
BATCH = 64
VALUES = {"discount": 0.95, "cql": 0.1, "cql_states": 0, "target_every": 1, "target_rate": 0.3}
OPTIONS: dict[str, dict[str, Any]] = {
    "bc": {},
    "filtered-bc": {},
    "mc": {"discount": 0.99},
    "ilql": {**VALUES, "expectile": 0.9},
    "dqn": {**VALUES, "steps": 2},  # a move and its end: no step of the log's own choosing
}
FILTERED = 0.2


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--observed", nargs="+", default=["full", "partly"])
    arguments.add_argument("--methods", nargs="+", default=list(OPTIONS))
    arguments.add_argument("--betas", type=float, nargs="+", default=[16.0, 64.0])
    arguments.add_argument("--support", type=float, default=0.05, help="of guided moves")
    arguments.add_argument("--steps", type=int, default=0, help="0: what suits the maze")
    arguments.add_argument("--samples", type=int, default=2)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = []
    for seed in chosen.seeds:
        for observed in chosen.observed:
            for row in measure(seed, observed, chosen):
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    write(chosen, rows)


def measure(seed: int, observed: Any, chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """All rows of one seed and one kind of maze."""
    log = Maze(observed, seed=seed).log()
    plain = {"seed": seed, "observed": observed}
    yield {**plain, "method": "log", "beta": 0.0, "reward": fmean(map(earned, log))}
    for method in chosen.methods:
        model = trained(method, log, observed, seed, chosen.steps or STEPS[observed])
        for name, beta, decoding in players(method, chosen.betas, chosen.support):
            mazes = [Maze(observed, start=start) for start in STARTS for _ in range(chosen.samples)]
            returns = played(model, mazes, MEMORY[observed], beta, decoding, seed)
            yield {**plain, "method": name, "beta": beta, "reward": fmean(returns)}


def players(
    method: str, betas: Sequence[float], support: float
) -> list[tuple[str, float, Decoding]]:
    """Names, β and decoding of the ways a learnt model plays."""
    if method in ("bc", "filtered-bc"):
        greedy = Decoding(temperature=0, max_new_tokens=2)
        return [
            (method, 0.0, Decoding(max_new_tokens=2)),
            (f"{method} greedy", 0.0, greedy),
        ]
    return [(method, beta, Decoding(max_new_tokens=2, support=support)) for beta in betas]


def trained(
    method: str, log: Sequence[Episode], observed: str, seed: int, steps: int
) -> LanguageModel:
    """The maze's model after `steps` steps on windows of the log."""
    if method == "filtered-bc":
        least = np.quantile([earned(each) for each in log], 1 - FILTERED)
        log = [each for each in log if earned(each) >= least]
    rest = OPTIONS["mc"]["discount"] ** 2 if method == "mc" else None
    turns, stride = MEMORY[observed], STRIDE[observed]
    pieces = [piece for each in log for piece in windows(each, turns, stride, rest)]
    with tempfile.TemporaryDirectory() as place:
        run = learn(
            Maze(observed).model(seed),
            pieces,
            "bc" if method == "filtered-bc" else method,
            settings=LearnSettings(trunk="full"),
            options=OPTIONS[method],
            loop=LoopSettings(
                steps=steps,
                batch_size=BATCH,
                lr=2e-3,
                head_lr=4e-3,
                value_lr=5e-3,
                schedule="cosine",
                warmup=20,
                checkpoint_every=steps,
            ),
            head=HeadSettings(kind="linear"),
            folder=Path(place) / "run",
            seed=seed,
        )
    return run.model


def earned(episode: Episode) -> float:
    """The return of an episode."""
    return sum(turn.reward or 0.0 for turn in episode.actions)


def windows(episode: Episode, turns: int, stride: int, rest: float | None) -> Iterator[Episode]:
    """An episode in pieces of so many turns.

    Args:
        episode: observations and actions in turn.
        turns: most actions of a piece.
        stride: actions from the beginning of a piece to that of the next.
        rest: None: a piece that is not the last is cut off. Else the last action of each piece is
            credited with the return of what follows, discounted by `rest` a turn, and has ended.
    """
    count = len(episode.actions)
    for start in range(0, max(1, count - turns + stride), stride):
        # What is heard after a piece stays: it is the state that bootstraps.
        piece = list(episode.turns[2 * start : 2 * (start + turns) + (rest is None)])
        last = start + turns >= count
        if rest is not None:
            after = [turn.reward or 0.0 for turn in episode.actions[start + turns - 1 :]]
            credit = sum(reward * rest**n for n, reward in enumerate(after))
            piece[-1] = replace(piece[-1], reward=piece[-1].reward if last else credit)
        cut = rest is None and (episode.truncated or not last)
        yield replace(episode, turns=tuple(piece), id=f"{episode.id}-{start}", truncated=cut)


def played(
    model: LanguageModel,
    mazes: Sequence[Maze],
    memory: int,
    beta: float,
    decoding: Decoding,
    seed: int,
) -> list[float]:
    """The return of an episode in each maze; the model reads the last `memory` turns."""
    heard = [[(maze.reset()[0], ())] for maze in mazes]
    returns, live, turn = [0.0] * len(mazes), list(range(len(mazes))), 0
    while live:
        contexts = [read(model, heard[place][-memory:]) for place in live]
        own = derive(seed, "turn", turn)
        drawn = sample(model, contexts, 1, decoding, seed=own, beta=beta, title=f"turn {turn}")
        going = []
        for place, reply in zip(live, drawn, strict=True):
            text = model.decode(reply.token_ids)
            answer, reward, ended, cut, _ = mazes[place].step(text)
            returns[place] += reward
            heard[place][-1] = (heard[place][-1][0], reply.token_ids)
            heard[place].append((answer, ()))
            if not ended and not cut:
                going.append(place)
        live, turn = going, turn + 1
    return returns


def read(model: LanguageModel, turns: Sequence[tuple[str, tuple[int, ...]]]) -> list[int]:
    """Tokens of observations and the replies to them."""
    return [
        token
        for text, reply in turns
        for token in (*opening(model, [Message("user", text)]), *reply)
    ]


if __name__ == "__main__":
    main()
