"""Best of N: draw N replies, keep the one that scores best. The baseline without learning.

It costs N times the sampling at every answer, but no training and no gradient, so anything that
is learnt should be held against it at the KL it spends.
"""

from collections.abc import Sequence
from math import comb, log

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import SettingsError
from speaq.environments.logs import generate_log
from speaq.evaluation.measure import Measured, interval
from speaq.experience.rewards import Reward, action_rewards
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel


def best_of(
    model: LanguageModel,
    prompts: Sequence[str],
    reward: Reward,
    *,
    counts: Sequence[int] = (1, 2, 4, 8),
    decoding: Decoding | None = None,
    seed: int = 0,
) -> dict[int, Measured]:
    """What keeping the best of N replies earns, for several N from one set of replies.

    Args:
        model: draws the replies, unguided.
        prompts: at least 2; intervals are bootstraps over prompts.
        reward: judges and measures: an upper bound for a judge that only guesses the reward.
        counts: the N.
        decoding: how replies are drawn.
        seed: of the replies.

    Returns:
        Figures by N. `kl` is the bound ln N - (N - 1)/N; `replies` is how many were drawn for all
        N together, `seconds` is left at 0.

    Raises:
        SettingsError: no N, or one below 1.
    """
    if not counts or min(counts) < 1:
        raise SettingsError(
            f"best of N: counts = {tuple(counts)} must be at least 1 each.",
            f"best of N 的 counts = {tuple(counts)} 必须各至少为 1。",
        )
    samples = max(counts)
    episodes, _ = generate_log(
        model.for_batches(), prompts, samples, decoding or Decoding(), seed=seed
    )
    earned = np.array([sum(action_rewards(each, reward)) for each in episodes])
    earned = earned.reshape(len(prompts), samples)
    rows = {}
    for count in counts:
        best = expected_best(earned, count)
        low, high = interval(best, [str(number) for number in range(len(prompts))], seed=seed)
        rows[count] = Measured(
            reward=float(best.mean()),
            low=low,
            high=high,
            kl=log(count) - (count - 1) / count,
            replies=len(episodes),
            prompts=len(prompts),
            seconds=0.0,
        )
    return rows


def expected_best(rewards: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Mean over all choices of `count` of the n replies of the best one: (P, n) -> (P,).

    Unbiased for every count ≤ n: the i-th smallest is the best of C(i - 1, count - 1) of the
    C(n, count) choices.
    """
    total = rewards.shape[1]
    chances = np.array([comb(place, count - 1) for place in range(total)]) / comb(total, count)
    mean: NDArray[np.float64] = np.sort(rewards, axis=1) @ chances
    return mean
