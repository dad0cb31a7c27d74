"""Acting in a Gymnasium environment and learning from what came of it.

The loop asks its replay for the steps to learn from; when new ones are due, they are taken first.
Every episode is begun with a seed of its own, so that a resumed run can take the steps of the
episode it was in once more and stands where it stood.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from speaq.core.runs import RunFolder
from speaq.core.seeds import derive, generator
from speaq.qlearning.control import Control, ControlSettings
from speaq.qlearning.dqn import DQN
from speaq.qlearning.transitions import Floats, Step
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import Draw, Prioritised, ReplaySettings

if TYPE_CHECKING:
    from speaq.qlearning.control import Environment


@dataclass(frozen=True)
class Solution:
    """What learning in an environment left behind."""

    control: Control
    returns: list[tuple[int, float]]
    """Of each episode that is over: the steps taken by then, and the sum of its rewards."""


def solve(
    environment: "Environment",
    algorithm: DQN,
    settings: ControlSettings,
    loop: LoopSettings,
    folder: Path | str,
    *,
    replay: ReplaySettings | None = None,
    seed: int = 0,
) -> Solution:
    """Learn to act in `environment`, with `loop.steps` optimiser steps.

    The same call on the same folder continues an interrupted run, bit for bit, if the environment
    is determined by the seed of its `reset` and the actions since.

    Raises:
        SettingsError: the actions are not discrete, or the folder holds another run.
    """
    replay = replay or ReplaySettings()
    control = Control(environment, algorithm, settings, seed)
    acting = Acting(environment, control, settings, _prioritised(replay, loop.steps, seed), seed)
    run = RunFolder(
        folder,
        {
            "environment": str(environment.spec.id if environment.spec else environment),
            "seed": seed,
            "algorithm": asdict(algorithm),
            "control": {**asdict(settings), "widths": list(settings.widths)},
            "replay": asdict(replay),
            "loop": asdict(loop),
        },
    )
    train(control, acting, loop, run, seed)
    return Solution(control, acting.returns)


def _prioritised(settings: ReplaySettings, steps: int, seed: int) -> Prioritised | None:
    """The replay that `settings` ask for, still empty; None draws uniformly."""
    if settings.kind == "uniform":
        return None
    return Prioritised(
        0,
        seed,
        steps=steps,
        exponent=settings.exponent,
        correction=settings.correction,
        floor=settings.floor,
    )


def evaluate(environment: "Environment", control: Control, episodes: int, seed: int) -> list[float]:
    """Sum of rewards of `episodes` episodes, always the best action: (episodes,)."""
    earned = []
    for number in range(episodes):
        observation, _ = environment.reset(seed=derive(seed, "control", "evaluate", number))
        total, over = 0.0, False
        while not over:
            action = control.best(flat(environment, observation))
            observation, reward, terminated, truncated, _ = environment.step(action)
            total, over = total + float(reward), terminated or truncated
        earned.append(total)
    return earned


class Acting:
    """A replay that acts; see `speaq.training.replay.Replay`.

    Args:
        environment: is reset here.
        control: who acts, and whose memory is filled.
        settings: how much is done when, and how to explore.
        prioritised: what draws from the memory, by its places; None draws uniformly.
        seed: of episodes, exploration and uniform draws.
    """

    def __init__(
        self,
        environment: "Environment",
        control: Control,
        settings: ControlSettings,
        prioritised: Prioritised | None,
        seed: int,
    ) -> None:
        self.environment = environment
        self.control = control
        self.settings = settings
        self.prioritised = prioritised
        self.seed = seed
        self.returns: list[tuple[int, float]] = []
        """See `Solution`."""
        self._actions: list[int] = []
        """Those of the episode that is going on."""
        self._earned = 0.0
        self._observation: Floats | None = None

    def draw(self, step: int, batch_size: int) -> Draw:
        """Take the steps that are due, then draw some of those in memory."""
        memory = self.control.memory
        due = self.settings.starts + step * self.settings.every
        new = [self._act() for _ in range(due - memory.taken)]
        if self.prioritised is not None:
            self.prioritised.added(new)
            return self.prioritised.draw(step, batch_size)
        stream = generator(self.seed, "control", "draw", step)
        return Draw(stream.integers(len(memory), size=batch_size).tolist())

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """New priorities, where they are used."""
        if self.prioritised is not None:
            self.prioritised.learned(indices, errors)

    def state(self) -> dict[str, Tensor]:
        """The memory, the priorities, and where the episode that is going on stands."""
        memory = self.control.memory.state()
        order = {} if self.prioritised is None else self.prioritised.state()
        return {
            **{f"memory.{name}": each for name, each in memory.items()},
            **{f"order.{name}": each for name, each in order.items()},
            "returns": torch.tensor(self.returns, dtype=torch.float64).view(-1, 2),
            "actions": torch.tensor(self._actions, dtype=torch.int64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a checkpoint's state; the steps of its last episode are taken again."""
        kept = {name.removeprefix("memory."): each for name, each in state.items()}
        self.control.memory.restore(kept)
        if self.prioritised is not None:
            order = {name.removeprefix("order."): each for name, each in state.items()}
            self.prioritised.restore(order)
        self.returns = [(int(taken), earned) for taken, earned in state["returns"].tolist()]
        for action in state["actions"].tolist():
            self._step(action)

    def _act(self) -> int:
        """Take one step and remember it; returns its place in memory."""
        memory = self.control.memory
        before = self._begun()
        stream = generator(self.seed, "control", "explore", memory.taken)
        if stream.random() < self.settings.epsilon(memory.taken):
            action = int(stream.choice(self.control.actions))
        else:
            action = self.control.best(before)
        after, reward, terminated, truncated = self._step(action)
        number = action - int(self.control.actions[0])
        place = memory.add(Step(before, number, reward, after, terminated, truncated))
        if terminated or truncated:
            self.returns.append((memory.taken, self._earned))
            self._actions, self._observation = [], None
        return place

    def _begun(self) -> Floats:
        """The observation now, of a new episode if none is going on."""
        if self._observation is None:
            own = derive(self.seed, "control", "episode", len(self.returns))
            self._observation = flat(self.environment, self.environment.reset(seed=own)[0])
            self._earned = 0.0
        return self._observation

    def _step(self, action: int) -> tuple[Floats, float, bool, bool]:
        self._begun()
        found, reward, terminated, truncated, _ = self.environment.step(action)
        self._actions.append(action)
        self._earned += float(reward)
        self._observation = flat(self.environment, found)
        return self._observation, float(reward), terminated, truncated


def flat(environment: "Environment", observation: Any) -> Floats:
    """An observation as numbers, whatever its space: (S,)."""
    from gymnasium.spaces import flatten

    return np.asarray(flatten(environment.observation_space, observation), np.float32)
