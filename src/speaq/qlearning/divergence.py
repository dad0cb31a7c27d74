"""Values that no return could have: training that diverges is stopped before the numbers end.

Bootstrapped values diverge long before they overflow: each target is read from values that the
last one raised. What a value may be is known from the log, so this can be seen early.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from speaq.core.errors import DivergenceError
from speaq.training.encoding import Encoded

MARGIN = 10.0
"""How many times the largest return a value may be, before this is called divergence."""


def largest_return(encoded: Sequence[Encoded], discount: float) -> float:
    """The largest |Σ_j γ^j r_{k+j}| from any action of any episode on.

    Where episodes were cut off, what followed may have gone on as their largest reward:
    |r|/(1 - γ) more, without end where γ is 1.
    """
    largest = 0.0
    for each in encoded:
        total = 0.0
        for reward in each.rewards[::-1].tolist():
            total = reward + discount * total
            largest = max(largest, abs(total))
    cut = [np.abs(each.rewards).max() for each in encoded if each.truncated]
    if not cut or not max(cut):
        return largest
    return largest + float(max(cut)) / (1 - discount) if discount < 1 else np.inf


def require_plausible(value: float, largest: float, options: Mapping[str, Any]) -> None:
    """Refuse a |Q| of more than `MARGIN` times the largest return.

    Args:
        value: the largest |Q| found.
        largest: see `largest_return`; 0 allows anything.
        options: the algorithm's settings, by name.

    Raises:
        DivergenceError: names the setting that is likely behind it.
    """
    if not largest or value <= MARGIN * largest:
        return
    setting, en, zh = _likely(options)
    raise DivergenceError(
        f"values have grown to {value:.3g}, but no return in the log is beyond {largest:.3g}: "
        f"training diverges, likely through {setting}; {en}. The last good checkpoint is kept.",
        f"价值已增至 {value:.3g}，而日志中的回报不超过 {largest:.3g}：训练发散，"
        f"原因很可能是 {setting}；{zh}。最近的有效检查点已保留。",
    )


def _likely(options: Mapping[str, Any]) -> tuple[str, str, str]:
    """The setting most often behind divergence under these options, and what to do about it."""
    every, rate = options.get("target_every", 0), options.get("target_rate", 1.0)
    if every and rate / every > 0.5:
        return (
            f"target_every = {every} with target_rate = {rate:g}",
            "update the target network more slowly",
            "请放慢目标网络的更新",
        )
    if options.get("cql", 1.0) == 0:
        return "cql = 0", "use 0.1 or more", "请设为 0.1 或更大"
    return "head_lr or value_lr", "lower them", "请降低"
