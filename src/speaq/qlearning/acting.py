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
from speaq.experience.sum_tree import SumTree
from speaq.qlearning.control import Control, ControlSettings
from speaq.qlearning.dqn import DQN
from speaq.qlearning.transitions import Floats, Step
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import Draw

if TYPE_CHECKING:
    from speaq.qlearning.control import Environment

LEAST_ERROR = 1e-6
"""Added to every error before it becomes a priority, so that no step is lost from sight."""


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
    seed: int = 0,
) -> Solution:
    """Learn to act in `environment`, with `loop.steps` optimiser steps.

    The same call on the same folder continues an interrupted run, bit for bit, if the environment
    is determined by the seed of its `reset` and the actions since.

    Raises:
        SettingsError: the actions are not discrete, or the folder holds another run.
    """
    control = Control(environment, algorithm, settings, seed)
    acting = Acting(environment, control, settings, seed)
    run = RunFolder(
        folder,
        {
            "environment": str(environment.spec.id if environment.spec else environment),
            "seed": seed,
            "algorithm": asdict(algorithm),
            "control": {**asdict(settings), "widths": list(settings.widths)},
            "loop": asdict(loop),
        },
    )
    train(control, acting, loop, run, seed)
    return Solution(control, acting.returns)


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

    Prioritised (Schaul et al. 2016), a step is drawn in proportion to the power `priority` of its
    last error; new ones have the highest priority so far.

    Args:
        environment: is reset here.
        control: who acts, and whose memory is filled.
        settings: how much is done when, and how to explore.
        seed: of episodes, exploration and draws.
    """

    def __init__(
        self, environment: "Environment", control: Control, settings: ControlSettings, seed: int
    ) -> None:
        self.environment = environment
        self.control = control
        self.settings = settings
        self.seed = seed
        self.returns: list[tuple[int, float]] = []
        self._priorities = SumTree(np.zeros(settings.capacity if settings.priority else 0))
        self._highest = 1.0
        self._actions: list[int] = []
        """Those of the episode that is going on."""
        self._earned = 0.0
        self._observation: Floats | None = None

    def draw(self, step: int, batch_size: int) -> Draw:
        """Take the steps that are due, then draw some of those in memory."""
        memory, settings = self.control.memory, self.settings
        while memory.taken < settings.starts + step * settings.every:
            self._act()
        stream = generator(self.seed, "control", "draw", step)
        if not settings.priority:
            return Draw(stream.integers(len(memory), size=batch_size).tolist())
        places = self._priorities.draw(stream.random(batch_size))
        # Over the largest weight there is, so that weights only ever lessen a step.
        ratio = self._priorities.at(places) / self._priorities.least
        weights = torch.from_numpy((ratio**-settings.importance).astype(np.float32))
        return Draw(places.tolist(), weights)

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """New priorities, where they are used."""
        if self.settings.priority and errors is not None:
            sizes = errors.double().cpu().numpy() + LEAST_ERROR
            priorities = sizes**self.settings.priority
            self._highest = max(self._highest, float(priorities.max()))
            self._priorities.update(np.array(indices, np.int64), priorities)

    def state(self) -> dict[str, Tensor]:
        """The memory, the priorities, and where the episode that is going on stands."""
        memory = {f"memory.{name}": each for name, each in self.control.memory.state().items()}
        return {
            **memory,
            "returns": torch.tensor(self.returns, dtype=torch.float64).view(-1, 2),
            "priorities": torch.from_numpy(self._priorities.priorities),
            "highest": torch.tensor(self._highest, dtype=torch.float64),
            "actions": torch.tensor(self._actions, dtype=torch.int64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up a checkpoint's state; the steps of its last episode are taken again."""
        if not state:
            return
        kept = {name.removeprefix("memory."): each for name, each in state.items()}
        self.control.memory.restore(kept)
        self.returns = [(int(taken), earned) for taken, earned in state["returns"].tolist()]
        self._priorities = SumTree(state["priorities"].numpy())
        self._highest = float(state["highest"])
        self._actions, self._observation = [], None
        for action in state["actions"].tolist():
            self._step(action)

    def _act(self) -> None:
        """Take one step and remember it."""
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
        if self.settings.priority:
            self._priorities.update(np.array([place]), [self._highest])
        if terminated or truncated:
            self.returns.append((memory.taken, self._earned))
            self._actions, self._observation = [], None

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
