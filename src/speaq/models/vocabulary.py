"""Scores over the vocabulary without holding the scores of a whole batch.

Every score in speaq, a policy's logits as much as an advantage, has one form: features (..., F)
times a table (V, F). At the actions taken a gather of table rows is enough; where a sum over the
vocabulary is needed, it is made in chunks of rows. What the backward pass needs of a chunk is made
while its scores are there, where that is possible, and otherwise they are computed again.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 1 << 24
"""Scores held at once: 64 MB in float32."""
LEARNT_ELEMENTS = 1 << 26
"""The same where gradients are made as well, 256 MB: the table is read anew for every chunk, which
has to pay off, and plain fine-tuning holds three times the scores of a whole batch."""


def chosen_scores(features: Tensor, table: Tensor, actions: Tensor) -> Tensor:
    """Score of each action: features (..., F), table (V, F), actions (...) -> (...).

    Costs O(F) per action; no tensor over the vocabulary is made.
    """
    return (features * table[actions]).sum(-1)


def chunked_logsumexp(features: Tensor, table: Tensor) -> Tensor:
    """ln sum_v exp(features · table[v]): features (N, F), table (V, F) -> (N,).

    Differentiable in both; peak memory is one chunk of scores instead of (N, V). No score is made
    twice if the table takes no gradient; for the cross-entropy of a table that does, see
    `weighted_logprobs`.
    """
    if torch.is_grad_enabled() and features.requires_grad and not table.requires_grad:
        sums: Tensor = _LogSumExp.apply(features, table)  # type: ignore[no-untyped-call]
        return sums
    rows = _rows(table, CHUNK_ELEMENTS)
    if features.shape[0] <= rows or not torch.is_grad_enabled():
        return torch.cat([_logsumexp(piece, table) for piece in torch.split(features, rows)])
    pieces = [
        checkpoint(_logsumexp, piece, table, use_reentrant=False)
        for piece in torch.split(features, rows)
    ]
    return torch.cat([piece for piece in pieces if isinstance(piece, Tensor)])


def _logsumexp(features: Tensor, table: Tensor) -> Tensor:
    return torch.logsumexp((features @ table.T).float(), dim=-1)


class _LogSumExp(torch.autograd.Function):
    """ln sum exp whose gradient, the mean row of the table under the softmax, is made on the way.

    Once a state's gradient arrives it is only multiplied, so no score is kept or made again.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, table: Tensor) -> Tensor:
        logs, means = [], []
        for piece in torch.split(features, _rows(table, LEARNT_ELEMENTS)):
            powers, best, sums = _powers(piece, table)
            logs.append(best + sums.log())
            means.append(((powers.to(table.dtype) @ table) / sums[:, None]).to(features.dtype))
        ctx.save_for_backward(torch.cat(means))
        return torch.cat(logs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (means,) = ctx.saved_tensors
        return (gradient[:, None] * means).to(means.dtype), None


def _powers(features: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """exp(score - m) (N, V) with m (N,) the best score of each row, and their sums (N,)."""
    scores = (features @ table.T).float()
    best = scores.amax(-1)
    powers = scores.sub_(best[:, None]).exp_()
    return powers, best, powers.sum(-1)


def weighted_logprobs(features: Tensor, table: Tensor, actions: Tensor, weights: Tensor) -> Tensor:
    """Σ_n w_n · ln softmax(features_n · tableᵀ)[a_n]: (N, F), (V, F), (N,), (N,) -> ().

    A cross-entropy that never holds more scores than one chunk, and makes none twice: the weights
    are known beforehand and take no gradient, so each chunk leaves its share of the gradients of
    features and table behind. Can be differentiated once.
    """
    given = features, table, actions, weights.detach()
    total: Tensor = _WeightedLogprobs.apply(*given)  # type: ignore[no-untyped-call]
    return total


class _WeightedLogprobs(torch.autograd.Function):
    """See `weighted_logprobs`."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, table: Tensor, actions: Tensor, weights: Tensor
    ) -> Tensor:
        wanted = ctx.needs_input_grad
        total = weights.new_zeros(())
        of_features = torch.zeros_like(features) if wanted[0] else None
        of_table = torch.zeros_like(table, dtype=torch.float32) if wanted[1] else None
        step = _rows(table, LEARNT_ELEMENTS)
        for start in range(0, len(features), step):
            part = slice(start, start + step)
            piece, chosen, weight = features[part], actions[part], weights[part, None]
            powers, best, sums = _powers(piece, table)
            # Not from the powers: those of unlikely tokens are 0.
            logprobs = chosen_scores(piece, table, chosen).float() - best - sums.log()
            total = total + (weight[:, 0] * logprobs).sum()
            # With respect to the scores: w (1[v = a] - p_v), each row's factor put in afterwards.
            powers.scatter_add_(1, chosen[:, None], -sums[:, None])
            factor = -weight / sums[:, None]
            if of_features is not None:
                of_features[part] = (powers.to(table.dtype) @ table) * factor
            if of_table is not None:
                of_table.addmm_(powers.T, piece.float() * factor)
        ctx.gradients = of_features, of_table if of_table is None else of_table.to(table.dtype)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        of_features, of_table = ctx.gradients
        del ctx.gradients  # scaled in place: the table's may be the largest tensor there is
        for each in (of_features, of_table):
            if each is not None:
                each.mul_(gradient)
        return of_features, of_table, None, None


def chosen_logprobs(features: Tensor, table: Tensor, actions: Tensor) -> Tensor:
    """ln softmax(features · tableᵀ)[action]: (N, F), (V, F), (N,) -> (N,)."""
    return chosen_scores(features, table, actions).float() - chunked_logsumexp(features, table)


@torch.no_grad()
def chunked_max(features: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Best score and the token that has it: (N, F), (V, F) -> (N,), (N,). Takes no gradient.

    Among equal scores the lowest token wins.
    """
    best = [(part @ table.T).float().max(-1) for part in _pieces(features, table)]
    return torch.cat([each.values for each in best]), torch.cat([each.indices for each in best])


@torch.no_grad()
def chunked_mean(policy: Tensor, policy_table: Tensor, features: Tensor, table: Tensor) -> Tensor:
    """Mean score under a policy, Σ_v π(v)·(features · table[v]), π = softmax(policy · its table).

    policy (N, D), policy_table (V, D), features (N, F), table (V, F) -> (N,). Takes no gradient.
    """
    pieces = zip(_pieces(policy, table), _pieces(features, table), strict=True)
    means = [
        (torch.softmax((logits @ policy_table.T).float(), -1) * (part @ table.T).float()).sum(-1)
        for logits, part in pieces
    ]
    return torch.cat(means)


def _pieces(features: Tensor, table: Tensor) -> tuple[Tensor, ...]:
    return torch.split(features, _rows(table, CHUNK_ELEMENTS))


def _rows(table: Tensor, elements: int) -> int:
    """How many states have no more than so many scores."""
    return max(1, elements // table.shape[0])
