"""Scores of tokens that are learnt beside the head, for algorithms that need more than one."""

import torch
from torch import Tensor, nn

from speaq.models.head import StateValues


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
