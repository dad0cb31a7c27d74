"""Deep Q-learning of Gymnasium environments, by the same loss and the same loop as over tokens.

An environment whose observations are vectors and whose actions are a few numbers stands in for
text: a small network is the trunk, its output the hidden state; a step is an episode of one
action, or of the n actions of an n-step sum; the A actions are the vocabulary. So what is known
to work on CartPole is what learns over tokens, line by line.

Differences from text: the trunk has a slow copy too, and there is no policy to guide or to clone.
Exploration is ε-greedy with a falling ε (Mnih et al. 2015).
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.models.head import HeadSettings, ValueHead
from speaq.qlearning.algorithm import View
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.dqn import DQN
from speaq.qlearning.targets import frozen, target_of, update
from speaq.qlearning.transitions import Floats, Transitions
from speaq.training.batch import Batch

if TYPE_CHECKING:
    import gymnasium

    Environment = gymnasium.Env[Any, Any]


@dataclass(frozen=True)
class ControlSettings:
    """The network, the replay memory and how to explore."""

    widths: tuple[int, ...] = (120, 84)
    """Units of the trunk's layers; none: the observation itself is the hidden state."""
    capacity: int = 10_000
    """Steps the memory holds."""
    starts: int = 1_000
    """Steps in the environment before the first optimiser step."""
    every: int = 4
    """Steps in the environment for each optimiser step."""
    epsilon_from: float = 1.0
    """ε at first."""
    epsilon_to: float = 0.05
    """ε at last."""
    epsilon_steps: int = 10_000
    """Steps in the environment over which ε falls."""

    def __post_init__(self) -> None:
        rules = {
            "widths": (all(width >= 1 for width in self.widths), "≥ 1 each"),
            "capacity": (self.capacity >= 1, "≥ 1"),
            "starts": (self.starts >= 1, "≥ 1"),
            "every": (self.every >= 1, "≥ 1"),
            "epsilon_from": (0 <= self.epsilon_from <= 1, "in [0, 1]"),
            "epsilon_to": (0 <= self.epsilon_to <= 1, "in [0, 1]"),
            "epsilon_steps": (self.epsilon_steps >= 1, "≥ 1"),
        }
        require("control", self, rules)

    def epsilon(self, taken: int) -> float:
        """ε after `taken` steps in the environment."""
        fallen = min(1.0, taken / self.epsilon_steps)
        return self.epsilon_from + fallen * (self.epsilon_to - self.epsilon_from)


class Perceptron(nn.Module):
    """Layers with rectifiers: (N, S) -> (N, D). The last of the D numbers is 1, so that what is
    linear in the hidden state has an offset for each action."""

    def __init__(self, size: int, widths: Sequence[int], seed: int) -> None:
        super().__init__()
        self.size = (widths[-1] if widths else size) + 1
        layers: list[nn.Module] = []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "control", "trunk"))
            for before, after in zip([size, *widths], widths, strict=False):
                layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, observations: Tensor) -> Tensor:
        """See the class."""
        hidden = self.layers(observations)
        return torch.cat([hidden, torch.ones_like(hidden[:, :1])], 1)


class Control:
    """A task for the loop: a value function of one environment.

    Args:
        environment: Gymnasium's, with discrete actions; observations are flattened.
        algorithm: its `steps` are counted in the environment.
        settings: see there.
        seed: of the weights and of everything drawn.

    Raises:
        SettingsError: the actions are not discrete, or `steps` is 0.
    """

    def __init__(
        self, environment: "Environment", algorithm: DQN, settings: ControlSettings, seed: int
    ) -> None:
        from gymnasium.spaces import Discrete, flatdim

        actions = environment.action_space
        if not isinstance(actions, Discrete):
            raise SettingsError(
                f"control needs discrete actions; this environment's are {actions}.",
                f"control 需要离散动作；该环境的动作空间为 {actions}。",
            )
        if not algorithm.steps:
            raise SettingsError(
                "dqn setting steps = 0 looks ahead to the end of an episode, which a replay of "
                "steps does not hold; use steps ≥ 1.",
                "dqn 的 steps = 0 需看到片段结尾，而逐步回放不保存整个片段；请用 steps ≥ 1。",
            )
        self.algorithm = algorithm
        self.actions = np.arange(actions.start, actions.start + actions.n)
        """(A,) as the environment numbers them."""
        self.memory = Transitions(settings.capacity, flatdim(environment.observation_space))
        self.trunk = Perceptron(flatdim(environment.observation_space), settings.widths, seed)
        # With one-hot token vectors a tied critic is a linear layer: it can hold anything.
        table = torch.eye(int(actions.n), self.trunk.size)
        self.head = ValueHead(HeadSettings(kind="linear", value_width=0), table)
        self.extra = algorithm.extra_modules(1, self.trunk.size)
        self.slow_trunk = frozen(copy.deepcopy(self.trunk))
        self.target = target_of(self.head)
        self.target_extra = {
            name: frozen(copy.deepcopy(module)) for name, module in self.extra.items()
        }

    @torch.inference_mode()
    def q_values(self, observations: Floats) -> Floats:
        """Q(s, ·): (N, S) -> (N, A)."""
        hidden = self.trunk(torch.from_numpy(observations))
        q_values = self.head.advantages(hidden)
        if self.algorithm.dueling:
            q_values = q_values + self.head.values(hidden).mean(0)[:, None]
        found: Floats = q_values.numpy()
        return found

    def best(self, observation: Floats) -> int:
        """The action with the highest Q, the first among equals: (S,) -> number."""
        return int(self.actions[self.q_values(observation[None])[0].argmax()])

    def modules(self) -> Mapping[str, nn.Module]:
        """Trunk, head, critics, and their slow copies."""
        return {
            "trunk": self.trunk,
            "head": self.head,
            **self.extra,
            "target_trunk": self.slow_trunk,
            "target": self.target,
            **{f"target_{name}": module for name, module in self.target_extra.items()},
        }

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Trunk, advantages, state values; those of critics with those of the head."""
        critics = [module for module in self.extra.values() if isinstance(module, TiedCritic)]
        values = [self.head.state_values, *(critic.state_values for critic in critics)]
        return {
            "trunk": list(self.trunk.parameters()),
            "head": [*self.head.advantage_parameters(), *(each.projection for each in critics)],
            "value": [parameter for module in values for parameter in module.parameters()],
        }

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The algorithm's loss on the transitions that begin at the places `indices`."""
        places = np.array(indices, np.int64)
        ahead = self.memory.gather(places, self.algorithm.steps, self.algorithm.discount)
        B, (V, D) = len(places), self.head.output_table.shape
        states = torch.cat([ahead.before, ahead.after])
        with torch.no_grad():
            late = self.slow_trunk(states)
        view = View(
            batch=_one_action_each(ahead.actions, ahead.rewards, ahead.discounts),
            hidden=self.trunk(states).view(2, B, D).transpose(0, 1),
            centres=None,
            head=self.head,
            target=self.target,
            extra=self.extra,
            output_table=torch.zeros(V, D),  # of the policy that holds all actions alike
            episodes=float(len(self.memory)),
            trains_policy=False,
            target_extra=self.target_extra,
            target_hidden=late.view(2, B, D).transpose(0, 1),
            importance=weights,
        )
        loss, figures = self.algorithm.loss(view)
        figures["errors"] = figures["errors"][:, 0]
        return loss, figures

    def after_step(self, step: int) -> None:
        """Move all slow copies every `target_every` optimiser steps."""
        if step % self.algorithm.target_every == 0:
            slow = [self.slow_trunk, self.target, *self.target_extra.values()]
            fast = [self.trunk, self.head, *self.extra.values()]
            for one, other in zip(slow, fast, strict=True):
                update(one, other, self.algorithm.target_rate)


def _one_action_each(actions: Tensor, rewards: Tensor, discounts: Tensor) -> Batch:
    """(B,) each -> a batch of B episodes of one action, without text. What has a discount of 0
    ended; all else goes on."""
    B = len(actions)
    nothing = torch.zeros(B, 0, dtype=torch.int64)
    return Batch(
        tokens=nothing,
        lengths=torch.zeros(B, dtype=torch.int64),
        states=torch.zeros(B, 2, dtype=torch.int64),
        actions=actions[:, None],
        action_mask=torch.ones(B, 1, dtype=torch.bool),
        rewards=rewards[:, None],
        discounts=discounts[:, None],
        truncated=discounts > 0,
        behaviour_logprobs=torch.full((B, 1), torch.nan),
        turn_ids=torch.zeros(B, 1, dtype=torch.int64),
        member_mask=torch.ones(1, B, dtype=torch.bool),
        source=nothing,
        source_lengths=torch.zeros(B, dtype=torch.int64),
    )
