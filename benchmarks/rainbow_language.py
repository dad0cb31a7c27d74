"""Which components of deep Q-learning earn their keep over text?

    python benchmarks/rainbow_language.py --seeds 1000 1002 1008 --json FILE

Six switches, after Rainbow (Hessel et al. 2018) with the conservative term in the place of noisy
layers, for what is learnt from is a log and there is nothing to explore:

    double         the online head chooses the token the target values
    dueling        Q = V + A
    n-step         look ahead three tokens, not one
    distribution   categorical, 51 atoms over the returns there can be
    prioritised    replay by error
    cql            a conservative term

`full` has them all, `full - X` all but X, `plain` none, `plain + X` only X. One model, log, loop
and decoding for all methods of an environment:

    randomwalks    the task and model of randomwalks.py, 100 steps; mean optimality, 1 is best
    star           G(2, 3) on the model of star_graph.py, greedy; share of right replies
    wordle         ten made-up words, four guesses, on a model that first read the transcripts;
                   mean return: minus the guesses that were not the secret

Rows `log` and `optimum` stand beside them. A run whose values leave what returns there can be gets
the least score of its environment, and a line says so. `--json` is written after every seed.

In star a reply is three tokens, so with n-step targets nothing bootstraps there and `double` can
change nothing. Settings come from those three benchmarks, except that errors are squared
throughout, and the weights of `cql`, the βs and the lengths of the star and wordle runs, which are
not tuned.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import randomwalks
import star_graph
import torch
import wordle
from report import parser, write
from transcripts import transcripts

from speaq.core.devices import threads
from speaq.core.errors import DivergenceError
from speaq.environments.randomwalks import RandomWalks
from speaq.environments.star_graph import StarGraph
from speaq.environments.wordle import Wordle
from speaq.experience.episode import Episode
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

COMPONENTS = ("double", "dueling", "n-step", "distribution", "prioritised", "cql")
METHODS = {
    "full": frozenset(COMPONENTS),
    **{f"full - {each}": frozenset(COMPONENTS) - {each} for each in COMPONENTS},
    "plain": frozenset[str](),
    **{f"plain + {each}": frozenset({each}) for each in COMPONENTS},
}
AHEAD = 3
WORDS = ["mirat", "mirol", "tamir", "tolar", "lomat", "ratol", "molit", "lirat", "aroti", "tarim"]
"""Of few letters, so that one guess says something of all the others."""
GUESSES = 4
READ = 1500
"""Steps on the transcripts of Wordle."""


@dataclass(frozen=True)
class Case:
    """One environment under one seed: what all methods share."""

    start: LanguageModel
    log: Sequence[Episode]
    loop: LoopSettings
    options: dict[str, Any]
    """Of DQN, whatever the components; `cql` is its weight where that component is on."""
    score: Callable[[LanguageModel], float]
    known: float
    """What the log earned."""
    least: float
    optimum: float
    head: Literal["linear", "tied"] = "linear"
    reward: Callable[[Episode], Any] | None = None


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[1000, 1002, 1008])
    arguments.add_argument("--environments", nargs="+", choices=CASES, default=list(CASES))
    arguments.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    arguments.add_argument("--steps", type=int, default=0, help="of each run; 0: as in CASES")
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows: list[dict[str, Any]] = []
    for environment in chosen.environments:
        for seed in chosen.seeds:
            rows += measure(environment, seed, chosen)
            write(chosen, rows)


def measure(environment: str, seed: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one environment and one seed."""
    make, steps = CASES[environment]
    case = make(seed, chosen.steps or steps)
    scores = {"log": case.known, "optimum": case.optimum}
    rows = []
    for method in (*scores, *chosen.methods):
        score = scores[method] if method in scores else scored(case, METHODS[method], seed)
        rows.append({"seed": seed, "environment": environment, "method": method, "score": score})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def scored(case: Case, components: frozenset[str], seed: int) -> float:
    """What DQN with these components earns."""
    options = {
        **case.options,
        "double": "double" in components,
        "dueling": "dueling" in components,
        "steps": AHEAD if "n-step" in components else 1,
        "distribution": "categorical" if "distribution" in components else "",
        "cql": case.options["cql"] if "cql" in components else 0.0,
        "cql_states": 0,
    }
    with tempfile.TemporaryDirectory() as place:
        try:
            run = learn(
                case.start,
                case.log,
                "dqn",
                settings=LearnSettings(trunk="full"),
                options=options,
                loop=case.loop,
                head=HeadSettings(kind=case.head),
                replay=ReplaySettings("prioritised" if "prioritised" in components else "uniform"),
                reward=case.reward,
                folder=Path(place) / "run",
                seed=seed,
            )
        except DivergenceError as error:
            print(error, file=sys.stderr)
            return case.least
    return case.score(run.model)


def walks(seed: int, steps: int) -> Case:
    """Settings and scoring of randomwalks.py."""
    environment = RandomWalks(seed)
    log = environment.log()
    decoding = Decoding(top_k=randomwalks.TOP_K, max_new_tokens=environment.longest - 1)
    return Case(
        start=environment.model(seed),
        log=log,
        loop=LoopSettings(steps=steps, batch_size=100, schedule="cosine", checkpoint_every=steps),
        options={"low": 0.0, "high": randomwalks.REWARD, "cql": 0.5, "huber": 0.0},
        score=lambda model: mean(randomwalks.walked(environment, model, 100.0, 20, decoding)),
        known=mean(each.reward or 0.0 for each in log),
        least=0.0,
        optimum=1.0,
        reward=lambda episode: randomwalks.REWARD * (episode.reward or 0.0),
    )


def star(seed: int, steps: int) -> Case:
    """Model, loop and rewards of star_graph.py, without its ladder."""
    graph = StarGraph(2, 3, seed, letters=0)
    prompts = [graph.prompt(number, "test") for number in range(500)]
    log = graph.log(3000)
    return Case(
        start=star_graph.model(graph, seed),
        log=log,
        loop=replace(star_graph.LOOP, steps=steps, checkpoint_every=steps),
        options={
            "low": 0.0,
            "high": star_graph.REWARD,
            "cql": 0.1,
            "huber": 0.0,
            "cloning": star_graph.CLONING,
        },
        score=lambda model: graph.score(
            prompts, star_graph.replies(model, prompts, 10.0, graph.length)
        ),
        known=mean(each.reward or 0.0 for each in log),
        least=0.0,
        optimum=1.0,
        head="tied",
        reward=star_graph.paid,
    )


def words(seed: int, steps: int) -> Case:
    """Loop and scoring of wordle.py over ten words."""
    game = Wordle(WORDS, guesses=GUESSES, seed=seed)
    log = game.log(2000)
    begin = game.model(seed, layers=2, width=64)
    loop = replace(wordle.LOOP, steps=steps, batch_size=32, checkpoint_every=steps)
    with tempfile.TemporaryDirectory() as place:
        start = learn(
            begin,
            transcripts(begin, log),
            "bc",
            settings=LearnSettings(trunk="full"),
            loop=replace(loop, steps=READ, checkpoint_every=READ),
            folder=Path(place) / "run",
            seed=seed,
        ).model

    def earned(games: Sequence[Episode]) -> float:
        return mean(sum(turn.reward or 0.0 for turn in each.actions) for each in games)

    return Case(
        start=start,
        log=log,
        loop=loop,
        options={"low": -float(GUESSES), "high": 0.0, "cql": 0.1, "huber": 0.0},
        score=lambda model: earned(wordle.played(game, model, 64.0, 10, 0.05)),
        known=earned(log),
        least=-float(GUESSES),
        optimum=game.optimum(),
    )


CASES = {"randomwalks": (walks, 100), "star": (star, 300), "wordle": (words, 400)}
"""How each environment is made, and how many steps its runs have."""


if __name__ == "__main__":
    main()
