"""The gate: what each β would earn, with an interval, before anyone meets it.

Off-policy evaluation. The guided policy π_β needs no sampling of its own: one pass over the log's
states gives the probability of every logged token under every β (`scoring`). Weights are clipped,
self-normalised, and cumulative over an episode. With `estimator = "dr"` they weigh only what the
value head did not foresee of each token (doubly robust; Jiang and Li 2016), with "snips" the
rewards of whole turns (per-decision importance sampling; Precup, Sutton and Singh 2000). Intervals
come from bootstraps over prompts, since replies to one prompt are not independent.

An episode is judged only by members of the ensemble that never learnt from it (see
`qlearning.crossfit`). What goes live is the mean of all members, which is less noisy than what
was judged. The few numbers that put the head's values on the scale of π_β are fitted on the other
prompts, whose members may have seen it: a constant that all of them share, not what it said.
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
from speaq.evaluation.estimate import GateSettings, estimates
from speaq.evaluation.report import GateReport, judge
from speaq.evaluation.scoring import score
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.rewards import Reward, resolve
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.qlearning.crossfit import CrossFit
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import Features, cache_features


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
    use = judges(model, encoded, settings.fresh)
    with cached(model, encoded, folder) as features:
        scores = score(model, encoded, features, use, grid, decoding)
    groups = [each.group for each in encoded]
    report = GateReport(
        rows=tuple(judge(estimates(scores, groups, settings, seed), len(encoded), settings)),
        episodes=len(encoded),
        prompts=len(set(groups)),
        level=settings.level,
        estimator=settings.estimator,
        strangeness=scores.strangeness,
        recovered=bool(any(np.isnan(each.behaviour_logprobs).any() for each in encoded)),
        data=fingerprint(episodes),
        decoding=asdict(decoding),
    )
    model.facts["gate"] = report.to_dict()
    return report


def judges(model: LanguageModel, encoded: Sequence[Encoded], fresh: bool) -> Tensor:
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
def cached(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    folder: Path | str | None,
    centre_temperature: float | None = None,
) -> Iterator[Features]:
    """The log's hidden states, kept in `folder`, or only as long as the context is open.

    For `centre_temperature` see `cache_features`.
    """
    if folder is not None:
        yield cache_features(model, encoded, Path(folder), centre_temperature)
        return
    with tempfile.TemporaryDirectory(prefix="speaq-") as temporary:
        yield cache_features(model, encoded, Path(temporary), centre_temperature)
