"""What an algorithm bootstraps from takes no gradient, not even into a trunk that is trained."""

from dataclasses import replace

import pytest
import torch

from speaq.qlearning.awac import AWAC
from speaq.qlearning.dqn import DQN
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.qsft import QSFT
from speaq.qlearning.soft_q import SoftQ
from speaq.qlearning.targets import frozen

BOOTSTRAPPING = [
    DQN(),
    DQN(double=False, steps=2),
    DQN(distribution="categorical", low=-50, high=50),
    DQN(distribution="quantile"),
    SoftQ(),
    SoftQ(steps=2),
    QSFT(),
    ILQL(),
    AWAC(),
]

NAMES = ["dqn", "single-2", "categorical", "quantile", "soft-q", "soft-q-2", "qsft", "ilql", "awac"]


@pytest.mark.parametrize("algorithm", BOOTSTRAPPING, ids=NAMES)
def test_the_state_after_a_cut_is_looked_at_and_not_taught(algorithm, ragged, random_head, view_of):
    """No action was taken in it, so all it can do is tell its value."""
    lengths = [2, 4, 1]
    batch, hidden = ragged(5, lengths)
    batch.member_mask.fill_(True)
    batch.truncated.fill_(True)
    batch = replace(batch, discounts=0.9 * batch.action_mask)
    head = random_head("linear", algorithm.heads_per_member)
    view = view_of(algorithm, batch, hidden, head, trains_policy=True)
    late = {name: frozen(each) for name, each in algorithm.extra_modules(1, 5).items()}
    stream = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in [*view.extra.values(), *late.values()]:
            for weight in module.parameters():
                weight.copy_(torch.randn(weight.shape, generator=stream))
    rows = torch.arange(3), torch.tensor(lengths)

    def loss(hidden):
        torch.manual_seed(0)
        return algorithm.loss(replace(view, hidden=hidden, target_extra=late))[0]

    states = hidden.clone().requires_grad_(True)
    loss(states).backward()
    assert not states.grad[rows].any()
    assert states.grad[:, 0].any()
    if isinstance(algorithm, QSFT):
        return  # its weight is clamped to [0, 1], where random values seldom are
    moved = hidden.clone()
    moved[rows] += 1.0
    assert not torch.equal(loss(moved), loss(hidden))
