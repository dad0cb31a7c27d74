"""Sequence prediction by its profit: orders of a shop whose demand has a season.

`speaq.environments.inventory`, one season a seed. Six demands and the stock are the state, the ten
orders the actions. The log is 1,000 episodes of six days of a naive forecaster who is a day late.
All methods have the network of `speaq.qlearning.control`; speaq is its DQN (double, dueling,
conservative), trained on the log alone. Score: profit of 300 new episodes, best action always, but
for the logging policy, which is drawn from. `optimum` is that of who knows the season, exactly.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import Env
from gymnasium.spaces import Box, Discrete
from torch import nn

from five.choosing import row
from speaq.core.seeds import derive, generator
from speaq.environments.inventory import MOST, SHELF, Inventory
from speaq.experience.episode import Episode
from speaq.qlearning.control import Control, ControlSettings, Perceptron
from speaq.qlearning.dqn import DQN
from speaq.qlearning.transitions import Step

APPLICATION = "sequence"
EPISODES, PLAYED, STEPS, BATCH, TOP = 1000, 200, 1500, 64, 0.2
WIDTHS = (120, 84)
Floats = np.ndarray
Row = dict[str, Any]
SIZE = 6 * (MOST + 1) + SHELF + 1


class Spaces(Env[Floats, int]):
    """What there is to see and to do; nobody plays here, the log is all there is."""

    observation_space = Box(0.0, 1.0, (SIZE,), np.float32)
    action_space = Discrete(MOST + 1)


class Memory:
    """The demands and the stock that an episode's words have told so far, as zeros and ones."""

    def __init__(self, heard: str) -> None:
        self.words: list[str] = []
        self.hear(heard)

    def hear(self, heard: str) -> None:
        *demands, self.stock = heard.split()
        self.words += demands

    def observation(self) -> Floats:
        made = np.zeros(SIZE, np.float32)
        for place, word in enumerate(self.words[-6:]):
            made[place * (MOST + 1) + int(word[1:])] = 1.0
        made[6 * (MOST + 1) + int(self.stock[1:])] = 1.0
        return made


def rows(root: Path, cache: Path, seed: int, tell: Callable[[Row], None]) -> None:
    """All rows of one seed."""
    shop = Inventory(seed=seed)
    log = shop.log(EPISODES)
    fresh = Inventory(seed=seed).log(EPISODES + PLAYED)[EPISODES:]
    tell(row(seed, APPLICATION, "logged", [profit(each) for each in fresh], 0.0))
    steps = [each for episode in log for each in transitions(episode)]
    edge = np.quantile([profit(each) for each in log], 1 - TOP)
    good = [each for one in log if profit(one) >= edge for each in transitions(one)]
    methods: dict[str, Callable[[], Callable[[Floats], int]]] = {
        "cloning": lambda: imitator(steps, seed),
        "filtered cloning": lambda: imitator(good, seed),
        "speaq": lambda: learner(steps, seed),
    }
    for method, learn in methods.items():
        begun = time.perf_counter()
        act = learn()
        seconds = time.perf_counter() - begun
        tell(row(seed, APPLICATION, method, played(seed, act), seconds))
    tell({**row(seed, APPLICATION, "optimum", [shop.optimum] * 2, 0.0)})


def profit(episode: Episode) -> float:
    return sum(turn.reward or 0.0 for turn in episode.actions)


def transitions(episode: Episode) -> list[Step]:
    """The days of an episode; the observation after the last one stands for nothing."""
    memory = Memory(episode.turns[0].text)
    found = []
    for place in range(0, len(episode.turns), 2):
        before, action = memory.observation(), episode.turns[place + 1]
        over = place + 2 >= len(episode.turns)
        if not over:
            memory.hear(episode.turns[place + 2].text)
        order = int(action.text[1:])
        found.append(Step(before, order, action.reward or 0.0, memory.observation(), over, False))
    return found


def learner(steps: Sequence[Step], seed: int) -> Callable[[Floats], int]:
    """DQN on the log."""
    algorithm = DQN(
        discount=1.0, cql=0.05, cql_states=0, ridge=0.0, target_every=5, target_rate=0.1
    )
    settings = ControlSettings(widths=WIDTHS, capacity=len(steps))
    control = Control(Spaces(), algorithm, settings, seed)
    for each in steps:
        control.memory.add(each)
    learnt = [weight for group in control.parameters().values() for weight in group]
    solver = torch.optim.Adam(learnt, lr=1e-3)
    for step in range(1, STEPS + 1):
        drawn = generator(seed, "replay", step).integers(len(steps), size=BATCH)
        solver.zero_grad()
        control.loss(drawn.tolist())[0].backward()
        solver.step()
        control.after_step(step)
    return control.best


def imitator(steps: Sequence[Step], seed: int) -> Callable[[Floats], int]:
    """The same network, cloning."""
    trunk = Perceptron(SIZE, WIDTHS, seed)
    network = nn.Sequential(trunk, nn.Linear(trunk.size, MOST + 1))
    states = torch.from_numpy(np.stack([each.observation for each in steps]))
    orders = torch.tensor([each.action for each in steps])
    solver = torch.optim.Adam(network.parameters(), lr=1e-3)
    for step in range(1, STEPS // 2 + 1):
        drawn = generator(seed, "replay", step).integers(len(steps), size=BATCH)
        solver.zero_grad()
        nn.functional.cross_entropy(network(states[drawn]), orders[drawn]).backward()
        solver.step()

    def act(observation: Floats) -> int:
        with torch.no_grad():
            return int(network(torch.from_numpy(observation)[None])[0].argmax())

    return act


def played(seed: int, act: Callable[[Floats], int]) -> list[float]:
    """Profits of new episodes."""
    shop, earned = Inventory(seed=seed), []
    for number in range(PLAYED):
        heard, _ = shop.reset(seed=derive(seed, "played", number))
        memory, total, over = Memory(heard), 0.0, False
        while not over:
            heard, reward, over, _, _ = shop.step(f"q{act(memory.observation())}")
            memory.hear(heard)
            total += reward
        earned.append(total)
    return earned
