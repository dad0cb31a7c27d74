"""Scores over the vocabulary without holding the scores of a whole batch.

Every score in speaq, a policy's logits as much as an advantage, has one form: features (..., F)
times a table (V, F). At the actions taken a gather of table rows is enough; where a sum over the
vocabulary is needed, it is made in chunks of rows that are computed again in the backward pass.
"""

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK_ELEMENTS = 1 << 24
"""Scores held at once: 64 MB in float32."""


def chosen_scores(features: Tensor, table: Tensor, actions: Tensor) -> Tensor:
    """Score of each action: features (..., F), table (V, F), actions (...) -> (...).

    Costs O(F) per action; no tensor over the vocabulary is made.
    """
    return (features * table[actions]).sum(-1)


def chunked_logsumexp(features: Tensor, table: Tensor) -> Tensor:
    """ln sum_v exp(features · table[v]): features (N, F), table (V, F) -> (N,).

    Differentiable in both; peak memory is one chunk of scores instead of (N, V).
    """
    rows = max(1, CHUNK_ELEMENTS // table.shape[0])
    if features.shape[0] <= rows or not torch.is_grad_enabled():
        return torch.cat([_logsumexp(piece, table) for piece in torch.split(features, rows)])
    pieces = [
        checkpoint(_logsumexp, piece, table, use_reentrant=False)
        for piece in torch.split(features, rows)
    ]
    return torch.cat([piece for piece in pieces if isinstance(piece, Tensor)])


def _logsumexp(features: Tensor, table: Tensor) -> Tensor:
    return torch.logsumexp((features @ table.T).float(), dim=-1)


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
    return torch.split(features, max(1, CHUNK_ELEMENTS // table.shape[0]))
