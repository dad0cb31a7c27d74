"""One pass over a log's states: what the base policy, every β and the value head say of each token.

The guided policy needs no sampling of its own, and the grid of β no pass of its own: hidden
states are cached, and one product with the output table serves every β.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speaq.core.errors import EvidenceError
from speaq.core.progress import bar
from speaq.evaluation.estimate import Scores, Steps
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import kl_divergence
from speaq.models.vocabulary import CHUNK_ELEMENTS
from speaq.training.encoding import Encoded
from speaq.training.features import Features

ROUNDING = 0.1
"""Root mean square difference of ln π per token that half precision explains (measured: 0.03)."""

STRANGE = 6.0
"""Standard errors by which the tokens of a log without propensities may miss what is usual."""


class Said(NamedTuple):
    """What is said of n tokens of one episode."""

    logprobs: np.ndarray  # (G, n) ln π_β, the first of them π_0's
    kl: np.ndarray  # (G,) sum over the states of KL(π_β ‖ π_0)
    values: np.ndarray  # (n,) V(s)
    advantages: np.ndarray  # (n,) A(s, a) of the token taken, centred under π_0
    means: np.ndarray  # (G, n) Σ_a π_β(a|s) A(s, a), centred as well
    surprise: np.ndarray  # (n,) E ln π_0 - ln π_0(a|s): of mean 0 if π_0 drew the token
    variance: np.ndarray  # (n,) of the surprise, if π_0 drew the token


@dataclass
class _Pass:
    """The log, token by token; 0 on padding."""

    moved: np.ndarray  # (G, N, K) ln π_β/π_0
    drift: np.ndarray  # (N, K) ln π_0/μ
    kl: np.ndarray  # (G, N)
    values: np.ndarray  # (N, K)
    advantages: np.ndarray  # (N, K)
    means: np.ndarray  # (G, N, K)
    surprise: np.ndarray  # (N, K)
    variance: np.ndarray  # (N, K)

    @classmethod
    def empty(cls, G: int, N: int, K: int) -> "_Pass":
        """For G values of β, N episodes and at most K tokens."""
        tokens, betas = np.zeros((5, N, K)), np.zeros((2, G, N, K))
        return cls(
            moved=betas[0],
            drift=tokens[0],
            kl=np.zeros((G, N)),
            values=tokens[1],
            advantages=tokens[2],
            means=betas[1],
            surprise=tokens[3],
            variance=tokens[4],
        )

    def note(self, index: int, part: slice, said: Said, each: Encoded) -> None:
        """Put what was said of the tokens `part` of episode `index` in its place."""
        moved, drift = _ratios(said.logprobs, each, part)
        self.moved[:, index, part], self.drift[index, part] = moved, drift
        self.kl[:, index] += said.kl
        self.values[index, part], self.advantages[index, part] = said.values, said.advantages
        self.means[:, index, part] = said.means
        self.surprise[index, part], self.variance[index, part] = said.surprise, said.variance


@torch.inference_mode()
def score(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    grid: Sequence[float],
    decoding: Decoding,
) -> Scores:
    """Ratios, divergences and values of every token of the log, under every β.

    Args:
        model: with a value head.
        encoded: N episodes.
        features: their cached states.
        use: (M, N) bool, which members of the head may judge which episode.
        grid: G values of β, the first of them 0.
        decoding: how replies were and will be drawn.
    """
    model = model.for_batches()
    device = model.output_table.device
    found = _Pass.empty(len(grid), len(encoded), max(len(each.actions) for each in encoded))
    rows = max(1, CHUNK_ELEMENTS // model.output_table.shape[0])
    with bar("gate", len(encoded)) as running:
        for index, each in enumerate(encoded):
            states = features.states(index)[:-1].to(device)  # (K_i, D)
            actions = torch.from_numpy(each.action_tokens).to(device)
            for start in range(0, len(states), rows):
                part = slice(start, min(start + rows, len(states)))
                judges = use[:, index, None].expand(-1, part.stop - start).to(device)
                said = _say(model, states[part], actions[part], judges, grid, decoding)
                found.note(index, part, said, each)
            running.advance()
    return _scores(found, encoded, grid)


def _scores(found: _Pass, encoded: Sequence[Encoded], grid: Sequence[float]) -> Scores:
    """By token as found, and summed by turn."""
    rewards, mask = np.zeros_like(found.drift), np.zeros(found.drift.shape, bool)
    unknown = np.zeros_like(mask)
    turns = np.zeros(found.drift.shape, np.int64)
    for index, each in enumerate(encoded):
        count = len(each.actions)
        rewards[index, :count], mask[index, :count] = each.rewards, True
        turns[index, :count] = each.turn_ids
        unknown[index, :count] = np.isnan(each.behaviour_logprobs)
    if not _is_base_policy(found.drift.sum(1), mask.sum(1)):
        found.moved += found.drift
    return Scores(
        betas=tuple(grid),
        log_ratios=_by_turn(found.moved, turns),
        kl=found.kl,
        rewards=_by_turn(rewards, turns),
        steps=Steps(found.moved, rewards, mask, found.values, found.advantages, found.means),
        strangeness=_strangeness(found.surprise[unknown], found.variance[unknown]),
    )


def _by_turn(values: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Sums over the tokens of each turn: (..., N, K) -> (..., N, J)."""
    sums = [np.where(turns == turn, values, 0.0).sum(-1) for turn in range(int(turns.max()) + 1)]
    return np.stack(sums, -1)


def _ratios(logprobs: np.ndarray, each: Encoded, part: slice) -> tuple[np.ndarray, np.ndarray]:
    """ln π_β/μ at the actions of `part` in two terms, ln π_β/π_0 (G, N) and ln π_0/μ (N,).

    A propensity that is not known is taken to be π_0's. Where π_0 itself could not have drawn the
    action (top-k, top-p), the first term is all of ln π_β/μ.

    Args:
        logprobs: (G, N) ln π_β, the first of them π_0's.
        each: the episode.
        part: which of its actions.

    Raises:
        EvidenceError: π_0 could not have drawn an action, and nothing says what did.
    """
    logged = each.behaviour_logprobs[part].astype(np.float64)
    possible = np.isfinite(logprobs[0])
    if np.isnan(logged[~possible]).any():
        raise EvidenceError(
            f"episode {each.id} holds a token that the base model would never draw under this "
            "decoding, and no propensity; give the gate the decoding that the log was made with.",
            f"片段 {each.id} 含有在此解码设置下基础模型不可能采样的词元，且没有记录其概率；"
            "请使用生成该日志时的解码设置。",
        )
    start = np.where(possible, logprobs[0], logged)
    return logprobs - start, np.nan_to_num(start - logged)


def _is_base_policy(drift: np.ndarray, tokens: np.ndarray) -> bool:
    """Whether the log was drawn from the base policy, up to rounding: ln π_0/μ (N,), tokens (N,).

    Then π_β/μ is π_β/π_0 with both from the same states: rounding differs between a log drawn in
    one precision or batch and states computed in another, and would only add noise to the weights.
    """
    return bool(np.sqrt((drift**2 / tokens).mean()) < ROUNDING)


def _strangeness(surprise: np.ndarray, variance: np.ndarray) -> float:
    """Nats by which tokens without propensity, (n,), are less likely than π_0's own would be.

    Had π_0 drawn them, their mean log-probability would be the mean negative entropy of their
    states. 0 where it is, up to what chance and rounding explain.
    """
    if not len(surprise):
        return 0.0
    mean, error = surprise.mean(), np.sqrt(variance.sum()) / len(surprise)
    return float(mean) if abs(mean) > max(ROUNDING, STRANGE * error) else 0.0


def _say(
    model: LanguageModel,
    states: Tensor,
    actions: Tensor,
    judges: Tensor,
    grid: Sequence[float],
    decoding: Decoding,
) -> Said:
    """What every β and the head say of the tokens taken, (n,), in their states, (n, D)."""
    head = model.require_head()
    logits = model.output_layer(states.to(model.output_table.dtype)).float()
    with model.fast_products():
        advantages = head.advantages(states, judges).float()
        values = (head.values(states).float() * judges).sum(0) / judges.sum(0)
    base = log_probabilities(logits, decoding)
    centre = _mean(base.exp(), advantages)
    logprobs, kls, means = [], [], []
    for beta in grid:
        guided = guide(logits, advantages, beta, decoding.support)
        policy = base if beta == 0 else log_probabilities(guided, decoding)
        logprobs.append(policy.gather(1, actions[:, None])[:, 0])
        kls.append(kl_divergence(policy, base).sum() if beta else centre.new_zeros(()))
        means.append(_mean(policy.exp(), advantages) - centre)
    surprise, variance = _surprise(base, logprobs[0])
    parts = {
        "logprobs": torch.stack(logprobs),
        "kl": torch.stack(kls),
        "values": values,
        "advantages": advantages.gather(1, actions[:, None])[:, 0] - centre,
        "means": torch.stack(means),
        "surprise": surprise,
        "variance": variance,
    }
    return Said(**{name: part.cpu().double().numpy() for name, part in parts.items()})


def _surprise(base: Tensor, taken: Tensor) -> tuple[Tensor, Tensor]:
    """E ln π_0 - ln π_0(a) of the tokens taken, and its variance: (n, V), (n,) -> (n,) twice."""
    possible = base.clamp(min=-1e4)  # 0·ln 0 counts as 0
    chances = base.exp()
    usual = _mean(chances, possible)
    return usual - taken.clamp(min=-1e4), _mean(chances, possible**2) - usual**2


def _mean(chances: Tensor, scores: Tensor) -> Tensor:
    """Σ_a π(a) score(a): (n, V) twice -> (n,)."""
    mean: Tensor = torch.linalg.vecdot(chances, scores)
    return mean
