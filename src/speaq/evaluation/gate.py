"""The gate: what each β would earn, with an interval, before anyone meets it.

Off-policy evaluation by importance sampling. The guided policy π_β needs no sampling of its own:
one pass over the log's states gives the probability of every logged token under every β. The
weights are those of whole turns, clipped, self-normalised, and cumulative over an episode's turns
(per-decision; Precup, Sutton and Singh 2000). Intervals come from a bootstrap over prompts, since
replies to one prompt are not independent.

An episode is judged only by members of the ensemble that never learnt from it (see
`qlearning.crossfit`). What goes live is the mean of all members, which is less noisy than what
was judged.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speaq.core.errors import DataError, EvidenceError, SettingsError
from speaq.core.progress import bar
from speaq.evaluation.estimate import GateSettings, Scores, estimates
from speaq.evaluation.report import GateReport, judge
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.rewards import Reward, resolve
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import kl_divergence
from speaq.models.vocabulary import CHUNK_ELEMENTS
from speaq.qlearning.crossfit import CrossFit
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import Features, cache_features

ROUNDING = 0.1
"""Root mean square difference of ln π per token that half precision explains (measured: 0.03)."""


def gate(
    model: LanguageModel,
    episodes: Sequence[Episode],
    betas: Sequence[float] = (0, 1, 2, 4),
    *,
    decoding: Decoding | None = None,
    settings: GateSettings | None = None,
    reward: Reward | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
) -> GateReport:
    """Predict what `model` guided by each β would earn on prompts like the log's.

    The report is also noted in the model's facts, so that it travels with the saved model.

    Args:
        model: with a value head.
        episodes: a log of the base policy. Where propensities are missing they are recomputed
            from the base model, and the report says so.
        betas: the grid; 0 is always included.
        decoding: how replies were and will be drawn; None takes temperature 1, nothing cut.
        settings: what counts as enough evidence.
        reward: a function of an episode; overrides `settings.reward`.
        folder: where hidden states are cached; None keeps them for this call only.
        seed: of the bootstrap.

    Raises:
        EvidenceError: every member learnt from every episode, or there are too few prompts.
        SettingsError: a β that is negative or overflows.
    """
    settings, decoding = settings or GateSettings(), decoding or Decoding()
    if not episodes:
        raise DataError("the log holds no episodes.", "日志中没有任何片段。")
    if any(beta < 0 or not np.isfinite(beta) for beta in betas):
        raise SettingsError(
            "every beta must be a finite number ≥ 0.", "每个 beta 都须为有限的非负数。"
        )
    grid = sorted({0.0, *map(float, betas)})
    encoded = encode_episodes(model, episodes, reward or resolve(settings.reward))
    use = _judges(model, encoded, settings.fresh)
    with _cache(model, encoded, folder) as features:
        scores = _score(model, encoded, features, use, grid, decoding)
    groups = [each.group for each in encoded]
    report = GateReport(
        rows=tuple(judge(estimates(scores, groups, settings, seed), len(encoded), settings)),
        episodes=len(encoded),
        prompts=len(set(groups)),
        level=settings.level,
        recovered=bool(any(np.isnan(each.behaviour_logprobs).any() for each in encoded)),
        data=fingerprint(episodes),
        decoding=asdict(decoding),
    )
    model.facts["gate"] = report.to_dict()
    return report


def _judges(model: LanguageModel, encoded: Sequence[Encoded], fresh: bool) -> Tensor:
    """Which heads may judge which episode: (M, N) bool, at least one each."""
    heads = model.require_head().members
    facts = model.facts.get("crossfit")
    if fresh:
        return torch.ones(heads, len(encoded), dtype=torch.bool)
    split = CrossFit(**facts) if facts else CrossFit(folds=0)
    groups = [each.group if split.by == "prompt" else each.id for each in encoded]
    use = split.unseen_heads(groups)
    if not use.any(0).all():
        raise EvidenceError(
            "every member of the value head learnt from this log, so none can judge it honestly; "
            "learn with folds = 4 and a frozen trunk, or give the gate a log that was not learnt "
            "from (fresh).",
            "价值头的每个成员都学过这份日志，无法公正评判；请以 folds = 4 和冻结主干学习，"
            "或给闸门一份未学过的日志（fresh）。",
        )
    return use


@contextlib.contextmanager
def _cache(
    model: LanguageModel, encoded: Sequence[Encoded], folder: Path | str | None
) -> Iterator[Features]:
    if folder is not None:
        yield cache_features(model, encoded, Path(folder))
        return
    with tempfile.TemporaryDirectory(prefix="speaq-") as temporary:
        yield cache_features(model, encoded, Path(temporary))


@torch.inference_mode()
def _score(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    grid: Sequence[float],
    decoding: Decoding,
) -> Scores:
    """ln π_β(turn)/μ(turn) and KL(π_β ‖ π) of every episode under every β, in one pass."""
    model = model.for_batches()
    device = model.output_table.device
    turns = max(int(each.turn_ids[-1]) + 1 for each in encoded)
    log_ratios = np.zeros((len(grid), len(encoded), turns))
    kl = np.zeros((len(grid), len(encoded)))
    rewards = np.zeros((len(encoded), turns))
    drift = np.zeros((len(encoded), turns))  # ln π_0(turn)/μ(turn)
    rows = max(1, CHUNK_ELEMENTS // model.output_table.shape[0])
    with bar("gate", len(encoded)) as running:
        for index, each in enumerate(encoded):
            np.add.at(rewards[index], each.turn_ids, each.rewards)
            states = features.states(index)[:-1].to(device)  # (K, D)
            actions = torch.from_numpy(each.action_tokens).to(device)
            for start in range(0, len(states), rows):
                part = slice(start, start + rows)
                judges = use[:, index, None].expand(-1, len(states[part])).to(device)
                logprobs, kls = _policies(
                    model, states[part], actions[part], judges, grid, decoding
                )
                moved, gap = _ratios(np.stack(logprobs), each, part)
                for b in range(len(grid)):
                    np.add.at(log_ratios[b, index], each.turn_ids[part], moved[b])
                kl[:, index] += kls
                np.add.at(drift[index], each.turn_ids[part], gap)
            running.advance()
    if _is_base_policy(drift, encoded):
        drift[:] = 0
    return Scores(tuple(grid), log_ratios + drift, kl, rewards)


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


def _is_base_policy(drift: np.ndarray, encoded: Sequence[Encoded]) -> bool:
    """Whether the log was drawn from the base policy, up to rounding.

    Then π_β/μ is π_β/π_0 with both from the same states: rounding differs between a log drawn in
    one precision or batch and states computed in another, and would only add noise to the weights.
    """
    tokens = np.array([len(each.actions) for each in encoded])
    return bool(np.sqrt((drift.sum(1) ** 2 / tokens).mean()) < ROUNDING)


def _policies(
    model: LanguageModel,
    states: Tensor,
    actions: Tensor,
    judges: Tensor,
    grid: Sequence[float],
    decoding: Decoding,
) -> tuple[list[np.ndarray], list[float]]:
    """For each β: ln π_β at the actions taken, (N,), and the sum of KL(π_β ‖ π) over states."""
    logits = model.output_layer(states.to(model.output_table.dtype)).float()
    with model.fast_products():
        advantages = model.require_head().advantages(states, judges).float()
    base = log_probabilities(logits, decoding)
    logprobs, kls = [], []
    for beta in grid:
        policy = base if beta == 0 else log_probabilities(guide(logits, advantages, beta), decoding)
        logprobs.append(policy.gather(1, actions[:, None])[:, 0].cpu().double().numpy())
        kls.append(0.0 if beta == 0 else float(kl_divergence(policy, base).sum()))
    return logprobs, kls
