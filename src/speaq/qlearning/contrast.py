"""Whether a log can teach anything: learning compares, so something must differ."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError
from speaq.training.encoding import Encoded


def require_contrast(encoded: Sequence[Encoded]) -> None:
    """Refuse a log in which no outcome was better than another.

    Episodes are compared by what they earned in all; the turns of a log of a single episode by
    what each earned.

    Raises:
        DataError: all earned the same; says how much.
    """
    if len(encoded) == 1:
        only = encoded[0]
        earned = np.bincount(only.turn_ids, only.rewards).astype(np.float32)
    else:
        earned = np.array([each.rewards.sum() for each in encoded], np.float32)
    require_different(earned)


def require_different(earned: NDArray[np.float32]) -> None:
    """The same for what was earned, (N,).

    Raises:
        DataError: see `require_contrast`.
    """
    if len(earned) and np.ptp(earned) <= 1e-6 * np.abs(earned).max():
        raise DataError(
            f"everything in the log earned the same ({earned[0]:g}), so nothing can be learnt "
            "about what is better; add replies that were rated differently.",
            f"日志中的回报全部相同（{earned[0]:g}），无从学习孰优孰劣；请加入评价不同的回复。",
            field="reward",
        )
