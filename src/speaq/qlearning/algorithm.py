"""What an algorithm is, and what its loss may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.models.head import ValueHead
from speaq.training.batch import Batch

OUTER_ELEMENTS = 1 << 26
"""Largest sum of outer products of a batch, 256 MB in float32."""


@dataclass(frozen=True, slots=True)
class View:
    """One batch as a loss sees it. M members, B episodes, K actions, D hidden size, V tokens."""

    batch: Batch
    hidden: Tensor  # (B, K+1, D) float32: the state before each action, and the one after the last
    centres: Tensor | None  # (B, K, D) Σ_a π(a|s)·W[a] of a frozen policy, for tied heads
    head: ValueHead
    target: ValueHead | None
    """The slow copy of `head`, for algorithms with `target_every`."""
    extra: Mapping[str, nn.Module]
    """The algorithm's own modules, from `extra_modules`."""
    output_table: Tensor  # (V, D) of the policy; carries gradients if the trunk is trained
    episodes: float
    """How many episodes a member learns from, on average: for priors that weigh against data."""
    trains_policy: bool
    """Whether anything of the policy is trained; if not, policy terms are constant and skipped."""
    target_extra: Mapping[str, nn.Module] = field(default_factory=dict)
    """The slow copies of the critics in `extra`, for algorithms with `target_every`."""
    target_hidden: Tensor | None = None
    """(B, K+1, D) the states as a slow copy of the trunk sees them; None where there is none."""
    importance: Tensor | None = None
    """(B,) weights of the episodes that undo the preferences of prioritised replay; None: all 1."""

    @property
    def members(self) -> Tensor:
        """Weight of each action for each member: (M, B, K) float32, 0 on padding and on episodes
        kept from the member. They sum to 1 for each member that sees anything, before the
        episodes' importance is multiplied in."""
        seen = self.batch.member_mask[:, :, None] & self.batch.action_mask[None]
        weights = seen.float()
        total: Tensor = weights.sum((1, 2), keepdim=True).clamp(min=1)
        weights = weights / total
        return weights if self.importance is None else weights * self.importance[None, :, None]

    def delayed(self) -> "View":
        """The same batch as the target network sees it.

        Raises:
            ValueError: the algorithm asked for no target network.
        """
        if self.target is None:
            raise ValueError("this loss bootstraps from a target network; target_every must be ≥ 1")
        hidden = self.hidden if self.target_hidden is None else self.target_hidden
        return replace(self, hidden=hidden, head=self.target, extra=self.target_extra)

    def advantages(self, head: ValueHead) -> Tensor:
        """A(s_k, a_k) of every member of `head` at the actions taken: (M, B, K)."""
        B, K = self.batch.actions.shape
        states = self.hidden[:, :-1].reshape(B * K, -1)
        centres = None if self.centres is None else self.centres.reshape(B * K, -1)
        return head.advantages_at(states, self.batch.actions.reshape(-1), centres).view(-1, B, K)

    def accounts(self, head: ValueHead, powers: Tensor) -> Tensor:
        """Σ_k w_k A(s_k, a_k) over each episode, of every member of `head`: (K,) w -> (M, B).

        A tied head's A is u · P h, with u the token's vector and P the member's projection. So the
        sum is ⟨P, Σ_k w_k u_k h_kᵀ⟩: what has the size of the reply is summed once for all members.
        """
        batch = self.batch
        B, D = len(batch.actions), self.hidden.shape[-1]
        if head.settings.kind != "tied" or B * D * D > OUTER_ELEMENTS:
            advantages = self.advantages(head).masked_fill(~batch.action_mask, 0.0)
            return (advantages * powers).sum(-1)
        vectors = head.output_table[batch.actions]  # (B, K, D)
        if self.centres is not None:
            vectors = vectors - self.centres
        weights = (powers * batch.action_mask)[..., None]
        # Cheap enough to be exact where other products are made in half precision.
        with torch.autocast(vectors.device.type, enabled=False):
            outer = (weights * vectors).transpose(1, 2) @ self.hidden[:, :-1]  # (B, D, D)
            return head.projection.flatten(1) @ outer.flatten(1).T

    def q_values(self, head: ValueHead) -> Tensor:
        """Q(s_k, a_k) = V(s_k) + A(s_k, a_k) of every member of `head`: (M, B, K)."""
        return self.values(head.state_values)[..., :-1] + self.advantages(head)

    def values(self, network: nn.Module) -> Tensor:
        """V of every state under a `StateValues` network: (M, B, K+1)."""
        B, states, D = self.hidden.shape
        values: Tensor = network(self.hidden.reshape(B * states, D))
        return values.view(-1, B, states)


class Algorithm(Protocol):
    """Settings and loss of one algorithm; a frozen dataclass in a file of its own."""

    learns: ClassVar[str]
    """`values`: a value head, and the policy only as a by-product. `policy`: the policy alone."""
    heads_per_member: ClassVar[int]
    """2 where twin Q functions are used, else 1."""
    gives_errors: ClassVar[bool]
    """Whether the loss gives the figure `errors`, which prioritised replay needs."""
    estimates: ClassVar[str]
    """What the head's numbers stand for, in units of the reward. `q`: V(s) + A(s, a) is what comes
    from here on. `centred`: the same with A less its mean under the policy, where that mean is
    cached. `account`: V of the first state and the centred A of all that was said add up to the
    return of the episode. Empty: something else."""

    @property
    def discount(self) -> float:
        """γ per action token."""

    @property
    def target_every(self) -> int:
        """Steps between updates of the target network; 0 for none."""

    @property
    def target_rate(self) -> float:
        """Polyak rate of an update; 1 copies."""

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """Modules besides the head, trained at the head's learning rate."""

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which episodes to learn from, by their undiscounted returns (N,)."""

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss, and figures to log.

        The figure `errors` (B, K) is how far each value was from its target; an algorithm that
        gives it can be trained with prioritised replay.
        """


def total(
    terms: Mapping[str, Tensor], errors: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of a loss's terms, and the terms by name for the log.

    Args:
        terms: by name, each ().
        errors: (M, B, K) value minus target at each action, see `Algorithm.loss`.
    """
    figures = {name: term.detach() for name, term in terms.items()}
    if errors is not None:
        figures["errors"] = errors.detach().abs().mean(0)
    return torch.stack(list(terms.values())).sum(), figures
