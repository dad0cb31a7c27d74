"""A linear-chain conditional random field over tags (Lafferty et al. 2001), in plain PyTorch.

p(tags | words) = exp(Σ_w emission[w, tag_w] + Σ_w transition[tag_{w-1}, tag_w]) / Z, where what
stands before the first word and after the last has transitions of its own. Tags that IOB2 does
not let follow each other have transition -inf in decoding, and a large cost in learning.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from speaq.training.supervised.labels import OUTSIDE

NEVER = -1e4
"""Score of what IOB2 forbids; finite, so that sums stay numbers."""


def forbidden(tags: Sequence[str]) -> tuple[Tensor, Tensor]:
    """What IOB2 forbids: (L, L) bool, from a tag to the next, and (L,) bool, at the beginning."""
    following = torch.zeros(len(tags), len(tags), dtype=torch.bool)
    first = torch.zeros(len(tags), dtype=torch.bool)
    for j, tag in enumerate(tags):
        mark, _, kind = tag.partition("-")
        if mark != "I" or tag == OUTSIDE:
            continue
        first[j] = True
        for i, before in enumerate(tags):
            following[i, j] = before not in (f"B-{kind}", f"I-{kind}")
    return following, first


class CRF(nn.Module):
    """Transitions between L tags. `learnt=False` keeps them at 0, but for what IOB2 forbids."""

    forbids: Tensor
    forbids_first: Tensor

    def __init__(self, tags: Sequence[str], *, learnt: bool = True) -> None:
        super().__init__()
        count = len(tags)
        self.between = nn.Parameter(torch.zeros(count, count), requires_grad=learnt)
        self.first = nn.Parameter(torch.zeros(count), requires_grad=learnt)
        self.last = nn.Parameter(torch.zeros(count), requires_grad=learnt)
        following, first = forbidden(tags)
        self.register_buffer("forbids", following, persistent=False)
        self.register_buffer("forbids_first", first, persistent=False)

    def _transitions(self) -> tuple[Tensor, Tensor]:
        return (
            self.between.masked_fill(self.forbids, NEVER),
            self.first.masked_fill(self.forbids_first, NEVER),
        )

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """ln p(tags | words): emissions (B, W, L), tags (B, W) int64, mask (B, W) bool -> (B,).

        Words of a row stand at its left; each row has at least one.
        """
        between, first = self._transitions()
        emissions = emissions.float()
        score = first[tags[:, 0]] + _at(emissions[:, 0], tags[:, 0])
        alpha = first + emissions[:, 0]  # (B, L): ln Σ exp over all ways to reach each tag
        for w in range(1, emissions.shape[1]):
            here = mask[:, w]
            step = between[tags[:, w - 1], tags[:, w]] + _at(emissions[:, w], tags[:, w])
            score = score + torch.where(here, step, 0.0)
            reached = torch.logsumexp(alpha[:, :, None] + between, 1) + emissions[:, w]
            alpha = torch.where(here[:, None], reached, alpha)
        end = tags.gather(1, mask.sum(1, keepdim=True) - 1)[:, 0]
        return score + self.last[end] - torch.logsumexp(alpha + self.last, 1)

    @torch.no_grad()
    def best(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The likeliest tags of each row (Viterbi): (B, W, L), (B, W) bool -> B lists."""
        between, first = self._transitions()
        emissions = emissions.float()
        score = first + emissions[:, 0]
        pointers = []
        for w in range(1, emissions.shape[1]):
            top, pointer = (score[:, :, None] + between).max(1)
            score = torch.where(mask[:, w, None], top + emissions[:, w], score)
            pointers.append(pointer)
        lengths = mask.sum(1).tolist()
        ends = (score + self.last).argmax(1).tolist()
        chains = torch.stack(pointers, 1).tolist() if pointers else [[]] * len(ends)
        found = []
        for row, (length, tag) in enumerate(zip(lengths, ends, strict=True)):
            path = [tag]
            for w in range(length - 2, -1, -1):
                path.append(chains[row][w][path[-1]])
            found.append(path[::-1])
        return found


def _at(scores: Tensor, tags: Tensor) -> Tensor:
    """scores (B, L), tags (B,) -> (B,)."""
    return scores.gather(1, tags[:, None])[:, 0]
