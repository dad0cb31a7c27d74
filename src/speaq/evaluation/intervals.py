"""Intervals for the estimators of `off_policy`: a bootstrap over groups of episodes.

Episodes of one group (replies to one prompt) are not independent, so groups are drawn whole.
Weights are skewed, and a bootstrap of skewed sums errs in a known direction but by an unknown
amount. Two of them are taken, and at either end the further one:

    percentile   quantiles of the estimates that the draws give
    studentised  quantiles of how far these are off, in standard errors of each draw's own, put on
                 the standard error of the log (bootstrap-t: Efron 1982; Hall 1988)

Both are taken further out than the level says, as Student's t is further out than the normal
distribution (the expanded interval: Hesterberg 2015, section 5.3), with as many degrees of
freedom as there are groups, each counted by its weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import EvidenceError
from speaq.core.seeds import generator
from speaq.evaluation.off_policy import Floats, Terms, effective_size

AT_ONCE = 100
"""Draws whose standard errors are held at once."""


class Interval(NamedTuple):
    """An estimate and what it may be."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Draws of P groups with replacement, the same for every estimate made with it."""

    place: NDArray[np.intp]
    """(N,) the group of each episode."""
    counts: NDArray[np.int64]
    """(draws, P) how often each group was drawn."""

    @classmethod
    def over(cls, groups: Sequence[str], draws: int, seed: int) -> "Bootstrap":
        """Of episodes that belong to `groups` (N,).

        Raises:
            EvidenceError: fewer than 5 groups; no interval could be trusted.
        """
        names, place = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
        if len(names) < 5:
            raise EvidenceError(
                f"the log holds {len(names)} different prompts; the gate needs at least 5 to say "
                "how much its prediction would vary.",
                f"日志只有 {len(names)} 个不同的提示；闸门至少需要 5 个才能估计预测的波动。",
            )
        even = np.full(len(names), 1 / len(names))
        return cls(place, generator(seed, "gate").multinomial(len(names), even, size=draws))

    def sums(self, values: Floats) -> Floats:
        """Sums within each group: (N, ...) -> (P, ...)."""
        sums = np.zeros((self.counts.shape[1], *values.shape[1:]))
        np.add.at(sums, self.place, values)
        return sums

    def estimate(self, terms: Terms) -> tuple[float, Floats]:
        """The estimate, and what it is in each draw, (draws,)."""
        above, below = self.sums(terms.above), self.sums(terms.below)
        drawn = of_sums(self.counts @ above, self.counts @ below)
        return float(of_sums(above.sum(0), below.sum(0))), drawn

    def interval(self, terms: Terms, tail: float) -> Interval:
        """The estimate with an interval that leaves out `tail` at either end."""
        value, drawn = self.estimate(terms)
        low, high = np.quantile(drawn, [tail, 1 - tail])
        error, errors = self._errors(terms)
        # A draw of the same group over and over has no error of its own, and says nothing here.
        said = errors > 1e-9 * error
        if said.any():
            near, far = np.quantile((drawn - value)[said] / errors[said], [tail, 1 - tail])
            low, high = min(low, value - far * error), max(high, value - near * error)
        return Interval(value, float(low), float(high))

    def _errors(self, terms: Terms) -> tuple[float, Floats]:
        """Standard error of the estimate, and of that of each draw, (draws,)."""
        above, below = self.sums(terms.above), self.sums(terms.below)
        whole = np.ones((1, len(above)), self.counts.dtype)
        parts = [
            np.sqrt((some.T * _influences(above, below, some) ** 2).sum(0))
            for some in (whole, *np.array_split(self.counts, -(-len(self.counts) // AT_ONCE)))
        ]
        return float(parts[0][0]), np.concatenate(parts[1:])

    def degrees(self, w: Floats) -> float:
        """Effective number of groups under the episodes' weights (N,), less one."""
        return effective_size(self.sums(w)) - 1


def _influences(above: Floats, below: Floats, counts: NDArray[np.int64]) -> Floats:
    """How much each of P groups moves the estimate of each draw: (P, J) twice, (d, P) -> (P, d).

    Σ_j (above_pj - θ_j below_pj) / Σ_p below_pj, the linear part of a ratio's error.
    """
    total = counts @ below  # (d, J)
    inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    moved: Floats = above @ inverse.T - below @ (counts @ above * inverse**2).T
    return moved


def of_sums(above: Floats, below: Floats) -> Floats:
    """Σ_j above_j / below_j of sums over episodes: (..., J) twice -> (...).

    A decision that no episode has any weight in counts 0; its effective sample size is 0 as well.
    """
    none = np.zeros_like(above)
    means: Floats = np.divide(above, below, out=none, where=below > 0).sum(-1)
    return means


def expanded(tail: float, degrees: float) -> float:
    """The tail to cut from a bootstrap so that it is `tail` in truth, for P - 1 `degrees`.

    Φ(√(P/(P-1)) t) with t the quantile of Student's distribution. Below 4 degrees that of 4 is
    taken: so few groups deserve no interval, and the gate gives them none.
    """
    degrees = max(degrees, 4.0)
    normal = NormalDist()
    return normal.cdf(math.sqrt((degrees + 1) / degrees) * student(normal.inv_cdf(tail), degrees))


def student(z: float, degrees: float) -> float:
    """Quantile of Student's t where the normal's is z.

    Three terms of the expansion in 1/degrees (Abramowitz and Stegun 1964, 26.7.5): for 4 degrees
    1 % off at the 95 % interval.
    """
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
