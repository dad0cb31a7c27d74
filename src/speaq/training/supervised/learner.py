"""What the training loop trains: one trunk, and a head for each task on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from speaq.core.devices import batch_dtype
from speaq.core.runs import RunFolder
from speaq.training.supervised.batches import Buckets, Row, by_length, collate
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
    step: Tensor
    waited: Tensor

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.register_buffer("score", torch.tensor(-torch.inf, dtype=torch.float64))
        self.register_buffer("step", torch.tensor(0))
        self.register_buffer("waited", torch.tensor(0))
        for n, weight in enumerate(weights):
            self.register_buffer(f"weight{n}", weight.detach().clone())

    def heard(self, score: float, step: int, weights: Sequence[nn.Parameter]) -> None:
        """Keep `weights` if this is the best score; count the validation otherwise."""
        if score > float(self.score):
            self.score.fill_(score)
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
        self.changing = [weight for weight in plain.parameters() if weight.requires_grad]
        self.best = Best(self._weights()).to(trunk.device)
        self.half = batch_dtype() == torch.bfloat16
        self.step = 0

    def _weights(self) -> list[nn.Parameter]:
        return [*self.changing, *self.heads.parameters()]

    def modules(self) -> Mapping[str, nn.Module]:
        """See `training.loop.Task`: of the trunk, only what changes."""
        return {
            "trunk": nn.ParameterList(self.changing),
            "heads": self.heads,
            "best": self.best,
        }

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `training.loop.Task`."""
        heads = [weight for weight in self.heads.parameters() if weight.requires_grad]
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
        with self._precision():
            loss = self._loss(job, rows, own)
        figures = {} if len(self.jobs) == 1 else {f"loss {job.name}": loss.detach()}
        return loss, figures

    def _loss(self, job: Job, rows: Sequence[Row], own: Sequence[int]) -> Tensor:
        batch = collate(rows, self.trunk.padding, self.trunk.device)
        if job.states is not None:
            hidden = job.states.gather(own).to(self.trunk.device)
        else:
            with torch.set_grad_enabled(bool(self.changing)):
                hidden = self.trunk.hidden(batch)
        return job.kind.loss(job.head, hidden.float(), batch)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.trunk.device.type, torch.bfloat16, enabled=self.half)

    def after_step(self, step: int) -> None:
        """See `training.loop.Task`: validate where it is time."""
        if step % self.every and step != self.steps:
            return
        measured = {
            f"{job.kind.metric} {job.name}".strip(): self.validated(job)[job.kind.metric]
            for job in self.jobs
        }
        score = sum(measured.values()) / len(measured)
        self.best.heard(score, step, self._weights())
        self.run.log(step, {f"validation {name}": value for name, value in measured.items()})

    def validated(self, job: Job) -> dict[str, Any]:
        """The measures of a job on its validation examples."""
        found = scores(self.trunk, job.kind, job.head, job.validation_rows, job.validation_states)
        answers = job.kind.answers(found, job.validation_rows, job.validation)
        return job.kind.measures(answers, job.validation)

    def enough(self) -> bool:
        """Whether too many validations in a row brought nothing better."""
        return bool(self.patience) and int(self.best.waited) >= self.patience

    def restore_best(self) -> None:
        """Put back the weights of the best validation."""
        self.best.restore(self._weights())


@torch.no_grad()
def scores(
    trunk: Trunk,
    kind: Kind,
    head: nn.Module,
    rows: Sequence[Row],
    states: HiddenStates | None = None,
    count: Callable[[float], None] = lambda _: None,
) -> list[Scores]:
    """What a head says of rows, in their order."""
    trunk.model.eval()
    head.eval()
    found: list[Scores | None] = [None] * len(rows)
    for chosen in by_length([len(row.tokens) for row in rows], ROWS_AT_ONCE):
        batch = collate([rows[index] for index in chosen], trunk.padding, trunk.device)
        hidden = trunk.hidden(batch) if states is None else states.gather(chosen).to(trunk.device)
        for index, said in zip(chosen, kind.scores(head, hidden.float(), batch), strict=True):
            found[index] = said
        count(len(chosen))
    return [each for each in found if each is not None]
