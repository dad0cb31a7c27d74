"""Is the DQN that learns over tokens a good DQN? On CartPole, where everyone knows what to expect.

    python benchmarks/cartpole.py --seeds 0 1 2 3 4 --json FILE --peer-python peer/bin/python

`CartPole-v1` through `speaq.qlearning.control`: the same loss, loop and replay as over tokens, a
network of 120 and 84 units, `--steps` steps in the environment. Methods, one switch after another:

    dqn         one step, no double; Q = V + A as everywhere in speaq
    double      + the online network chooses
    c51         + a categorical distribution of 51 returns from 0 to 100
    rainbow     double, 3 steps, prioritised replay, C51; without noisy networks, which explore by
                themselves where here ε falls
    sb3         stable-baselines3's DQN with the settings its zoo publishes for CartPole, at the
                same number of steps, where `--peer-python` names a Python that has it

A row: the mean sum of rewards of 20 greedy episodes after the last step (500 is the most there
is), that of the last 20 episodes while exploring, and seconds on one thread.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import gymnasium
import torch
from report import parser, write

from speaq.qlearning.acting import evaluate, solve
from speaq.qlearning.control import ControlSettings
from speaq.qlearning.dqn import DQN
from speaq.training.loop import LoopSettings
from speaq.training.replay import ReplaySettings

EPISODES = 20
PLAIN: dict[str, Any] = {"discount": 0.99, "cql": 0.0, "ridge": 0.0, "target_rate": 1.0}
C51: dict[str, Any] = {"distribution": "categorical", "atoms": 51, "low": 0.0, "high": 100.0}
METHODS: dict[str, tuple[dict[str, Any], str]] = {
    "dqn": ({"double": False}, "uniform"),
    "double": ({"double": True}, "uniform"),
    "c51": ({"double": True, **C51}, "uniform"),
    "rainbow": ({"double": True, "steps": 3, **C51}, "prioritised"),
}
EVERY = 4
STARTS = 1000
PEER = """
import json, sys, time
import gymnasium, torch
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
seed, steps, episodes = map(int, sys.argv[1:])
torch.set_num_threads(1)
start = time.perf_counter()
environment = Monitor(gymnasium.make("CartPole-v1"))
model = DQN("MlpPolicy", environment, learning_rate=2.3e-3, batch_size=64, buffer_size=100000,
            learning_starts=1000, gamma=0.99, target_update_interval=10, train_freq=256,
            gradient_steps=128, exploration_fraction=0.16, exploration_final_eps=0.04,
            policy_kwargs={"net_arch": [256, 256]}, seed=seed, device="cpu")
model.learn(steps)
seconds = time.perf_counter() - start
played = environment.get_episode_rewards()[-episodes:]
fresh = Monitor(gymnasium.make("CartPole-v1"))
fresh.reset(seed=seed)
earned, _ = evaluate_policy(model, fresh, n_eval_episodes=episodes, deterministic=True)
print(json.dumps({"return_last": float(earned), "exploring": sum(played) / len(played),
                  "seconds": seconds}))
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[0, 1, 2, 3, 4])
    arguments.add_argument("--steps", type=int, default=30_000, help="in the environment")
    arguments.add_argument("--methods", nargs="+", default=list(METHODS))
    arguments.add_argument("--lr", type=float, default=1e-3)
    arguments.add_argument("--target-every", type=int, default=50, help="optimiser steps")
    arguments.add_argument("--peer-python", help="a Python that has stable-baselines3")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in chosen.seeds:
        made = [ours(seed, method, chosen) for method in chosen.methods]
        if chosen.peer_python:
            made.append(peer(seed, chosen))
        rows += made
        for row in made:
            print(json.dumps(row), file=sys.stderr, flush=True)
    write(chosen, rows)
    if not chosen.peer_python:
        print("sb3: not run; name a Python that has stable-baselines3 by --peer-python")


def ours(seed: int, method: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run of one of our methods."""
    switches, replay = METHODS[method]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        solution = solve(
            gymnasium.make("CartPole-v1"),
            DQN(**PLAIN, target_every=chosen.target_every, **switches),
            ControlSettings(
                starts=STARTS, every=EVERY, capacity=10_000, epsilon_steps=chosen.steps // 3
            ),
            LoopSettings(
                steps=(chosen.steps - STARTS) // EVERY,
                batch_size=64,
                lr=chosen.lr,
                head_lr=chosen.lr,
                value_lr=chosen.lr,
                beta2=0.999,
                clip_norm=10.0,
                checkpoint_every=chosen.steps,
                log_every=500,
            ),
            Path(folder),
            replay=ReplaySettings(kind="prioritised" if replay == "prioritised" else "uniform"),
            seed=seed,
        )
    seconds = time.perf_counter() - start
    earned = evaluate(gymnasium.make("CartPole-v1"), solution.control, EPISODES, seed)
    return {
        "seed": seed,
        "method": method,
        "return_last": mean(earned),
        "exploring": mean(earned for _, earned in solution.returns[-EPISODES:]),
        "seconds": seconds,
    }


def peer(seed: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run of stable-baselines3 in a process of its own."""
    command = [chosen.peer_python, "-c", PEER, *map(str, (seed, chosen.steps, EPISODES))]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"seed": seed, "method": "sb3", **json.loads(told.stdout.splitlines()[-1])}


if __name__ == "__main__":
    main()
