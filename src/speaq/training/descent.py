"""One optimiser step: gradients of a batch in pieces and over processes, clipping.

A batch may be computed piece by piece to save memory, and shared out over processes. Either way
the gradient is that of the mean over the whole batch, also where pieces hold unlike numbers of
terms, such as masked tokens: each piece's mean is weighed by its terms.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from speaq.core.seeds import derive
from speaq.training.distributed import rank, summed, whole, world
from speaq.training.optimisers import Optimiser
from speaq.training.replay import Draw

if TYPE_CHECKING:
    from speaq.training.loop import Task

TERMS = "terms"
"""A figure of `Task.loss` that is not logged: of how many terms the loss is the mean."""


class Descent:
    """How the loop turns a batch into gradients, and gradients into a step.

    Args:
        optimiser: each of its groups holds its `peak` learning rate.
        pieces: parts in which each process computes its share of a batch.
        together: clip the norm of all gradients at once; else that of each group by itself.
        synchronise: called before each piece with whether gradients are exchanged after it; for
            models that exchange them by themselves, and average them over the processes.
    """

    def __init__(
        self,
        optimiser: Optimiser,
        *,
        pieces: int = 1,
        together: bool = False,
        synchronise: Callable[[bool], None] | None = None,
    ) -> None:
        self.optimiser = optimiser
        self.pieces = pieces
        self.together = together
        self.synchronise = synchronise

    def gradients(self, task: "Task", drawn: Draw) -> tuple[float, dict[str, Tensor]]:
        """Leave the gradient of the batch's mean loss on the weights: the loss, and its figures.

        In several pieces, the batch must be a whole number of them for each process.
        """
        self.optimiser.zero_grad(set_to_none=True)
        if self.pieces * world() == 1:
            loss, figures = task.loss(drawn.indices, drawn.weights)
            figures.pop(TERMS, None)
            value = float(loss.detach())
            torch.autograd.backward(loss)
            return value, figures
        if rank():
            # Else all processes would drop the same units.
            torch.manual_seed(derive(torch.initial_seed(), "rank", rank()))
        mine = _share(drawn, rank(), world())
        # A process that a small batch leaves nothing for still has to call what all call.
        idle = not mine.indices
        return self._of_pieces(task, _share(drawn, 0, len(drawn.indices)) if idle else mine, idle)

    def _of_pieces(self, task: "Task", mine: Draw, idle: bool) -> tuple[float, dict[str, Tensor]]:
        size = len(mine.indices) // self.pieces
        sums: dict[str, float] = {"loss": 0.0, TERMS: 0.0}
        for number in range(self.pieces):
            if self.synchronise is not None:
                self.synchronise(number == self.pieces - 1)
            part = slice(number * size, (number + 1) * size)
            weights = None if mine.weights is None else mine.weights[part]
            loss, figures = task.loss(mine.indices[part], weights)
            terms = 0.0 if idle else float(figures.pop(TERMS, size))
            torch.autograd.backward(loss * terms)
            figures.pop(TERMS, None)
            for name, value in {"loss": loss.detach(), **figures}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * terms
            sums[TERMS] += terms
        total = dict(zip(sums, summed(list(sums.values())), strict=True))
        count = total.pop(TERMS)
        for weight in self._weights():
            if weight.grad is not None:
                weight.grad.mul_(world() / count)
        means = {name: torch.tensor(value / count) for name, value in total.items()}
        return float(means.pop("loss")), means

    def clip(self, limit: float) -> list[float]:
        """Shorten gradients to the norm `limit`, 0 for none; the norms they had."""
        groups = [group["params"] for group in self.optimiser.param_groups]
        if self.together:
            groups = [self._weights()]
        longest = limit or float("inf")
        return [float(whole(nn.utils.clip_grad_norm_(group, longest))) for group in groups]

    def _weights(self) -> list[nn.Parameter]:
        return [weight for group in self.optimiser.param_groups for weight in group["params"]]


def _share(drawn: Draw, number: int, count: int) -> Draw:
    """Every `count`-th episode of a batch, from the one at `number` on."""
    indices: Sequence[int] = drawn.indices[number::count]
    weights = None if drawn.weights is None else drawn.weights[number::count]
    return Draw(list(indices), weights)
