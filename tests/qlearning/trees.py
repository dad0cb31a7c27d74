"""Training on token trees through the real learner, and reading the values off the head."""

import numpy as np
import torch

from speaq.environments.tabular import tabular_model
from speaq.models.head import HeadSettings
from speaq.qlearning.learner import Learner
from speaq.training.encoding import Encoded


def encode(walks):
    return [
        Encoded(
            id=str(number),
            group=str(number),
            tokens=np.array(walk.tokens, np.int64),
            actions=np.array(walk.actions, np.int64),
            turn_ids=np.zeros(len(walk.actions), np.int64),
            rewards=np.array(walk.rewards, np.float32),
            behaviour_logprobs=np.array(walk.logprobs, np.float32),
            truncated=walk.truncated,
        )
        for number, walk in enumerate(walks)
    ]


def learner_of(tree, policy, algorithm, walks, kind="linear", train_policy=False):
    model = tabular_model(tree, policy)
    model.causal.requires_grad_(train_policy)
    model = model.with_head(
        HeadSettings(kind=kind, members=algorithm.heads_per_member, value_width=0)
    )
    encoded = encode(walks)
    return Learner(model, algorithm, encoded, None, torch.ones(1, len(encoded), dtype=torch.bool))


def fit(learner, steps=400, lr=0.1):
    """Full-batch Adam whose rate falls to a hundredth, and the target after every step."""
    parameters = [each for group in learner.parameters().values() for each in group]
    optimiser = torch.optim.Adam(parameters, lr=lr, betas=(0.8, 0.95))
    everything = range(len(learner.encoded))
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * 0.01 ** (step / steps)
        optimiser.zero_grad(set_to_none=True)
        loss, _ = learner.loss(everything)
        loss.backward()
        optimiser.step()
        learner.after_step(step + 1)
    return learner


@torch.no_grad()
def q_table(tree, head, member=0):
    """Q (nodes, V) of a head on a tabular model."""
    states = torch.eye(tree.nodes)
    q_values = head.values(states)[member][:, None] + head.member_advantages(states, member)
    return q_values.double().numpy()


def worst(tree, found, expected):
    """Largest gap over the decisions."""
    return np.abs(found - expected)[tree.decisions].max()
