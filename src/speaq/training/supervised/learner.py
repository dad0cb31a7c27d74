"""What the training loop trains: one trunk, and a head for each task on it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from speaq.core.devices import batch_dtype
from speaq.core.runs import RunFolder
from speaq.training.descent import TERMS
from speaq.training.distributed import parallel, rank
from speaq.training.sharing import Inside, quiet, refill, shared
from speaq.training.supervised.batches import Batch, Buckets, Row, by_length, collate
from speaq.training.supervised.hidden_states import ROWS_AT_ONCE, HiddenStates
from speaq.training.supervised.kinds import Kind, Scores
from speaq.training.supervised.trunk import Trunk


@dataclass
class Job:
    """One task as it is learnt."""

    name: str
    kind: Kind
    head: nn.Module
    rows: Sequence[Row]
    validation: Sequence[Any]
    validation_rows: Sequence[Row]
    states: HiddenStates | None = None
    """Of `rows`, where the trunk is frozen; None computes them."""
    validation_states: HiddenStates | None = None


class Best(nn.Module):
    """The weights of the best validation so far. Buffers, so that a checkpoint keeps them."""

    score: Tensor
    cost: Tensor
    step: Tensor
    waited: Tensor

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.register_buffer("score", torch.tensor(-torch.inf, dtype=torch.float64))
        self.register_buffer("cost", torch.tensor(torch.inf, dtype=torch.float64))
        self.register_buffer("step", torch.tensor(0))
        self.register_buffer("waited", torch.tensor(0))
        for n, weight in enumerate(weights):
            self.register_buffer(f"weight{n}", weight.detach().clone())

    def heard(self, score: float, cost: float, step: int, weights: Sequence[nn.Parameter]) -> None:
        """Keep `weights` if this is the best score, or as good a one at a lower cost; count the
        validation otherwise. Few validation examples have few different scores."""
        best = float(self.score)
        if score > best or (score == best and cost < float(self.cost)):
            self.score.fill_(score)
            self.cost.fill_(cost)
            self.step.fill_(step)
            self.waited.zero_()
            for n, weight in enumerate(weights):
                cast(Tensor, self._buffers[f"weight{n}"]).copy_(weight.detach())
        else:
            self.waited += 1

    @torch.no_grad()
    def restore(self, weights: Sequence[nn.Parameter]) -> None:
        """Put the best weights back in place."""
        for n, weight in enumerate(weights):
            weight.copy_(cast(Tensor, self._buffers[f"weight{n}"]))


class Learner:
    """The loop's task. Rows are counted through all jobs, as `Buckets` counts them.

    Args:
        trunk: with gradients where it is to change; frozen if none has any.
        jobs: the tasks.
        replay: which rows a step learns from.
        run: where validations are logged.
        every: steps between validations.
        steps: of the run; the last one is validated too.
        patience: validations without a better one after which it is enough; 0: never.
    """

    def __init__(
        self,
        trunk: Trunk,
        jobs: Sequence[Job],
        replay: Buckets,
        run: RunFolder,
        *,
        every: int,
        steps: int,
        patience: int,
    ) -> None:
        self.trunk = trunk
        self.jobs = list(jobs)
        self.replay = replay
        self.run = run
        self.every, self.steps, self.patience = every, steps, patience
        self.heads = nn.ModuleDict({f"head{n}": job.head for n, job in enumerate(self.jobs)})
        self.heads.to(trunk.device)
        plain: nn.Module = trunk.model
        everything = Inside({"trunk": plain, "heads": self.heads})
        # What is in parts cannot be saved or asked; the whole one is filled at the end.
        self._whole = copy.deepcopy(everything) if parallel() == "fsdp" else None
        self.inside, self.synchronise = shared(everything, parallel(), unused=True)
        self.changing = [weight for weight in plain.parameters() if weight.requires_grad]
        # As they are between steps: inside of the modules they may be whole for a while.
        self._heads = list(self.heads.parameters())
        self.best = Best(self._weights()).to(trunk.device)
        self.half = batch_dtype() == torch.bfloat16
        self.step = 0

    def _weights(self) -> list[nn.Parameter]:
        return [*self.changing, *self._heads]

    def modules(self) -> Mapping[str, nn.Module]:
        """See `training.loop.Task`: of the trunk, only what changes."""
        return {
            "trunk": nn.ParameterList(self.changing),
            "heads": self.heads,
            "best": self.best,
        }

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `training.loop.Task`."""
        heads = [weight for weight in self._heads if weight.requires_grad]
        return {"trunk": self.changing, "head": heads}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `training.loop.Task`."""
        number = self.replay.group_of(indices[0])
        job = self.jobs[number]
        own = [index - int(self.replay.starts[number]) for index in indices]
        rows = [job.rows[index] for index in own]
        self.trunk.model.train(bool(self.changing))
        job.head.train()
        batch = collate(rows, self.trunk.padding, self.trunk.device)
        with self._precision():
            loss: Tensor = self.inside(lambda: self._loss(job, batch, own))
        figures = {TERMS: torch.tensor(job.kind.terms(batch))}
        if len(self.jobs) > 1:
            figures[f"loss {self._shown(job)}"] = loss.detach()
        return loss, figures

    def _loss(self, job: Job, batch: Batch, own: Sequence[int]) -> Tensor:
        if job.states is not None:
            hidden = job.states.gather(own).to(self.trunk.device)
        else:
            with torch.set_grad_enabled(bool(self.changing)):
                hidden = self.trunk.hidden(batch)
        return job.kind.loss(job.head, hidden.float(), batch)

    def _shown(self, job: Job) -> str:
        """A job's name in curves, whose font has no Chinese."""
        return job.name if job.name.isascii() else f"task {self.jobs.index(job) + 1}"

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.trunk.device.type, torch.bfloat16, enabled=self.half)

    def after_step(self, step: int) -> None:
        """See `training.loop.Task`: validate where it is time."""
        if step % self.every and step != self.steps:
            return
        score = cost = 0.0
        row: dict[str, float] = {}
        for job in self.jobs:
            value, loss = self.validated(job)
            name = f"validation {self._shown(job)} {job.kind.metric}".replace("  ", " ")
            row |= {name: value, name.replace(job.kind.metric, "loss"): loss}
            score, cost = score + value / len(self.jobs), cost + loss / len(self.jobs)
        self.best.heard(score, cost, step, self._weights())
        if rank() == 0:
            self.run.log(step, row)

    def validated(self, job: Job) -> tuple[float, float]:
        """A job's metric, and its loss, on its validation examples; every process finds all."""
        found, loss = quiet(self.inside)(
            lambda: judged(
                self.trunk, job.kind, job.head, job.validation_rows, job.validation_states
            )
        )
        answers = job.kind.answers(found, job.validation_rows, job.validation)
        return float(job.kind.measures(answers, job.validation)[job.kind.metric]), loss

    def enough(self) -> bool:
        """Whether too many validations in a row brought nothing better."""
        return bool(self.patience) and int(self.best.waited) >= self.patience

    def restore_best(self) -> None:
        """Put back the weights of the best validation, and a whole model in place of its parts."""
        self.best.restore(self._weights())
        if self._whole is not None:
            refill(self._whole, quiet(self.inside))
            self.trunk.model = self._whole.held["trunk"].to(self.trunk.device)
            for job, head in zip(self.jobs, self._whole.held["heads"].children(), strict=True):
                job.head = head


def scores(
    trunk: Trunk,
    kind: Kind,
    head: nn.Module,
    rows: Sequence[Row],
    states: HiddenStates | None = None,
) -> list[Scores]:
    """What a head says of rows, in their order."""
    return _read(trunk, kind, head, rows, states, None)


def judged(
    trunk: Trunk,
    kind: Kind,
    head: nn.Module,
    rows: Sequence[Row],
    states: HiddenStates | None = None,
) -> tuple[list[Scores], float]:
    """What a head says of rows, and its mean loss on what they say themselves."""
    losses: list[tuple[float, int]] = []
    found = _read(trunk, kind, head, rows, states, losses)
    return found, sum(loss * count for loss, count in losses) / len(rows)


@torch.no_grad()
def _read(
    trunk: Trunk,
    kind: Kind,
    head: nn.Module,
    rows: Sequence[Row],
    states: HiddenStates | None,
    losses: list[tuple[float, int]] | None,
) -> list[Scores]:
    trunk.model.eval()
    head.eval()
    found: dict[int, Scores] = {}
    for chosen in by_length([len(row.tokens) for row in rows], ROWS_AT_ONCE):
        batch = collate([rows[index] for index in chosen], trunk.padding, trunk.device)
        hidden = trunk.hidden(batch) if states is None else states.gather(chosen).to(trunk.device)
        found.update(zip(chosen, kind.scores(head, hidden.float(), batch), strict=True))
        if losses is not None:
            losses.append((float(kind.loss(head, hidden.float(), batch)), len(chosen)))
    return [found[index] for index in range(len(rows))]
