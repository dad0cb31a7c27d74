"""The gate for labels: what softmax(β·z) of a labelling folder would earn, from a log of clicks.

The same estimates, intervals and verdicts as for texts (`evaluation.gate`), on episodes of one
decision: β = 0 stands for the log's own policy, whose propensities the log tells. The log has to
be one that the folder did not learn from; nothing here could tell.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import SettingsError
from speaq.evaluation.estimate import GateSettings, Scores, Steps, estimates
from speaq.evaluation.report import GateReport, judge
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.qlearning.labelling import Labelling, labellings
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.learner import scores as read
from speaq.training.supervised.result import Tuned

Floats = NDArray[np.float64]


def gate_labels(
    model: Tuned,
    episodes: Sequence[Episode],
    betas: Sequence[float] = (0, 1, 4),
    *,
    settings: GateSettings | None = None,
    reward: str | Callable[[Episode], Any] | None = None,
    seed: int = 0,
) -> GateReport:
    """Predict what `model` would earn if it chose labels with probability ∝ exp(β·z).

    Args:
        model: of one task of classification.
        episodes: fresh ones, with propensities; see `qlearning.labelling`.
        betas: the grid; 0, the log's policy, is always included.
        settings: what counts as enough evidence.
        reward: overrides `settings.reward`.
        seed: of the bootstrap.

    Raises:
        DataError: see `labellings`.
        SettingsError: the model does not classify, or does not know a label of the log.
        EvidenceError: too few different texts.
    """
    settings = settings or GateSettings()
    logged = labellings(episodes, reward or settings.reward, need_propensity=True)
    skill = next(iter(model.skills.values()))
    if not isinstance(skill.kind, Classifying):
        raise SettingsError(
            "this folder gives no labels, so no log of labels can judge it.",
            "该目录不输出标签，无法用标签日志评判。",
        )
    unknown = sorted({each.label for each in logged} - set(skill.kind.labels))
    if unknown:
        raise SettingsError(
            f"the log chose '{unknown[0]}', a label that this folder does not know.",
            f"日志选过该目录不认识的标签“{unknown[0]}”。",
        )
    rows, _ = skill.kind.rows(model.trunk, [Labelled(each.text, ()) for each in logged])
    found = np.stack(read(model.trunk, skill.kind, skill.head, rows)).astype(np.float64)
    return judged_choices(
        found,
        np.array([skill.kind.labels.index(each.label) for each in logged]),
        logged,
        betas,
        settings,
        data=fingerprint(episodes),
        seed=seed,
    )


def judged_choices(
    scores: Floats,
    taken: NDArray[np.int64],
    logged: Sequence[Labelling],
    betas: Sequence[float],
    settings: GateSettings,
    *,
    data: str = "",
    seed: int = 0,
) -> GateReport:
    """The report for scores (N, C) of logged choices, `taken` (N,) of them."""
    grid = sorted({0.0, *map(float, betas)})
    rewards = np.array([[each.reward] for each in logged])
    groups = [each.text for each in logged]
    rows = np.arange(len(taken))
    known = np.log([each.propensity for each in logged])
    policies = [np.exp(log_softmax(beta * scores)) for beta in grid]
    # The value of a choice is read off the scores themselves; `robust` fits its scale.
    worth = 1 / (1 + np.exp(-scores))
    middle = worth.mean(1)
    ratios = [np.log(np.maximum(p[rows, taken], 1e-300)) - known for p in policies]
    ratios[0] = np.zeros(len(taken))  # β = 0 is the log's policy, not the even one
    # KL(π‖μ) = E_μ[w ln w - w + 1], never negative, as μ is known at the choice taken only.
    weights = np.exp(np.array(ratios))
    kl = weights * np.array(ratios) - weights + 1
    means = np.stack([(p * worth).sum(1) - middle for p in policies])
    means[0] = worth[rows, taken] - middle
    made = Scores(
        betas=tuple(grid),
        log_ratios=np.array(ratios)[..., None],
        kl=kl,
        rewards=rewards,
        steps=Steps(
            log_ratios=np.array(ratios)[..., None],
            rewards=rewards,
            mask=np.ones((len(taken), 1), bool),
            values=middle[:, None],
            advantages=(worth[rows, taken] - middle)[:, None],
            means=means[..., None],
        ),
    )
    return GateReport(
        rows=tuple(judge(estimates(made, groups, settings, seed), len(taken), settings)),
        episodes=len(taken),
        prompts=len(set(groups)),
        level=settings.level,
        recovered=False,
        data=data,
        decoding={},
        estimator=settings.estimator,
    )
