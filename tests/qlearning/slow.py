"""Definitions as slow loops over single actions, to hold the losses against."""

import math

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from speaq.qlearning.targets import target_of

GAMMA = 0.9  # of the ragged batches
LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=4)
SEEDS = st.integers(0, 10_000)
shapes = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def another(head):
    """A head with other weights on the same output table."""
    other = target_of(head)
    stream = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in other.parameters():
            weight.copy_(torch.randn(weight.shape, generator=stream))
    return other


def places(batch, member):
    """(row, action) of everything a member may learn from."""
    counts = batch.action_mask.sum(1).tolist()
    rows = [b for b in range(len(counts)) if batch.member_mask[member, b]]
    return [(b, k) for b in rows for k in range(counts[b])]


def over_places(batch, members, term):
    """Mean over members of the mean over places of term(member, row, action)."""
    means = []
    for m in range(members):
        terms = [term(m, b, k) for b, k in places(batch, m)]
        means.append(sum(terms) / len(terms) if terms else 0.0)
    return sum(means) / len(means)


@torch.no_grad()
def scores(head, member, state):
    """V(s) and A(s, ·) of one member at one state, as numbers."""
    value = float(head.values(state[None])[member, 0])
    return value, head.member_advantages(state[None], member)[0].tolist()


def ahead(batch, b, k, steps, reward, value):
    """Σ_{j<n} γ^j reward(k+j) + γ^n value(k+n): stops at the end, bootstraps at a cut."""
    count = int(batch.action_mask[b].sum())
    total, factor = 0.0, 1.0
    for _ in range(steps or count):
        if k == count:
            break
        total += factor * reward(k)
        factor *= GAMMA
        k += 1
    if k == count and not batch.truncated[b]:
        return total
    return total + factor * value(k)


def log_mean_exp(table, state, advantages, scale):
    """ln Σ_a π(a|s) exp(scale · A), π the softmax of state · table."""
    policy = torch.softmax(table @ state, 0).tolist()
    return math.log(sum(p * math.exp(scale * a) for p, a in zip(policy, advantages, strict=True)))
