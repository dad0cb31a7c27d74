"""Choices learnt from a log: by cloning, the baseline, and by `speaq`; and rows of results."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speaq.qlearning.choices import ChoiceLog, ChoiceSettings, Scorer, fit

RIDGE = 0.3
RIDGES = (0.1, 1.0)


def imitated(
    log: ChoiceLog,
    make: Callable[[float], Scorer],
    *,
    clicked: bool = False,
    ridge: float = RIDGE,
) -> Scorer:
    """Scores whose softmax is likeliest to have taken what the log took, or what was clicked on."""
    kept = log[log.rewards > 0.5] if clicked else log
    scorer = make(0.0)
    solver = torch.optim.LBFGS(
        list(scorer.parameters()), max_iter=80, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        solver.zero_grad()
        loss = nn.functional.cross_entropy(scorer(kept.features), kept.taken)
        loss = loss + 0.5 * ridge / len(kept) * scorer.weights.square().sum()
        loss.backward()
        return float(loss.detach())

    solver.step(closure)
    return scorer


def learnt(log: ChoiceLog, make: Callable[[float], Scorer], seed: int) -> Callable[..., Tensor]:
    """Scores of Q, with one right choice or without, whichever foretells held-out clicks better."""
    tried = [
        fit(log, make, ChoiceSettings(exclusive=exclusive, ridge=RIDGES), seed)
        for exclusive in (False, True)
    ]
    return min(tried, key=lambda fitted: fitted.loss).scores


@torch.no_grad()
def best(scorer: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """The choice of the highest score: -> (N,)."""
    return scorer(features).argmax(1)


def row(
    seed: int, application: str, method: str, earned: Sequence[float], seconds: float
) -> dict[str, Any]:
    """The mean of what was earned, its 95 % interval over the test part, seconds of learning."""
    found = np.asarray(earned, float)
    margin = 1.96 * float(found.std(ddof=1)) / math.sqrt(len(found))
    mean = float(found.mean())
    return {
        "seed": seed,
        "application": application,
        "method": method,
        "score": mean,
        "low": mean - margin,
        "high": mean + margin,
        "seconds": seconds,
    }
