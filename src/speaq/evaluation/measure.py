"""What a policy earns, measured on fresh replies to given prompts, and how far it has moved."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speaq.core.progress import bar
from speaq.core.seeds import generator
from speaq.environments.logs import generate_log
from speaq.experience.episode import Episode
from speaq.experience.rewards import Reward, action_rewards
from speaq.models.decoding import Decoding, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import kl_divergence
from speaq.models.vocabulary import CHUNK_ELEMENTS
from speaq.training.encoding import encode_episodes
from speaq.training.features import hidden_states

TOGETHER = 32
"""Episodes whose states are held at once while divergences are computed."""


@dataclass(frozen=True)
class Measured:
    """Mean reward per episode with a 95 % interval, and KL from the base model."""

    reward: float
    low: float
    high: float
    kl: float
    """KL(policy ‖ base) in nats per reply, exact at every state the policy visited."""
    replies: int
    prompts: int
    seconds: float
    """Spent sampling and scoring."""


def measure(  # noqa: PLR0913  figures need their settings
    model: LanguageModel,
    prompts: Sequence[str],
    reward: Reward,
    *,
    base: LanguageModel,
    samples: int = 8,
    decoding: Decoding | None = None,
    beta: float = 0.0,
    seed: int = 0,
    title: str = "measuring",
) -> tuple[Measured, list[Episode]]:
    """Draw `samples` replies to each prompt, score them, and return the figures and the replies.

    Args:
        model: the policy, guided by its head if `beta` is not 0.
        prompts: at least 2; the interval is a bootstrap over prompts.
        reward: a function of an episode.
        base: what the divergence is measured from; the same tokenizer.
        samples: replies per prompt.
        decoding: how replies are drawn, by both policies.
        beta: strength of guidance.
        seed: of the replies. Two policies measured with one seed see the same random numbers.
        title: shown beside the progress bar.
    """
    decoding = decoding or Decoding()
    start = time.perf_counter()
    fast = model.for_batches()
    episodes, drawn = generate_log(
        fast, prompts, samples, decoding, seed=seed, beta=beta, title=title
    )
    earned = np.array([sum(action_rewards(each, reward)) for each in episodes])
    low, high = interval(earned, [each.prompt for each in episodes], seed=seed)
    if model.causal is base.causal:
        kl = float(np.mean([each.kl for each in drawn]))
    else:
        kl = divergence(fast, base.for_batches(), episodes, decoding)
    measured = Measured(
        reward=float(earned.mean()),
        low=low,
        high=high,
        kl=kl,
        replies=len(episodes),
        prompts=len(prompts),
        seconds=time.perf_counter() - start,
    )
    return measured, episodes


def interval(
    values: np.ndarray, groups: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the mean, drawing whole groups (prompts) with replacement."""
    names, place = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.bincount(place, values, minlength=len(names))
    counts = np.bincount(place, minlength=len(names))
    draws = generator(seed, "interval").multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=2000
    )
    means = (draws @ sums) / (draws @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@torch.inference_mode()
def divergence(
    model: LanguageModel, base: LanguageModel, episodes: Sequence[Episode], decoding: Decoding
) -> float:
    """KL(model ‖ base) in nats per episode, summed exactly over the episodes' states."""
    encoded = encode_episodes(model, episodes, lambda _: 0.0)
    total = 0.0
    with bar("divergence", len(encoded)) as running:
        for start in range(0, len(encoded), TOGETHER):
            part = encoded[start : start + TOGETHER]
            ours = torch.cat([states[:-1] for states in hidden_states(model, part)])
            theirs = torch.cat([states[:-1] for states in hidden_states(base, part)])
            total += float(_divergences(model, base, ours, theirs, decoding).sum())
            running.advance(len(part))
    return total / len(encoded)


def _divergences(
    model: LanguageModel, base: LanguageModel, ours: Tensor, theirs: Tensor, decoding: Decoding
) -> Tensor:
    """KL at each state: hidden states (N, D) of either model -> (N,)."""
    rows = max(1, CHUNK_ELEMENTS // model.output_table.shape[0])
    pieces = []
    for left, right in zip(torch.split(ours, rows), torch.split(theirs, rows), strict=True):
        policy = log_probabilities(model.output_layer(left), decoding)
        pieces.append(kl_divergence(policy, log_probabilities(base.output_layer(right), decoding)))
    return torch.cat(pieces)
