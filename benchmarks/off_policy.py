"""Do the intervals of off-policy evaluation hold the truth, and do its figures agree with obp's?

    python benchmarks/off_policy.py --logs 200 --seeds 0 --json benchmarks/results/off_policy.json

**Coverage.** Problems whose every episode can be enumerated, so that what a policy earns is known
exactly. Each of `--logs` logs is drawn from the log's policy; the candidate is that policy guided
by β times advantages that are right but for noise, as learnt ones are. A row says how often the
90 % interval held the truth (with Wilson's 95 % interval), its mean width and bias, and in how
many logs the gate would have refused for want of evidence: the largest β is there to be refused.

    turns    one prompt, two turns with an answer of the other side in between, 300 episodes
    replies  40 of 400 prompts, 8 replies of up to 4 tokens to each, one noisy rating at the end

    log         the mean reward of the log itself, for β = 0
    ips         inverse propensity of tokens        snips  self-normalised, by turn (the gate's)
    dm          fitted Q evaluation                 dr     doubly robust over tokens, plain
    dr-norm     the same, self-normalised (the gate's `dr`)
    dr-wrong    dr-norm where values and advantages are noise

**Agreement.** IPS, SNIPS, DM, DR and self-normalised DR of a candidate on the Open Bandit Data,
beside the same figures of `obp` (`--peer-python` names a Python that has it). The candidate plays
each item in proportion to the clicks it got in the other half of the log, with a smoothing of 1;
the model of rewards is those click rates.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import parser, write

from speaq.core.seeds import generator
from speaq.environments.token_tree import Table, TokenTree
from speaq.evaluation.estimate import FOLDS, GateSettings, Scores, Steps, robust
from speaq.evaluation.intervals import Bootstrap, Interval, expanded
from speaq.evaluation.off_policy import (
    Terms,
    direct,
    doubly_robust,
    effective_size,
    inverse_propensity,
    self_normalised,
    weights,
)

LEVEL = 0.9
BETAS = (0.0, 0.5, 1.0, 2.0, 8.0)
DATA = Path("../shared/data/feedback_open_bandit")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--logs", type=int, default=200)
    options.add_argument("--data", type=Path, default=DATA, help="Open Bandit Data")
    options.add_argument("--peer-python", type=Path, help="a Python with obp")
    arguments = options.parse_args()
    rows: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        for problem in (turns(seed), replies(seed)):
            rows += coverage(problem, arguments.logs, seed)
    rows += agreement(arguments.data, arguments.peer_python)
    del arguments.peer_python  # where it was says nothing about the figures
    write(arguments, rows)


@dataclass(frozen=True)
class Problem:
    """W possible episodes of up to K tokens, and how logs of them are drawn. 0 on padding."""

    name: str
    draw: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Which episodes (N,), noise on their last reward (N,), their groups (N,)."""
    steps: Steps
    """(…, W, K): what a value head says of each episode, noise and all."""
    turns: np.ndarray  # (W, K) which turn a token belongs to
    truths: tuple[float, ...]


def turns(seed: int) -> Problem:
    tree = TokenTree(vocabulary=4, depth=4, answers=2, answers_after=(2,), seed=seed)
    said = told([tree], seed)
    walks, chances = zip(*tree.every_walk(tree.policy), strict=True)

    def draw(stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        places = stream.choice(len(walks), 300, p=np.array(chances) / sum(chances))
        return places, 0.5 * stream.normal(size=300), np.arange(300)

    return Problem("turns", draw, said.steps, said.turns, said.truths)


def replies(seed: int) -> Problem:
    population, prompts, each = 400, 40, 8
    trees = [
        TokenTree(vocabulary=3, depth=4, final_only=True, seed=1000 * seed + number)
        for number in range(population)
    ]
    said = told(trees, seed)

    def draw(stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        asked = stream.integers(population, size=prompts).repeat(each)
        uniforms = stream.random(len(asked))
        places = np.array(
            [
                said.starts[tree] + np.searchsorted(said.cumulative[tree], u)
                for tree, u in zip(asked, uniforms, strict=True)
            ]
        )
        return places, 0.3 * stream.normal(size=len(asked)), np.arange(prompts).repeat(each)

    return Problem("replies", draw, said.steps, said.turns, said.truths)


@dataclass(frozen=True)
class Told:
    """All episodes of some trees, one tree after the other."""

    steps: Steps
    turns: np.ndarray
    truths: tuple[float, ...]
    starts: np.ndarray
    cumulative: list[np.ndarray]


def told(trees: Sequence[TokenTree], seed: int) -> Told:
    """Every walk of every tree, with what a value head that is right but for noise says of it."""
    rows: list[dict[str, Any]] = []
    truths = np.zeros(len(BETAS))
    starts, cumulative = [], []
    for number, tree in enumerate(trees):
        stream = generator(seed, "off-policy", "head", number)
        q = tree.of_policy(tree.policy)
        v = (tree.policy * q).sum(1)
        a = np.where(tree.decisions[:, None], q - v[:, None], 0.0)
        a += 0.5 * a.std() * stream.normal(size=a.shape)
        a -= (tree.policy * a).sum(1, keepdims=True)
        v += 0.5 * stream.normal()
        policies = [tilted(tree.policy, a, beta) for beta in BETAS]
        truths += [tree.expected_return(policy) / len(trees) for policy in policies]
        walks = list(tree.every_walk(tree.policy))
        starts.append(len(rows))
        cumulative.append(np.cumsum([chance for _, chance in walks]) - 1e-12)
        rows += [path(tree, walk.tokens, walk.rewards, policies, v, a) for walk, _ in walks]
    K = max(len(row["rewards"]) for row in rows)

    def padded(name: str) -> np.ndarray:
        return np.stack(
            [np.pad(r[name], [(0, 0)] * (r[name].ndim - 1) + [(0, K - r[name].shape[-1])])
             for r in rows], axis=-2,
        )  # fmt: skip

    names = ("log_ratios", "rewards", "mask", "values", "advantages", "means")
    steps = Steps(*(padded(name) for name in names))
    return Told(steps, padded("turns"), tuple(truths), np.array(starts), cumulative)


def tilted(policy: Table, advantages: Table, beta: float) -> Table:
    """The policy guided by β times the advantages."""
    raised = policy * np.exp(beta * (advantages - advantages.max(1, keepdims=True)))
    total: Table = raised.sum(1, keepdims=True)
    return np.divide(raised, total, out=np.zeros_like(raised), where=total > 0)


def path(
    tree: TokenTree,
    tokens: Sequence[int],
    rewards: Sequence[float],
    policies: Sequence[Table],
    v: np.ndarray,
    a: Table,
) -> dict[str, np.ndarray]:
    """What is known of the K tokens of one walk."""
    node, turn, nodes, said, turn_ids = 0, 0, [], [], []
    for token in tokens[1:]:
        if tree.decisions[node]:
            nodes.append(node)
            said.append(token)
            turn_ids.append(turn)
        else:
            turn += 1
        node = int(tree.children[node, token])
    logs = [np.log(policy[nodes, said] / tree.policy[nodes, said]) for policy in policies]
    return {
        "log_ratios": np.stack(logs),
        "rewards": np.array(rewards),
        "mask": np.ones(len(nodes), bool),
        "values": v[nodes],
        "advantages": a[nodes, said],
        "means": np.stack([(policy[nodes] * a[nodes]).sum(1) for policy in policies]),
        "turns": np.array(turn_ids),
    }


def coverage(problem: Problem, logs: int, seed: int) -> list[dict[str, Any]]:
    """One row for each β and estimator."""
    found: dict[tuple[float, str], list[Interval]] = {}
    thin = dict.fromkeys(BETAS, 0)
    settings = GateSettings()
    for number in range(logs):
        stream = generator(seed, "off-policy", problem.name, number)
        scores, groups = drawn(problem, stream)
        bootstrap = Bootstrap.over(list(map(str, groups)), 400, number)
        needed = max(settings.least_episodes, settings.least_share * len(groups))
        for g, beta in enumerate(BETAS):
            last = weights(scores.log_ratios[g])[:, -1]
            thin[beta] += effective_size(last) < needed
            tail = expanded((1 - LEVEL) / 2, bootstrap.degrees(last))
            for name, terms in estimators(scores, g, bootstrap, stream).items():
                found.setdefault((beta, name), []).append(bootstrap.interval(terms, tail))
    rows = []
    for (beta, name), intervals in found.items():
        truth = problem.truths[BETAS.index(beta)]
        values, lows, highs = np.array(intervals).T
        share = float(((lows <= truth) & (truth <= highs)).mean())
        rows.append(
            {
                "seed": seed,
                "problem": problem.name,
                "beta": beta,
                "estimator": name,
                "coverage": share,
                **wilson(share, logs),
                "width": float((highs - lows).mean()),
                "bias": float(values.mean() - truth),
                "error": float(np.sqrt(((values - truth) ** 2).mean())),
                "refused": thin[beta] / logs,
                "n": logs,
            }
        )
    return rows


def drawn(problem: Problem, stream: np.random.Generator) -> tuple[Scores, np.ndarray]:
    """One log, as the gate would see it."""
    places, luck, groups = problem.draw(stream)
    whole = problem.steps
    rewards, mask = whole.rewards[places].copy(), whole.mask[places]
    rewards[np.arange(len(places)), mask.sum(1) - 1] += luck
    steps = Steps(
        whole.log_ratios[:, places],
        rewards,
        mask,
        whole.values[places],
        whole.advantages[places],
        whole.means[:, places],
    )
    turn_ids = problem.turns[places]

    def by_turn(values: np.ndarray) -> np.ndarray:
        last = int(problem.turns.max())
        parts = [np.where(turn_ids == turn, values, 0.0).sum(-1) for turn in range(last + 1)]
        return np.stack(parts, -1)

    kl = np.zeros((len(BETAS), len(places)))  # nothing here reads it
    return Scores(BETAS, by_turn(steps.log_ratios), kl, by_turn(rewards), steps), groups


def estimators(
    scores: Scores, g: int, bootstrap: Bootstrap, stream: np.random.Generator
) -> dict[str, Terms]:
    """The summands of every estimator of β number g."""
    steps = scores.steps
    folds = bootstrap.place % FOLDS
    if scores.betas[g] == 0:
        return {"log": self_normalised(np.ones_like(scores.rewards), scores.rewards)}
    w, by_token = weights(scores.log_ratios[g]), weights(steps.log_ratios[g])
    normal = robust(steps, g, folds)
    noise = Steps(
        steps.log_ratios,
        steps.rewards,
        steps.mask,
        *stream.normal(size=(2, *steps.values.shape)) * steps.mask,
        stream.normal(size=steps.means.shape) * steps.mask,
    )
    return {
        "ips": inverse_propensity(by_token, steps.rewards),
        "snips": self_normalised(w, scores.rewards),
        "dm": Terms(normal.above[:, :1], normal.below[:, :1]),
        "dr": Terms(normal.above, np.ones_like(normal.below)),
        "dr-norm": normal,
        "dr-wrong": robust(noise, g, folds),
    }


def wilson(share: float, n: int, z: float = 1.96) -> dict[str, float]:
    """Wilson's 95 % interval of a share."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return {"coverage_low": centre - half, "coverage_high": centre + half}


OBP = """
import json, sys
import numpy as np
from obp.ope import (DirectMethod, DoublyRobust, InverseProbabilityWeighting,
                     SelfNormalizedDoublyRobust, SelfNormalizedInverseProbabilityWeighting)
log = {name: np.array(values) for name, values in json.load(sys.stdin).items()}
for name in ("action_dist", "estimated_rewards_by_reg_model"):
    log[name] = log[name][:, :, None]
log["position"] = np.zeros(len(log["action"]), int)
models = {"ips": InverseProbabilityWeighting(),
          "snips": SelfNormalizedInverseProbabilityWeighting(),
          "dm": DirectMethod(), "dr": DoublyRobust(), "dr-norm": SelfNormalizedDoublyRobust()}
print(json.dumps({name: float(each.estimate_policy_value(**log)) for name, each in models.items()}))
"""


def agreement(data: Path, python: Path | None) -> list[dict[str, Any]]:
    """The same figures by speaq and by obp, on four real logs."""
    if not data.exists():
        print(f"skipped: {data} is not here; give the folder of the Open Bandit Data by --data")
        return []
    rows = []
    for policy in ("random", "bts"):
        for campaign in ("men", "women"):
            log = bandit_log(data / policy / campaign / f"{campaign}.csv.gz")
            theirs = by_obp(log, python)
            for name, value in by_speaq(log).items():
                row = {"data": f"{policy}/{campaign}", "estimator": name, "value": value}
                if theirs is not None:
                    row |= {"obp": theirs[name], "difference": abs(value - theirs[name])}
                rows.append(row)
    if python is None:
        print("obp was not asked: give a Python that has it by --peer-python")
    return rows


def bandit_log(file: Path) -> dict[str, np.ndarray]:
    """The later half of a log, with a candidate and click rates made from the earlier half.

    A candidate for one campaign: nothing but the item is looked at.
    """
    import pandas as pd

    table = pd.read_csv(file, usecols=["item_id", "click", "propensity_score"])
    items = int(table["item_id"].max()) + 1
    half = len(table) // 2
    early, late = table[:half], table[half:]
    shown = np.bincount(early["item_id"], minlength=items)
    clicked = np.bincount(early["item_id"], early["click"], minlength=items)
    rates = (clicked + 1) / (shown + items)
    n = len(late)
    return {
        "reward": late["click"].to_numpy(float),
        "action": late["item_id"].to_numpy(),
        "pscore": late["propensity_score"].to_numpy(),
        "action_dist": np.broadcast_to(rates / rates.sum(), (n, items)),
        "estimated_rewards_by_reg_model": np.broadcast_to(rates, (n, items)),
    }


def by_speaq(log: dict[str, np.ndarray]) -> dict[str, float]:
    rows = np.arange(len(log["action"]))
    played = log["action_dist"][rows, log["action"]]
    model = log["estimated_rewards_by_reg_model"]
    w = weights(np.log(played / log["pscore"])[:, None], math.inf)
    rewards, q = log["reward"][:, None], model[rows, log["action"]][:, None]
    v = (log["action_dist"] * model).sum(1)[:, None]
    each = {
        "ips": inverse_propensity(w, rewards),
        "snips": self_normalised(w, rewards),
        "dm": direct(v[:, 0]),
        "dr": doubly_robust(w, rewards, q, v),
        "dr-norm": doubly_robust(w, rewards, q, v, normalise=True),
    }
    bootstrap = Bootstrap.over(list(map(str, rows)), 1, 0)
    return {name: bootstrap.estimate(terms)[0] for name, terms in each.items()}


def by_obp(log: dict[str, np.ndarray], python: Path | None) -> dict[str, float] | None:
    if python is None:
        return None
    given = json.dumps({name: values.tolist() for name, values in log.items()})
    done = subprocess.run(
        [python, "-W", "ignore", "-c", OBP], input=given, capture_output=True, text=True
    )
    if done.returncode:
        print(f"obp could not be run by {python.name}:", done.stderr.strip().splitlines()[-1])
        return None
    values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return values


if __name__ == "__main__":
    sys.exit(main())
