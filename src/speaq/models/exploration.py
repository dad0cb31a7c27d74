"""Trying tokens that do not look best, among those the language model itself finds likely.

Exploring over a whole vocabulary would write noise; so only the `top_k` likeliest tokens of the
unguided model are candidates. Among them the value function is followed greedily except for a
share ε of uniform draws (ε-greedy, Watkins 1989), or with probabilities proportional to
exp(A/temperature) (Boltzmann). Both are distributions like any other: the propensity of what was
drawn is exact.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from speaq.core.settings import require

Kind = Literal["epsilon", "boltzmann"]


@dataclass(frozen=True)
class Exploration:
    """How to explore."""

    kind: Kind = "epsilon"
    """`epsilon` or `boltzmann`."""
    top_k: int = 10
    """Candidates: this many of the model's own likeliest tokens; 0 takes all."""
    epsilon: float = 0.1
    """Share of uniform draws of ε-greedy."""
    temperature: float = 1.0
    """Advantage, in units of reward, that makes a token e times likelier under Boltzmann."""

    def __post_init__(self) -> None:
        rules = {
            "kind": (self.kind in ("epsilon", "boltzmann"), "epsilon / boltzmann"),
            "top_k": (self.top_k >= 0, "≥ 0"),
            "epsilon": (0 <= self.epsilon <= 1, "in [0, 1]"),
            "temperature": (self.temperature > 0, "> 0"),
        }
        require("exploration", self, rules)


def exploring(logits: Tensor, advantages: Tensor, exploration: Exploration) -> Tensor:
    """Log-probabilities of the next token while exploring: (N, V), (N, V) -> (N, V) float32.

    Tokens that are no candidates get -inf. Among equal advantages, as under an untrained head, the
    likeliest token is the greedy one.

    Args:
        logits: of the unguided model.
        advantages: A(s, ·).
        exploration: how.
    """
    logits = logits.float()
    V = logits.shape[-1]
    likely = logits.topk(min(exploration.top_k or V, V), dim=-1)
    liked = advantages.float().gather(-1, likely.indices)  # (N, k), likeliest first
    if exploration.kind == "boltzmann":
        chosen = torch.log_softmax(liked / exploration.temperature, -1)
    else:
        shares = torch.full_like(liked, exploration.epsilon / liked.shape[-1])
        best = liked.argmax(-1, keepdim=True)
        chosen = shares.scatter_add(-1, best, torch.full_like(shares, 1 - exploration.epsilon))
        chosen = chosen.log()
    return torch.full_like(logits, -torch.inf).scatter(-1, likely.indices, chosen)
