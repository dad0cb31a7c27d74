"""A batch of episodes in action time: what every loss in `qlearning` reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speaq.training.encoding import Encoded


@dataclass(frozen=True, slots=True)
class Batch:
    """B episodes, padded to T tokens and K actions. Padding is on the right."""

    tokens: Tensor  # (B, T) int64
    lengths: Tensor  # (B,) int64
    states: Tensor  # (B, K+1) int64 places of the states in `tokens`; padding points at 0
    actions: Tensor  # (B, K) int64 tokens chosen; padding is 0
    action_mask: Tensor  # (B, K) bool
    rewards: Tensor  # (B, K) float32; padding is 0
    discounts: Tensor  # (B, K) float32 γ, and 0 on an action after which the episode had ended
    truncated: Tensor  # (B,) bool
    behaviour_logprobs: Tensor  # (B, K) float32, NaN where unknown
    turn_ids: Tensor  # (B, K) int64
    member_mask: Tensor  # (M, B) bool: which ensemble member may learn from which episode
    source: Tensor  # (B, S) int64 what the encoder read; S is 0 where there is none
    source_lengths: Tensor  # (B,) int64

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))

    def returns(self) -> Tensor:
        """Discounted sum of rewards from each action on: (B, K) float32.

        Nothing is bootstrapped: a truncated episode counts what was received before the cut.
        """
        total = torch.zeros_like(self.rewards[:, 0])
        backwards = []
        for k in reversed(range(self.rewards.shape[1])):
            total = self.rewards[:, k] + self.discounts[:, k] * total
            backwards.append(total)
        return torch.stack(backwards[::-1], dim=1)


def collate(encoded: Sequence[Encoded], discount: float, member_mask: Tensor) -> Batch:
    """Pad episodes into a batch.

    Args:
        encoded: B episodes.
        discount: γ in [0, 1], per action token.
        member_mask: (M, B) bool.
    """
    B = len(encoded)
    T = max(len(each.tokens) for each in encoded)
    K = max(len(each.actions) for each in encoded)
    tokens = np.zeros((B, T), np.int64)
    states = np.zeros((B, K + 1), np.int64)
    actions, turn_ids = np.zeros((B, K), np.int64), np.zeros((B, K), np.int64)
    mask = np.zeros((B, K), bool)
    rewards, discounts = np.zeros((B, K), np.float32), np.zeros((B, K), np.float32)
    logprobs = np.full((B, K), np.nan, np.float32)
    for row, each in enumerate(encoded):
        count = len(each.actions)
        tokens[row, : len(each.tokens)] = each.tokens
        states[row, : count + 1] = each.states
        actions[row, :count] = each.action_tokens
        turn_ids[row, :count] = each.turn_ids
        mask[row, :count] = True
        rewards[row, :count] = each.rewards
        discounts[row, :count] = discount
        # Termination ends the sum; truncation lets the value of what might follow stand in.
        discounts[row, count - 1] = discount if each.truncated else 0.0
        logprobs[row, :count] = each.behaviour_logprobs
    sources = [torch.from_numpy(each.source) for each in encoded]
    return Batch(
        tokens=torch.from_numpy(tokens),
        lengths=torch.tensor([len(each.tokens) for each in encoded]),
        states=torch.from_numpy(states),
        actions=torch.from_numpy(actions),
        action_mask=torch.from_numpy(mask),
        rewards=torch.from_numpy(rewards),
        discounts=torch.from_numpy(discounts),
        truncated=torch.tensor([each.truncated for each in encoded]),
        behaviour_logprobs=torch.from_numpy(logprobs),
        turn_ids=torch.from_numpy(turn_ids),
        member_mask=member_mask,
        source=torch.nn.utils.rnn.pad_sequence(sources, batch_first=True),
        source_lengths=torch.tensor([len(source) for source in sources]),
    )
