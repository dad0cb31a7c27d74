"""Fitting Q over choices to a log with bandit feedback; see `partial_feedback` for the losses.

Q is linear in given features, so a fit is a smooth problem of a few thousand numbers: L-BFGS
solves it to the end, and neither learning rate nor early stopping has to be chosen. How strong
the prior is, a held-out part of the log decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from speaq.core.seeds import torch_generator
from speaq.core.settings import require
from speaq.qlearning.contrast import require_different
from speaq.qlearning.partial_feedback import (
    inverse_weights,
    robust_targets,
    taken_loss,
    target_loss,
    values,
)

ABSENT = -1e4
"""The score of a candidate that is not there."""
_CLICKS = (-3.0, 3.0)
"""Where the logits of lo and hi begin: 5 % and 95 %."""


@dataclass(frozen=True)
class ChoiceSettings:
    """How Q over choices is fitted."""

    estimator: Literal["direct", "weighted", "robust"] = "direct"
    """Which loss; see `partial_feedback`."""
    exclusive: bool = False
    """Whether exactly one choice is right."""
    ridge: tuple[float, ...] = (0.03, 0.3, 3.0)
    """Strengths of the prior that are tried, in episodes whose features have the mean size."""
    held_out: float = 0.1
    """Share of the log that chooses among them."""
    iterations: int = 80
    """Steps of L-BFGS at most."""

    def __post_init__(self) -> None:
        rules = {
            "estimator": (
                self.estimator in ("direct", "weighted", "robust"),
                "direct, weighted or robust",
            ),
            "ridge": (bool(self.ridge) and min(self.ridge) > 0, "positive numbers, one at least"),
            "held_out": (0 < self.held_out < 1, "in (0, 1)"),
            "iterations": (self.iterations >= 1, "≥ 1"),
        }
        require("choices", self, rules)


@dataclass(frozen=True)
class ChoiceLog:
    """N logged choices."""

    features: Tensor
    """(N, F) of the text, where the choices are the same for all; or (N, C, F) of candidates."""
    taken: Tensor  # (N,) int64
    rewards: Tensor  # (N,) float32
    propensities: Tensor  # (N,) μ(a|s); 1 where it is not known

    def __getitem__(self, places: Tensor) -> "ChoiceLog":
        """Some of them."""
        return ChoiceLog(
            self.features[places],
            self.taken[places],
            self.rewards[places],
            self.propensities[places],
        )

    def __len__(self) -> int:
        return len(self.taken)


class Scorer(Protocol):
    """What gives scores: zero at first."""

    weights: nn.Parameter

    def __call__(self, features: Tensor) -> Tensor:
        """Features of the log -> (N, C)."""

    def parameters(self) -> Sequence[nn.Parameter]:
        """What is learnt."""


class LabelScores:
    """The same C labels for every text: z = W x + b, x (N, F).

    All begin at `start`, the logit of the log's mean reward, so that a label the log never tried
    stays as good as the log's usual choice.
    """

    def __init__(self, labels: int, features: int, start: float = 0.0) -> None:
        self.weights = nn.Parameter(torch.zeros(labels, features))
        self.offsets = nn.Parameter(torch.full((labels,), start))

    def __call__(self, features: Tensor) -> Tensor:
        """See `Scorer`."""
        return nn.functional.linear(features, self.weights, self.offsets)

    def parameters(self) -> Sequence[nn.Parameter]:
        """See `Scorer`."""
        return [self.weights, self.offsets]


class CandidateScores:
    """Candidates of their own for every question: z = w·x + b, x (N, C, F); NaN in the features
    of one that is not there."""

    def __init__(self, features: int, start: float = 0.0) -> None:
        self.weights = nn.Parameter(torch.zeros(features))
        self.offset = nn.Parameter(torch.full((), start))

    def __call__(self, features: Tensor) -> Tensor:
        """See `Scorer`."""
        absent = features.isnan().any(-1)
        scores = features.nan_to_num(0.0) @ self.weights + self.offset
        return scores.masked_fill(absent, ABSENT)

    def parameters(self) -> Sequence[nn.Parameter]:
        """See `Scorer`."""
        return [self.weights, self.offset]


@dataclass(frozen=True)
class Fitted:
    """Q as it was learnt."""

    scorer: Scorer
    clicks: Tensor | None
    """(2,) logits of how often what is wrong and what is right is clicked on."""
    ridge: float
    """The strength that the held-out part chose."""
    loss: float
    """On the held-out part, in nats."""

    @torch.no_grad()
    def scores(self, features: Tensor) -> Tensor:
        """Logits z: -> (N, C)."""
        return self.scorer(features)


def fit(
    log: ChoiceLog, make: Callable[[float], Scorer], settings: ChoiceSettings, seed: int
) -> Fitted:
    """Learn Q from a log.

    Args:
        log: rewards in [0, 1].
        make: a fresh scorer whose scores begin at a logit.
        settings: see there.
        seed: of what is held out.

    Raises:
        DataError: all choices earned the same.
    """
    require_different(log.rewards.numpy())
    order = torch.randperm(len(log), generator=torch_generator(seed, "choices"))
    held = order[: max(1, round(settings.held_out * len(log)))]
    kept = order[len(held) :]
    judged = log[held]
    weights = _weights(judged, settings)
    tried = []
    for ridge in settings.ridge if len(settings.ridge) > 1 else ():
        found = _fit(log[kept], make, settings, ridge)
        with torch.no_grad():
            scores = found.scorer(judged.features)
            missed = taken_loss(scores, judged.taken, judged.rewards, weights, found.clicks)
        tried.append((float(missed), ridge))
    loss, best = min(tried, default=(float("nan"), settings.ridge[0]))
    return _fit(log, make, settings, best, loss)


def _weights(log: ChoiceLog, settings: ChoiceSettings) -> Tensor:
    if settings.estimator == "direct":
        return torch.ones(len(log))
    return inverse_weights(log.propensities)


def _fit(
    log: ChoiceLog,
    make: Callable[[float], Scorer],
    settings: ChoiceSettings,
    ridge: float,
    loss: float = float("nan"),
) -> Fitted:
    if settings.estimator != "robust":
        return _solved(log, make, settings, ridge, loss, None)
    halves = torch.arange(len(log)) % 2
    targets: Tensor | None = None
    for half in (0, 1):
        rest, own = log[halves != half], log[halves == half]
        earlier = _solved(rest, make, settings, ridge, loss, None)
        with torch.no_grad():
            foretold = values(earlier.scorer(own.features), earlier.clicks)
        found = robust_targets(foretold, own.taken, own.rewards, own.propensities)
        targets = foretold.new_zeros(len(log), foretold.shape[1]) if targets is None else targets
        targets[halves == half] = found
    return _solved(log, make, settings, ridge, loss, targets)


def _solved(
    log: ChoiceLog,
    make: Callable[[float], Scorer],
    settings: ChoiceSettings,
    ridge: float,
    loss: float,
    targets: Tensor | None,
) -> Fitted:
    """One fit: by the choices taken, or by targets for all of them."""
    mean = log.rewards.mean().clamp(1e-3, 1 - 1e-3)
    scorer = make(0.0 if settings.exclusive else float(torch.logit(mean)))
    clicks = torch.tensor(_CLICKS, requires_grad=True) if settings.exclusive else None
    learnt = [*scorer.parameters(), *([clicks] if clicks is not None else [])]
    solver = torch.optim.LBFGS(
        learnt,
        max_iter=settings.iterations,
        history_size=20,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )
    weights = torch.ones(len(log)) if targets is not None else _weights(log, settings)

    def closure() -> float:
        solver.zero_grad()
        scores = scorer(log.features)
        if targets is None:
            cost = taken_loss(scores, log.taken, log.rewards, weights, clicks)
        else:
            cost = target_loss(scores, targets, clicks)
        cost = cost + 0.5 * ridge / len(log) * scorer.weights.square().sum()
        cost.backward()  # type: ignore[no-untyped-call]
        return float(cost.detach())

    solver.step(closure)  # type: ignore[no-untyped-call]
    fixed = None if clicks is None else clicks.detach()
    return Fitted(scorer, fixed, ridge, loss)
