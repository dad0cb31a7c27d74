"""The one training loop. It knows no algorithm: a task brings the loss, the loop the rest.

Every step's batch and random numbers depend only on the seed and the step, and a checkpoint
holds every tensor that changes; so a run that was killed and continued ends with the same bits as
one that was not (on a CPU with the same number of threads).
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from speaq.core.errors import DivergenceError, SettingsError, StorageError
from speaq.core.files import replacing_folder
from speaq.core.progress import bar
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.training.descent import Descent
from speaq.training.distributed import rank, spread, wait, whole
from speaq.training.optimisers import Optimiser
from speaq.training.replay import Permutations, Replay
from speaq.training.schedules import SCHEDULES, factor


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast to train."""

    steps: int = 200
    """Optimiser steps."""
    batch_size: int = 64
    """Episodes per step."""
    lr: float = 2e-4
    """Peak learning rate of the trunk, or of its LoRA; heads have their own."""
    head_lr: float = 2e-3
    """Peak learning rate of the advantages."""
    value_lr: float = 2e-3
    """Peak learning rate of the state values."""
    weight_decay: float = 1e-6
    """AdamW weight decay on matrices of the trunk."""
    head_weight_decay: float = 0.0
    """AdamW weight decay on the value heads."""
    beta2: float = 0.95
    """AdamW's second moment decay."""
    clip_norm: float = 1.0
    """Largest gradient norm; 0 does not clip."""
    warmup: int = 0
    """Steps over which the learning rate rises from 0."""
    schedule: str = "constant"
    """`constant`; or `linear`, `cosine` or `exponential` down to a tenth."""
    checkpoint_every: int = 50
    """Steps between checkpoints."""
    log_every: int = 10
    """Steps between metric lines."""

    def __post_init__(self) -> None:
        checks = {
            "steps": self.steps >= 1,
            "batch_size": self.batch_size >= 1,
            "lr": self.lr > 0,
            "head_lr": self.head_lr > 0,
            "value_lr": self.value_lr > 0,
            "checkpoint_every": self.checkpoint_every >= 1,
            "log_every": self.log_every >= 1,
            "schedule": self.schedule in SCHEDULES,
        }
        known = ", ".join(SCHEDULES)
        for name, good in checks.items():
            if not good:
                raise SettingsError(
                    f"training setting {name} = {vars(self)[name]} cannot be used; it must be "
                    f"{f'one of {known}' if name == 'schedule' else 'positive'}.",
                    f"训练参数 {name} = {vars(self)[name]} 不可用；"
                    f"应为{f' {known} 之一' if name == 'schedule' else '正数'}。",
                )

    def rate(self, step: int) -> float:
        """Factor on the learning rates at `step`, counted from 0."""
        return factor(self.schedule, step, self.steps, self.warmup, floor=0.1)


class Pace(Protocol):
    """What the loop itself reads of settings; see `LoopSettings`."""

    @property
    def steps(self) -> int:
        """Optimiser steps."""

    @property
    def batch_size(self) -> int:
        """Episodes per step."""

    @property
    def clip_norm(self) -> float:
        """Largest gradient norm; 0 does not clip."""

    @property
    def checkpoint_every(self) -> int:
        """Steps between checkpoints."""

    @property
    def log_every(self) -> int:
        """Steps between metric lines."""

    def rate(self, step: int) -> float:
        """Factor on the learning rates at `step`, counted from 0."""


class Task(Protocol):
    """What the loop trains."""

    def modules(self) -> Mapping[str, nn.Module]:
        """Every module whose tensors change, by name; all of it is checkpointed."""

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """What is trained: `trunk` at `lr`, `head` at `head_lr`, `value` at `value_lr`."""

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Scalar loss of the episodes `indices`, and figures to log.

        `weights` (B,) are importance weights of the episodes. Two figures are not logged: `errors`
        (B,) says how wrong each episode's values were, for the replay; `terms` of how many terms
        the loss is the mean, where that is not the number of episodes, for `Descent`.
        """

    def after_step(self, step: int) -> None:
        """Called once after each optimiser step, `step` counted from 1: target networks."""


def train(
    task: Task,
    episodes: int | Replay,
    settings: Pace,
    run: RunFolder,
    seed: int,
    *,
    descent: Descent | None = None,
    require_sound: Callable[[Sequence[int]], None] | None = None,
    enough: Callable[[], bool] | None = None,
) -> None:
    """Train `task`, from the run's last checkpoint if it has one.

    Args:
        task: what is trained.
        episodes: how many there are, to be passed over uniformly; or the replay to draw from.
        settings: how long and how fast.
        run: where metrics and checkpoints go.
        seed: of batches, and of draws inside modules.
        descent: the optimiser, and how it comes by gradients; None: AdamW by `LoopSettings`.
        require_sound: called with a step's episodes before its checkpoint is written; raises
            `DivergenceError` if what was learnt is not worth keeping.
        enough: asked before each step; true ends the run early. Its answer may depend only on
            what a checkpoint keeps.

    Raises:
        DivergenceError: loss or gradient is not finite, or `require_sound` says so; the last
            checkpoint is kept.
        StorageError: a checkpoint could not be written; the one before it is kept.
    """
    replay = Permutations(episodes, seed) if isinstance(episodes, int) else episodes
    if descent is None:
        if not isinstance(settings, LoopSettings):
            raise TypeError("settings other than LoopSettings need a descent")
        descent = Descent(adamw(task, settings))
    step = _restore(task, descent.optimiser, replay, run)
    if rank() == 0:
        run.rewind(step)
    wait()
    with bar("training", settings.steps) as running:
        running.advance(step)
        while step < settings.steps and not (enough is not None and enough()):
            # Dropout and other draws inside modules must not depend on what ran before.
            torch.manual_seed(derive(seed, "step", step))
            drawn = replay.draw(step, settings.batch_size)
            loss, figures = descent.gradients(task, drawn)
            _move(descent, settings, step, loss, drawn.indices)
            replay.learned(drawn.indices, figures.pop("errors", None))
            step += 1
            task.after_step(step)
            if step % settings.log_every == 0 or step == settings.steps:
                row = {"loss": loss, **{name: float(value) for name, value in figures.items()}}
                if rank() == 0:
                    run.log(step, row)
                running.advance(0, f"loss {loss:.4g}")
            if step % settings.checkpoint_every == 0 or step == settings.steps:
                if require_sound is not None:
                    require_sound(drawn.indices)
                _keep(task, descent.optimiser, replay, run, step)
            running.advance()


def adamw(task: Task, settings: LoopSettings) -> torch.optim.AdamW:
    """AdamW over a task's parameters, each group at its own rate."""
    # Decay pulls matrices only: norms and biases have no scale to be pulled from.
    parameters = task.parameters()
    trunk = parameters["trunk"]
    matrices = [parameter for parameter in trunk if parameter.dim() > 1]
    rest = [parameter for parameter in trunk if parameter.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "lr": settings.lr, "weight_decay": settings.weight_decay},
        {"params": rest, "lr": settings.lr, "weight_decay": 0.0},
    ]
    for name, rate in (("head", settings.head_lr), ("value", settings.value_lr)):
        group = list(parameters.get(name, []))
        groups.append({"params": group, "lr": rate, "weight_decay": settings.head_weight_decay})
    groups = [{**group, "peak": group["lr"]} for group in groups if group["params"]]
    return torch.optim.AdamW(groups, betas=(0.9, settings.beta2))


def _move(descent: Descent, settings: Pace, step: int, loss: float, indices: Sequence[int]) -> None:
    """One optimiser step along the gradients, if they are numbers."""
    _require_finite("loss", loss, step, indices)
    for norm in descent.clip(settings.clip_norm):
        # Else the weights would be ruined now and kept before the next loss tells.
        _require_finite("gradient", norm, step, indices)
    for group in descent.optimiser.param_groups:
        group["lr"] = group["peak"] * settings.rate(step)
    descent.optimiser.step()


_NAMED = 8
"""Members of a batch that a message names."""


def _require_finite(what: str, value: float, step: int, indices: Sequence[int]) -> None:
    if not np.isfinite(value):
        name = {"loss": "损失", "gradient": "梯度"}.get(what, what)
        batch = ", ".join(map(str, indices[:_NAMED])) + (", …" if len(indices) > _NAMED else "")
        raise DivergenceError(
            f"the {what} is {value} at step {step + 1} (batch: {batch}); lower the learning rate "
            "or check the rewards or texts. The last good checkpoint is kept.",
            f"第 {step + 1} 步的{name}为 {value}（批次：{batch}）；"
            "请降低学习率，或检查奖励或文本。最近的有效检查点已保留。",
        )


def _keep(task: Task, optimiser: Optimiser, replay: Replay, run: RunFolder, step: int) -> None:
    tensors = {
        f"module.{name}.{key}": tensor
        for name, module in task.modules().items()
        for key, tensor in module.state_dict().items()
    }
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{key}": tensor for key, tensor in state.items()}
    tensors |= {f"replay.{key}": tensor for key, tensor in replay.state().items()}
    # Where tensors are sharded, every process has to help put each together.
    copies = {key: whole(tensor.detach()).cpu().contiguous() for key, tensor in tensors.items()}
    if rank():
        return
    older = run.checkpoints()
    copies = {key: tensor.clone() for key, tensor in copies.items()}
    try:
        with replacing_folder(run.checkpoint(step)) as folder:
            save_file(copies, folder / "state.safetensors")
            (folder / "step.json").write_text(json.dumps({"step": step}))
    except SafetensorError as error:
        raise StorageError(
            f"{run.checkpoint(step)} could not be written ({error}); the checkpoint before it is "
            "kept. Free some space, then run the same command again.",
            f"无法写入 {run.checkpoint(step)}（{error}）；上一个检查点仍在。"
            "请腾出空间后重新运行同一命令。",
        ) from error
    # Only once the new one stands: a crash in between leaves two, never none.
    for folder in older:
        if folder != run.checkpoint(step):
            shutil.rmtree(folder)


def _clear_half_written(run: RunFolder) -> None:
    """Remove what a killed writer left under a temporary name; see `core.files`."""
    for left in [*run.path.rglob(".*.part"), *run.path.rglob(".*.old")]:
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def _restore(task: Task, optimiser: Optimiser, replay: Replay, run: RunFolder) -> int:
    """Load the last checkpoint, if any, and return its step."""
    if rank() == 0:
        _clear_half_written(run)
    found = run.checkpoints()
    if not found:
        return 0
    tensors = load_file(found[-1] / "state.safetensors")
    for name, module in task.modules().items():
        own = module.state_dict()
        kept = _under(f"module.{name}.", tensors)
        module.load_state_dict({key: spread(each, own[key]) for key, each in kept.items()})
    replay.restore(_under("replay.", tensors))
    saved = optimiser.state_dict()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    for key, tensor in tensors.items():
        if key.startswith("optimiser."):
            _, index, field = key.split(".")
            held = spread(tensor, weights[int(index)])
            saved["state"].setdefault(int(index), {})[field] = held
    optimiser.load_state_dict(saved)
    step: int = json.loads((found[-1] / "step.json").read_text())["step"]
    return step


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose name begins with `prefix`, by the rest of it."""
    return {
        key.removeprefix(prefix): each for key, each in tensors.items() if key.startswith(prefix)
    }
