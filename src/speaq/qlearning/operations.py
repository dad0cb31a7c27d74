"""The few operations that several losses share. All are means under given weights."""

import torch
from torch import Tensor

from speaq.models.vocabulary import chosen_logprobs, weighted_logprobs
from speaq.qlearning.algorithm import View


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Sum over actions of weights · values, mean over members: (M, B, K) twice -> ().

    `weights` sum to 1 for each member. Places of weight 0 may hold anything, even NaN.
    """
    return torch.where(weights > 0, values, 0.0).mul(weights).sum((1, 2)).mean()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the places where mask holds: (B, K) twice -> ()."""
    kept = torch.where(mask, values, 0.0)
    return kept.sum() / mask.sum().clamp(min=1)


def policy_logprobs(hidden: Tensor, output_table: Tensor, actions: Tensor) -> Tensor:
    """ln π(a_k|s_k): hidden (B, K, D), table (V, D), actions (B, K) -> (B, K).

    Made in chunks over states; peak memory does not grow with B·K·V.
    """
    B, K, D = hidden.shape
    flat = chosen_logprobs(hidden.reshape(B * K, D), output_table, actions.reshape(-1))
    return flat.view(B, K)


def cloning(view: View, weights: Tensor | None = None) -> Tensor:
    """-w_k ln π(a_k|s_k), mean over the actions of a batch: ().

    Costs time and memory of no more than a cross-entropy in chunks; see `weighted_logprobs`.

    Args:
        view: its hidden states and output table carry the gradients.
        weights: (B, K), taken as given; None: all 1.
    """
    mask, actions = view.batch.action_mask, view.batch.actions
    given = torch.ones_like(view.batch.rewards) if weights is None else weights
    share = given[mask] / mask.sum().clamp(min=1)
    states = view.hidden[:, :-1][mask]
    return -weighted_logprobs(states, view.output_table, actions[mask], share)


def ridge(view: View) -> Tensor:
    """½‖θ_A‖² · E‖φ‖² / N of each member, mean over members: the prior of a ridge regression.

    θ_A are the advantage's parameters, ‖φ‖² the squared size of one episode's features and N the
    episodes a member learns from. So a weight of 1 counts as much as one typical episode that
    says "no advantage", whatever the scale of the hidden states and the length of the log. For
    heads whose projection is learnt as well, φ is what the table is multiplied with.
    """
    head, batch = view.head, view.batch
    with torch.no_grad():
        states = view.hidden[:, :-1]
        if head.settings.kind == "tied":
            vectors = head.output_table[batch.actions]  # (B, K, D)
            if view.centres is not None:
                vectors = vectors - view.centres
            sizes = vectors.square().sum(-1) * states.square().sum(-1)  # (B, K)
        else:
            features = head.features(states.reshape(-1, states.shape[-1]))  # (M, B·K, F)
            sizes = features.square().sum(-1).mean(0).view(batch.actions.shape)
        typical = torch.where(batch.action_mask, sizes, 0.0).sum(1).mean()
    squares = torch.stack([p.square().sum() for p in head.advantage_parameters()]).sum()
    return 0.5 * squares / head.members * typical / view.episodes
