"""Q over a set of choices where only the reward of the one taken is known: bandit feedback.

A text is answered with one of C labels, a question with one of C passages, and a click says how
that one fared; of the others nothing is known. One step, so nothing is bootstrapped: Q(s, a) is
fitted to the reward of a, by one of three losses (the reductions that Bietti, Agarwal and Langford
2021 compare, with the logistic loss):

    direct     of the choice taken. Right wherever the log's policy μ tries everything, and fits
               best what it tries most.
    weighted   the same, each choice weighted by 1/μ(a|s) and divided by the sum of the weights, as
               the self-normalised estimator does (Swaminathan and Joachims 2015): all choices
               count alike, however seldom they were tried, at the price of variance.
    robust     of all choices: the reward of those not taken is what an earlier fit foretells, and
               that of the one taken is corrected by (r - r̂)/μ (Dudík, Langford and Li 2011).

Scores z are logits, rewards are in [0, 1], and Q = sigmoid(z). Where exactly one choice is right,
as with labels that shut one another out, a click on one says something about all of them, and so
does the lack of one. Then Q = lo + (hi - lo) · softmax(z), with lo and hi, learnt as well, how
often people click on what is wrong and on what is right. Either way softmax(z) prefers what is
worth most, and equal scores prefer nothing.
"""

import torch
from torch import Tensor, nn

LARGEST_WEIGHT = 50.0
"""1/μ is clipped here: one click never stands for more than that many."""


def values(scores: Tensor, clicks: Tensor | None = None) -> Tensor:
    """Q of every choice: scores (N, C) -> (N, C).

    Args:
        scores: logits z.
        clicks: (2,) logits of lo and hi, where exactly one choice is right; else None.
    """
    if clicks is None:
        return torch.sigmoid(scores)
    low, high = torch.sigmoid(clicks)
    found: Tensor = low + (high - low) * torch.softmax(scores, 1)
    return found


def taken_loss(
    scores: Tensor, taken: Tensor, rewards: Tensor, weights: Tensor, clicks: Tensor | None = None
) -> Tensor:
    """-r ln Q(s, a) - (1 - r) ln(1 - Q(s, a)) of the choices taken, mean under `weights`.

    Without `clicks` no other choice gets a gradient.

    Args:
        scores: (N, C).
        taken: (N,) int64, a.
        rewards: (N,) r in [0, 1].
        weights: (N,) ≥ 0, not all 0.
        clicks: see `values`.
    """
    place = taken[:, None]
    if clicks is None:
        found = scores.gather(1, place)[:, 0]
        losses = nn.functional.binary_cross_entropy_with_logits(found, rewards, reduction="none")
    else:
        found = values(scores, clicks).gather(1, place)[:, 0]
        losses = nn.functional.binary_cross_entropy(found, rewards, reduction="none")
    return (weights * losses).sum() / weights.sum()


def inverse_weights(propensities: Tensor) -> Tensor:
    """1/μ(a|s), clipped: (N,) -> (N,)."""
    return (1 / propensities).clamp(max=LARGEST_WEIGHT)


def robust_targets(
    foretold: Tensor, taken: Tensor, rewards: Tensor, propensities: Tensor
) -> Tensor:
    """What each choice is worth by the doubly robust estimate: (N, C), not bound to [0, 1].

    Args:
        foretold: (N, C) r̂, of a fit that did not see these rows.
        taken: (N,) int64.
        rewards: (N,) in [0, 1].
        propensities: (N,) μ(a|s).
    """
    place = taken[:, None]
    missed = (rewards - foretold.gather(1, place)[:, 0]) * inverse_weights(propensities)
    return foretold.scatter_add(1, place, missed[:, None])


def target_loss(scores: Tensor, targets: Tensor, clicks: Tensor | None = None) -> Tensor:
    """Cross-entropy of Q against targets (N, C), summed over choices; mean over rows.

    Linear in the targets, so estimates outside of [0, 1] do no harm in the mean.
    """
    if clicks is None:
        sure = nn.functional.logsigmoid
        losses = -targets * sure(scores) - (1 - targets) * sure(-scores)
    else:
        found = values(scores, clicks).clamp(1e-6, 1 - 1e-6)
        losses = -targets * found.log() - (1 - targets) * (1 - found).log()
    return losses.sum(1).mean()
