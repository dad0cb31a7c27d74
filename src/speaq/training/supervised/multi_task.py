"""Several tasks on one trunk, and what each gained or lost against its own single-task model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speaq.core.devices import device
from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.core.runs import RunFolder
from speaq.core.settings import require
from speaq.training.distributed import first_then_others, processes
from speaq.training.loop import LoopSettings
from speaq.training.supervised.fine_tune import (
    Outcome,
    fine_tune,
    job_of,
    kind_for,
    learnt,
    settle,
)
from speaq.training.supervised.learner import Job
from speaq.training.supervised.preparing import (
    Examples,
    resolved_settings,
    stepped,
    texts_of,
    with_validation,
)
from speaq.training.supervised.result import Skill, Tuned, parameters_of, save
from speaq.training.supervised.settings import FineTuneSettings, default_loop, is_fresh
from speaq.training.supervised.strategy import merged, prepared
from speaq.training.supervised.trunk import open_trunk


@dataclass(frozen=True)
class TogetherSettings:
    """How several tasks share a trunk."""

    temperature: float = 2.0
    """A batch's task is drawn ∝ (its examples)^(1 / temperature): 1 in proportion to them, more
    gives small tasks a larger say."""
    singles: bool = True
    """Train each task alone as well, with the same settings, to say what it gained or lost."""

    def __post_init__(self) -> None:
        require("together", self, {"temperature": (self.temperature >= 1, "≥ 1")})


@dataclass(frozen=True)
class Gain:
    """One task, alone and together with the others."""

    task: str
    metric: str
    together: float
    alone: float | None
    """None where no single model was trained."""

    @property
    def gain(self) -> float | None:
        """Together minus alone."""
        return None if self.alone is None else self.together - self.alone


@dataclass
class Together:
    """What multi-task learning left behind."""

    model: Tuned
    folder: Path
    metrics: dict[str, dict[str, dict[str, Any]]]
    """By task and part."""
    gains: list[Gain]
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    parameters: tuple[int, int] = (0, 0)
    """Of the shared model, and of the single ones together."""

    def report(self) -> str:
        """What each task gained or lost, in words."""
        lines = []
        for each in self.gains:
            if each.alone is None or each.gain is None:
                lines.append(f"{each.task}: {each.metric} {each.together:.4f}")
                continue
            lines.append(
                say(
                    f"{each.task}: {each.metric} {each.together:.4f} together, {each.alone:.4f} "
                    f"alone: {'gained' if each.gain > 0 else 'lost'} {abs(each.gain) * 100:.2f} "
                    "points",
                    f"{each.task}：{each.metric} 合训 {each.together:.4f}，单训 {each.alone:.4f}："
                    f"{'提高' if each.gain > 0 else '降低'} {abs(each.gain) * 100:.2f} 个百分点",
                )
            )
        if self.parameters[1]:
            lines.append(
                say(
                    f"{self.parameters[0]:,} parameters instead of {self.parameters[1]:,}",
                    f"参数 {self.parameters[0]:,}，单独训练共需 {self.parameters[1]:,}",
                )
            )
        return "\n".join(lines)


@processes()
def fine_tune_together(
    source: str | Path,
    tasks: Mapping[str, Examples],
    *,
    settings: FineTuneSettings | None = None,
    together: TogetherSettings | None = None,
    loop: LoopSettings | None = None,
    folder: Path | str,
    seed: int = 0,
    several: frozenset[str] = frozenset(),
) -> Together:
    """Fine-tune one trunk for several tasks at once.

    Args:
        source: see `trunk`.
        tasks: the examples of each, by name.
        settings: what changes; the same for all.
        together: how the tasks share.
        loop: how long and how fast; an epoch passes over the examples of all tasks.
        folder: the run folder; the model goes into `model`, single ones into `alone-NAME`.
        seed: of everything random.
        several: names of the tasks in which any number of labels may hold.

    Raises:
        SettingsError: fewer than two tasks.
        DataError, DivergenceError: as `fine_tune`.
    """
    if len(tasks) < 2 or "" in tasks:
        raise SettingsError(
            "multi-task learning needs two or more named tasks.",
            "多任务学习需要两个或以上有名称的任务。",
        )
    settings, together = settings or FineTuneSettings(), together or TogetherSettings()
    notes: list[str] = []
    parts = {name: with_validation(each, seed, notes) for name, each in tasks.items()}
    texts = [t for each in parts.values() for e in each.training for t in texts_of(e)]
    trunk = open_trunk(source, texts, seed)
    kinds = {name: kind_for(each, settings, trunk, name in several) for name, each in parts.items()}
    total = sum(len(each.training) for each in parts.values())
    loop = loop or default_loop(settings.strategy, fresh=is_fresh(source))
    own_loop = stepped(loop, settings, total)
    resolved = resolved_settings(source, parts, settings, own_loop, seed)
    resolved |= {"temperature": together.temperature}
    run = first_then_others(lambda: RunFolder(folder, resolved))
    begun = time.perf_counter()
    trunk.model = prepared(trunk.model.to(device()), settings, seed)
    jobs = [
        job_of(name, kinds[name], trunk, each, settings, seed, notes)
        for name, each in parts.items()
    ]
    learner = learnt(trunk, jobs, settings, own_loop, run, seed, together.temperature)
    seconds = time.perf_counter() - begun
    trunk.model = merged(trunk.model)
    metrics = {job.name: settle(trunk, job, parts[job.name]) for job in jobs}
    alone: dict[str, Outcome] = {}
    if together.singles:
        for name, each in parts.items():
            alone[name] = fine_tune(
                source,
                each,
                settings=settings,
                loop=loop,
                folder=run.path / f"alone-{name}",
                seed=seed,
                several=name in several,
            )
    gains = [_gain(job, metrics[job.name], alone.get(job.name)) for job in jobs]
    how = {**resolved, "best_step": int(learner.best.step), "seconds": round(seconds, 1)}
    flat = {f"{name} {part}": own for name, each in metrics.items() for part, own in each.items()}
    facts = {"origin": str(source), "metrics": flat, "how": how, "notes": notes}
    skills = {job.name: Skill(job.kind, job.head) for job in jobs}
    tuned = Tuned(trunk, skills, facts)
    save(tuned, run.path / "model")
    sizes = _size(tuned), sum(_size(each.model) for each in alone.values())
    return Together(tuned, run.path / "model", metrics, gains, notes, seconds, sizes)


def _gain(job: Job, metrics: dict[str, dict[str, Any]], alone: Outcome | None) -> Gain:
    part = "test" if "test" in metrics else "validation"
    metric = job.kind.metric
    single = None if alone is None else float(alone.metrics[part][metric])
    return Gain(job.name, metric, float(metrics[part][metric]), single)


def _size(tuned: Tuned) -> int:
    return parameters_of(tuned.trunk, [skill.head for skill in tuned.skills.values()])[1]
