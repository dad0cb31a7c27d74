"""Prioritised replay beside tianshou's and AgileRL's, per item drawn or updated.

    python benchmarks/replay.py --seeds 0 1 2 --peer-python PEERS/bin/python --json FILE

PEERS is an environment of its own that holds tianshou and agilerl and sees this one's packages.
All libraries are timed in one process, in turns, so that whatever else the machine does falls on
all of them; a figure is the best of many short rounds. `indices_us` is drawing indices and
importance weights, `sample_us` that and taking out the data, `update_us` giving new priorities,
each in microseconds per item; `ratio` is sampling and updating together, relative to speaq's.

The data are transitions of two states of some token ids each. speaq reads them from its memory on
disk, mapped; the others hold them in memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch

import speaq
from speaq.experience.replay_memory import ReplayMemory
from speaq.training.replay import Prioritised

EXPONENT, CORRECTION = 0.6, 0.4
VOCABULARY = 50_000


@dataclass
class Timed:
    """What one library does in a step."""

    indices: Callable[[], Any]
    sample: Callable[[], Any]
    update: Callable[[Any, Any], Any]
    """Takes what `indices` gave, and errors."""


def ours(ids: np.ndarray, batch: int, seed: int) -> Timed:
    memory = ReplayMemory(Path(tempfile.mkdtemp(prefix="speaq-replay-")))
    for start in range(0, len(ids), 10_000):
        memory.append(
            {
                "state": pair[0],
                "next_state": pair[1],
                "action": np.array([1]),
                "reward": np.array([0.5], np.float32),
                "done": np.array([False]),
            }
            for pair in ids[start : start + 10_000]
        )
    replay = Prioritised(len(ids), seed, steps=10**9, exponent=EXPONENT, correction=CORRECTION)
    replay.learned(range(len(ids)), torch.from_numpy(errors_of(len(ids), seed)))
    steps = iter(range(10**9))

    def sample() -> Any:
        drawn = replay.draw(next(steps), batch)
        return drawn, memory.gather(drawn.indices)

    return Timed(
        indices=lambda: replay.draw(next(steps), batch),
        sample=sample,
        update=lambda drawn, errors: replay.learned(drawn.indices, errors),
    )


def tianshou(ids: np.ndarray, batch: int, seed: int) -> Timed:
    from tianshou.data import Batch, PrioritizedReplayBuffer

    np.random.seed(seed)
    buffer = PrioritizedReplayBuffer(len(ids), alpha=EXPONENT, beta=CORRECTION)
    for now, later in ids:
        buffer.add(
            Batch(
                obs=now, act=1, rew=0.5, terminated=False, truncated=False, obs_next=later, info={}
            )
        )
    buffer.update_weight(np.arange(len(ids)), errors_of(len(ids), seed))

    def indices() -> Any:
        drawn = buffer.sample_indices(batch)
        return drawn, buffer.get_weight(drawn)

    return Timed(
        indices=indices,
        sample=lambda: buffer.sample(batch),
        update=lambda drawn, errors: buffer.update_weight(drawn[0], errors),
    )


def agilerl(ids: np.ndarray, batch: int, seed: int) -> Timed:
    from agilerl.components.replay_buffer import PrioritizedReplayBuffer
    from tensordict import TensorDict

    torch.manual_seed(seed)
    size = len(ids)
    buffer = PrioritizedReplayBuffer(size, alpha=EXPONENT, dtype=torch.int64)
    whole = TensorDict(
        {
            "obs": torch.from_numpy(ids[:, 0].copy()),
            "next_obs": torch.from_numpy(ids[:, 1].copy()),
            "action": torch.ones(size, 1),
            "reward": torch.full((size, 1), 0.5),
            "done": torch.zeros(size, 1, dtype=torch.bool),
        },
        batch_size=[size],
    )
    buffer.add(whole)
    buffer.update_priorities(np.arange(size), errors_of(size, seed))

    def indices() -> Any:
        # Parts of `sample`, which has no such step of its own.
        drawn = buffer._sample_proportional(batch)
        return drawn, buffer._calculate_weights(drawn, CORRECTION)

    return Timed(
        indices=indices,
        sample=lambda: buffer.sample(batch, beta=CORRECTION),
        update=lambda drawn, errors: buffer.update_priorities(drawn[0], errors),
    )


def errors_of(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).exponential(size=count).astype(np.float32)


def measure(made: Timed, batch: int, calls: int, errors: list[torch.Tensor]) -> list[float]:
    """Microseconds per item of one short round: indices, sample, update."""
    drawn = [made.indices() for _ in range(calls)]
    spent = []
    for work in (
        lambda _: made.indices(),
        lambda _: made.sample(),
        lambda call: made.update(drawn[call], errors[call]),
    ):
        began = time.perf_counter()
        for call in range(calls):
            work(call)
        spent.append((time.perf_counter() - began) / calls / batch * 1e6)
    return spent


def run(arguments: argparse.Namespace, seed: int) -> list[dict[str, Any]]:
    stream = np.random.default_rng(seed)
    ids = stream.integers(0, VOCABULARY, (arguments.transitions, 2, arguments.tokens))
    makers = {"speaq": ours}
    if arguments.peers:
        makers |= {"tianshou": tianshou, "agilerl": agilerl}
    made = {name: maker(ids, arguments.batch, seed) for name, maker in makers.items()}
    best = {name: [float("inf")] * 3 for name in made}
    fresh = torch.from_numpy(errors_of(arguments.calls * arguments.batch, seed + 1))
    errors = list(fresh.view(arguments.calls, arguments.batch))
    for _ in range(arguments.rounds):
        for name, each in made.items():
            spent = measure(each, arguments.batch, arguments.calls, errors)
            best[name] = [min(pair) for pair in zip(best[name], spent, strict=True)]
    whole = best["speaq"][1] + best["speaq"][2]
    return [
        {
            "seed": seed,
            "method": name,
            "indices_us": indices,
            "sample_us": sample,
            "update_us": update,
            "ratio": (sample + update) / whole,
        }
        for name, (indices, sample, update) in best.items()
    ]


def with_peers(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of this script run by the interpreter that has the peers."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        options = [f"--{name}={vars(arguments)[name]}" for name in OPTIONS]
        seeds = ["--seeds", *map(str, arguments.seeds)]
        source = str(Path(speaq.__file__).parents[1])
        subprocess.run(
            [
                str(arguments.peer_python),
                __file__,
                "--peers",
                *options,
                *seeds,
                "--json",
                str(file),
            ],
            env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return list(json.loads(file.read_text())["results"])


OPTIONS = ("transitions", "tokens", "batch", "calls", "rounds")


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--transitions", type=int, default=100_000)
    parser.add_argument("--tokens", type=int, default=64, help="ids of one state")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--calls", type=int, default=50, help="calls in a round")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--peer-python", type=Path, help="interpreter that has the peers")
    parser.add_argument("--peers", action="store_true", help="this interpreter has the peers")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the peers' imports
    torch.set_num_threads(1)
    if arguments.peer_python is None:
        if not arguments.peers:
            print("tianshou and agilerl are left out; name their interpreter with --peer-python.")
        rows = [row for seed in arguments.seeds for row in run(arguments, seed)]
    else:
        rows = with_peers(arguments)
        arguments.peers, arguments.peer_python = True, None
    report.write(arguments, rows)


if __name__ == "__main__":
    sys.exit(main())
