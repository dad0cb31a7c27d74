"""Scores of tokens that are learnt beside the head, for algorithms that need more than one."""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from speaq.models.head import StateValues
from speaq.models.vocabulary import CHUNK_ELEMENTS

FEW = 32
"""So many distinct tokens are scored in every state sooner than each in its own."""


class TiedCritic(nn.Module):
    """M members of O outputs each, s_o(s, a) = v_o(s) + (P_o h)·W[a], all zero at the start.

    W is the model's output table, as for a tied head, so a token never seen is not a stranger.

    Args:
        members: M.
        outputs: O.
        hidden: D.
    """

    def __init__(self, members: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.projection = nn.Parameter(torch.zeros(members * outputs, hidden, hidden))
        self.state_values = StateValues(members * outputs, hidden, width=0)

    def features(self, states: Tensor) -> Tensor:
        """P_o h: (N, D) -> (M·O, N, D)."""
        features: Tensor = states @ self.projection.transpose(1, 2)
        return features

    def forward(self, states: Tensor, vectors: Tensor) -> Tensor:
        """Scores of one token a state: (N, D) and its rows of W (N, D) -> (M, N, O)."""
        advantages = (self.features(states) * vectors).sum(-1)  # (M·O, N)
        scores: Tensor = self.state_values(states) + advantages
        return scores.view(-1, self.outputs, len(states)).transpose(1, 2)

    def at(self, states: Tensor, table: Tensor, tokens: Tensor) -> Tensor:
        """Scores of one token a state, the same or each member's own.

        (N, D), the table W (V, D), tokens (N,) or (M, N) -> (M, N, O). Each distinct token is
        turned by P once, as there are fewer of them than states. Made in chunks of outputs that
        are computed again in the backward pass; peak memory does not grow with N·D·O.
        """
        distinct, places = torch.unique(tokens, return_inverse=True)
        vectors, members = table[distinct], len(self.projection) // self.outputs
        at_once = max(1, CHUNK_ELEMENTS // states.numel())
        advantages = []
        for m, place in enumerate(places.expand(members, -1)):
            own = self.projection[m * self.outputs : (m + 1) * self.outputs]
            turns = torch.split(own, at_once)
            if len(turns) == 1 or not torch.is_grad_enabled():
                pieces = [_products(turn, vectors, place, states) for turn in turns]
            else:
                made = [
                    checkpoint(_products, turn, vectors, place, states, use_reentrant=False)
                    for turn in turns
                ]
                pieces = [piece for piece in made if isinstance(piece, Tensor)]
            advantages.append(torch.cat(pieces))
        scores: Tensor = torch.stack(advantages) + self.state_values(states).view(
            members, self.outputs, len(states)
        )
        return scores.transpose(1, 2)


def _products(turns: Tensor, vectors: Tensor, place: Tensor, states: Tensor) -> Tensor:
    """P (O, D, D), token vectors (U, D), which of them (N,), states (N, D) -> (O, N)."""
    turned = vectors @ turns  # (O, U, D)
    if len(vectors) <= FEW:
        scores = turned @ states.T  # (O, U, N)
        return scores.gather(1, place.expand(len(turns), 1, -1))[:, 0].float()
    return torch.einsum("ond,nd->on", turned.index_select(1, place), states).float()
