"""How the learning rate changes over a run: it rises from 0, then decays to a floor.

    constant       stays
    linear         1 - (1 - floor) p
    cosine         floor + (1 - floor) (1 + cos πp) / 2      (Loshchilov and Hutter 2017, eq. 5)
    exponential    floor^p

p is the part of the run that is done. All are multiplied by the rise during warm-up.
"""

import math
from collections.abc import Callable

SCHEDULES = ("constant", "linear", "cosine", "exponential")

_DECAYS: dict[str, Callable[[float, float], float]] = {
    "constant": lambda done, floor: 1.0,
    "linear": lambda done, floor: 1 - (1 - floor) * done,
    "cosine": lambda done, floor: floor + (1 - floor) * (0.5 + 0.5 * math.cos(math.pi * done)),
    "exponential": lambda done, floor: floor**done,
}


def factor(schedule: str, step: int, steps: int, warmup: int, floor: float) -> float:
    """Factor on the learning rates at `step`, counted from 0.

    Args:
        schedule: one of `SCHEDULES`.
        step: in [0, steps].
        steps: of the run.
        warmup: steps over which the rate rises; 0: none.
        floor: factor at the end of the run, in [0, 1]; above 0 for `exponential`.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return rise * _DECAYS[schedule](step / steps, floor)
