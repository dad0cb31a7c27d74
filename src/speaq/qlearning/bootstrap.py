"""What follows a state, as an algorithm guesses it: bootstrap values and targets built on them.

A state is *live* if something could still be earned from it: every state an action was taken in,
and the state after the last action of an episode that was cut off. Only there is a value asked
for; elsewhere it is 0.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from speaq.models.head import ValueHead
from speaq.models.vocabulary import chosen_scores, chunked_logsumexp, chunked_max
from speaq.qlearning.algorithm import View
from speaq.training.batch import Batch


def live_states(batch: Batch) -> Tensor:
    """(B, K+1) bool."""
    counts = batch.action_mask.sum(1, keepdim=True)
    places = torch.arange(batch.actions.shape[1] + 1, device=counts.device)[None]
    return (places < counts) | ((places == counts) & batch.truncated[:, None])


def over_live_states(view: View, value: Callable[[Tensor], Tensor]) -> Tensor:
    """A value of every live state: `value` maps (N, D) -> (M, N); the result is (M, B, K+1)."""
    live = live_states(view.batch)
    return spread(value(view.hidden[live]), live)


def spread(found: Tensor, live: Tensor) -> Tensor:
    """Figures of the N live states (M, N, ...) -> (M, B, K+1, ...), 0 elsewhere."""
    values = found.new_zeros(len(found), *live.shape, *found.shape[2:])
    values[:, live] = found
    return values


def look_ahead(
    rewards: Tensor, discounts: Tensor, mask: Tensor, values: Tensor, steps: int
) -> Tensor:
    """n-step targets Σ_{j<n} γ^j r_{k+j} + γ^n V(s_{k+n}).

    An episode that ends sooner ends the sum (its discount is 0 there); one that is cut off sooner
    bootstraps from the state it was cut off in.

    Args:
        rewards: (M, B, K) or (B, K).
        discounts: (B, K), see `Batch.discounts`.
        mask: (B, K) bool.
        values: (M, B, K+1) of the states.
        steps: n ≥ 1; 0 looks ahead to the end.

    Returns:
        (M, B, K); meaningless on padding.
    """
    reach = values
    for _ in range(steps or rewards.shape[-1]):
        step = rewards + discounts * reach[..., 1:]
        reach = torch.cat([torch.where(mask, step, reach[..., :-1]), reach[..., -1:]], -1)
    return reach[..., :-1]


@torch.no_grad()
def greedy_tokens(view: View) -> Tensor:
    """The token each member of the head likes best in each of the N live states: (M, N)."""
    head = view.head
    liked = head.features(view.hidden[live_states(view.batch)])
    return torch.stack(
        [chunked_max(liked[m], head.member_table(m))[1] for m in range(head.members)]
    )


@torch.no_grad()
def values_of(view: View, tokens: Tensor, dueling: bool = True) -> Tensor:
    """Q(s, a) of one token a live state and member, without gradient: (M, N) -> (M, B, K+1).

    Without `dueling` Q is A alone.
    """
    live, head = live_states(view.batch), view.head
    states = view.hidden[live]
    features = head.features(states)
    advantages = [
        chosen_scores(features[m], head.member_table(m), tokens[m]) for m in range(head.members)
    ]
    q_values = torch.stack(advantages)
    return spread(q_values + head.values(states) if dueling else q_values, live)


def log_sum_exp(head: ValueHead, states: Tensor, wanted: Tensor | None = None) -> Tensor:
    """ln Σ_a exp A(s, a) for every member: (N, D) -> (M, N). Made in chunks.

    For `wanted` see `log_mean_exp`.
    """
    features = head.features(states)
    if head.settings.kind == "tied":
        return _of_one_table(features, head.output_table, wanted)
    sums = [chunked_logsumexp(features[m], head.member_table(m)) for m in range(head.members)]
    return torch.stack(sums)


def _of_one_table(features: Tensor, table: Tensor, wanted: Tensor | None) -> Tensor:
    """ln Σ exp of all members in one product: (M, N, F), (V, F) -> (M, N), 0 where not `wanted`."""
    rows = features.flatten(0, 1)
    if wanted is None:
        return chunked_logsumexp(rows, table).view(features.shape[:2])
    places = torch.nonzero(wanted.flatten())[:, 0]
    sums = chunked_logsumexp(rows[places], table)
    return sums.new_zeros(len(rows)).index_copy(0, places, sums).view(features.shape[:2])


def log_mean_exp(
    head: ValueHead, states: Tensor, scale: float, wanted: Tensor | None = None
) -> Tensor:
    """ln Σ_a π(a|s) exp(scale · A(s, a)) for every member: states (N, D) -> (M, N).

    π is the model's own policy, taken as given: gradients reach the advantages only. Made in
    chunks; peak memory does not grow with N·V.

    Args:
        head: the advantages.
        states: (N, D).
        scale: of the advantages.
        wanted: (M, N) bool, where anyone will look; elsewhere time may be saved. None: everywhere.
    """
    policy, table = states.detach(), head.output_table
    with torch.no_grad():
        norm = chunked_logsumexp(policy, table)
    scaled = head.features(states) * scale
    if head.settings.kind == "tied":  # one table, so scores add up where features do
        return _of_one_table(policy + scaled, table, wanted) - norm
    each = []
    for m in range(head.members):
        both = torch.cat([table, head.member_table(m)], 1)
        each.append(chunked_logsumexp(torch.cat([policy, scaled[m]], 1), both))
    return torch.stack(each) - norm


def conservatism(
    head: ValueHead,
    states: Tensor,
    actions: Tensor,
    *,
    relative: bool,
    wanted: Tensor | None = None,
) -> Tensor:
    """ln Σ_a μ(a|s) exp A(s, a) - A(s, a_k) of every member: (N, D), (N,) -> (M, N).

    The discrete CQL penalty (Kumar et al. 2020, eq. 4). V(s) cancels, so advantages serve as well
    as Q. With μ = 1 for all tokens the penalty teaches A which tokens are common, which is right
    where A must be the policy; where A guides a policy that knows this already, μ is that policy
    (`relative`), and the penalty is at rest as long as A says nothing. For `wanted` see
    `log_mean_exp`.
    """
    if relative:
        sums = log_mean_exp(head, states, 1.0, wanted)
    else:
        sums = log_sum_exp(head, states, wanted)
    return sums - head.advantages_at(states, actions)


def conservative_penalty(view: View, states: int) -> Tensor:
    """Mean over states and members of the conservative penalty; see `conservatism`.

    Relative to the policy where that is frozen, to the uniform one where it is trained.

    Args:
        view: each member is judged on the episodes it may see.
        states: how many states, drawn at random, the mean is estimated on; 0 takes all.
    """
    batch, head = view.batch, view.head
    places = torch.nonzero(batch.action_mask.reshape(-1))[:, 0]
    if states and len(places) > states:
        drawn = torch.randperm(len(places), device=places.device)[:states]
        places = places[drawn]
    hidden = view.hidden[:, :-1].flatten(0, 1)[places]
    actions = batch.actions.reshape(-1)[places]
    seen = batch.member_mask.repeat_interleave(batch.actions.shape[1], dim=1)[:, places]
    # Heads that share a member's episodes, such as twins, stand side by side.
    seen = seen.repeat_interleave(head.members // len(seen), dim=0)
    penalties = conservatism(head, hidden, actions, relative=not view.trains_policy, wanted=seen)
    kept = torch.where(seen, penalties, 0.0).sum(1) / seen.sum(1).clamp(min=1)
    return kept.mean()
