"""Distributions of returns: the mathematics of categorical and quantile Q-learning.

A *categorical* distribution gives a probability to each of A fixed, equally spaced returns, the
atoms (C51, Bellemare et al. 2017). A *quantile* distribution gives A returns, each as likely, that
stand at the levels (i + ½)/A (QR-DQN, Dabney et al. 2018). Both are pure functions of tensors; the
leading axes `...` may be anything.
"""

import torch
from torch import Tensor

from speaq.core.errors import DataError


def project(places: Tensor, shares: Tensor, atoms: Tensor) -> Tensor:
    """Bring a distribution back onto the atoms: (..., J), (..., J), (A,) -> (..., A).

    Each share goes to the two atoms beside its place, in proportion to nearness, so that the mean
    is kept; beyond the ends it goes to the end, and there it is not (Bellemare et al. 2017, eq. 7).
    A place on an atom gives all to that atom, the last one included.

    Args:
        places: returns.
        shares: their probabilities; they sum to 1.
        atoms: A ≥ 2 returns, equally spaced and rising.
    """
    count = len(atoms)
    spacing = (atoms[-1] - atoms[0]) / (count - 1)
    reach = ((places - atoms[0]) / spacing).clamp(0, count - 1)
    below = reach.floor().clamp(max=count - 2)
    above = (reach - below) * shares
    made = shares.new_zeros(*shares.shape[:-1], count)
    made.scatter_add_(-1, below.long(), shares - above)
    made.scatter_add_(-1, below.long() + 1, above)
    return made


def quantile_loss(quantiles: Tensor, samples: Tensor, huber: float) -> Tensor:
    """How badly quantiles fit samples: (..., A), (..., J) -> (...).

    Σ_i mean_j |τ_i - 1[u < 0]| · L(u) with u = z_j - θ_i and τ_i = (i + ½)/A, where L is |u|, and
    within δ = `huber` > 0 of 0 the parabola u²/2δ, moved so that both meet (Dabney et al. 2018,
    eq. 10, divided by δ: so the limit of small δ is the plain quantile loss, whose minimiser is
    the quantile itself).
    """
    count = quantiles.shape[-1]
    levels = (torch.arange(count, device=quantiles.device) + 0.5) / count
    gap = samples[..., None, :] - quantiles[..., :, None]  # (..., A, J)
    size = gap.abs()
    if huber:
        size = torch.where(size > huber, size - 0.5 * huber, 0.5 * gap**2 / huber)
    return ((levels[:, None] - (gap < 0).float()).abs() * size).mean(-1).sum(-1)


def require_within(what: str, returns: Tensor, low: float, high: float) -> None:
    """Refuse returns that the atoms do not span.

    Args:
        what: whose settings `low` and `high` are.
        returns: (N,).

    Raises:
        DataError: names the first return outside [low, high], and the fix.
    """
    slack = 1e-6 * (high - low)
    outside = returns[(returns < low - slack) | (returns > high + slack)]
    if len(outside):
        raise DataError(
            f"a return is {float(outside[0]):g}, outside {what}'s low = {low:g} to high = "
            f"{high:g}; widen them or rescale the reward.",
            f"有回报为 {float(outside[0]):g}，超出 {what} 的 low = {low:g} 至 high = {high:g}；"
            "请放宽范围或缩放奖励。",
            field="reward",
        )
