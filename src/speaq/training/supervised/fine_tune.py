"""`fine_tune`: a trunk and examples in, a model folder that answers out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from speaq.core.devices import device
from speaq.core.errors import DataError, SettingsError
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.training.curves import plot_curves
from speaq.training.descent import Descent
from speaq.training.distributed import first_then_others, processes, rank, wait
from speaq.training.floors.compare import FloorRow, beside, floors_of
from speaq.training.loop import LoopSettings, adamw, train
from speaq.training.memory import memory_errors
from speaq.training.supervised.batches import Buckets, Row
from speaq.training.supervised.calibration import confidences, out_of_scope_recall
from speaq.training.supervised.classifying import Classifying, classifying
from speaq.training.supervised.examples import (
    Dialogue,
    Labelled,
    Parsed,
    Question,
    Related,
    Tagged,
)
from speaq.training.supervised.heads import Reads
from speaq.training.supervised.hidden_states import HiddenStates, compute, fits
from speaq.training.supervised.kinds import Kind, Scores
from speaq.training.supervised.labels import require_known
from speaq.training.supervised.learner import Job, Learner, scores
from speaq.training.supervised.parsing import parsing
from speaq.training.supervised.preparing import (
    Examples,
    labels_in,
    resolved_settings,
    stepped,
    texts_of,
    with_validation,
)
from speaq.training.supervised.reading import reading
from speaq.training.supervised.result import Skill, Tuned, parameters_of, save
from speaq.training.supervised.settings import FineTuneSettings, default_loop, is_fresh
from speaq.training.supervised.strategy import merged, prepared
from speaq.training.supervised.tagging import tagging
from speaq.training.supervised.trunk import Trunk, open_trunk

_PROBE = 4


@dataclass
class Outcome:
    """What fine-tuning left behind."""

    model: Tuned
    folder: Path
    """The model folder."""
    metrics: dict[str, dict[str, Any]]
    """By part: `validation`, `test`."""
    notes: list[str] = field(default_factory=list)
    """What a person should know: texts that were cut, examples held out."""
    ordinary: bool = False
    """Whether the folder holds one of `transformers`' `AutoModelFor...` classes."""
    seconds: float = 0.0
    """Of training, states computed beforehand included."""


@processes()
def fine_tune(
    source: str | Path,
    examples: Examples,
    *,
    settings: FineTuneSettings | None = None,
    loop: LoopSettings | None = None,
    folder: Path | str,
    seed: int = 0,
    several: bool = False,
    floor: bool = False,
) -> Outcome:
    """Fine-tune a trunk for one task: texts, pairs, relations, tags or passages.

    Args:
        source: see `trunk`.
        examples: all of one type; see `writing.fine_tune_writer` for replies and translations.
        settings: what changes; see there.
        loop: how long and how fast; `settings.epochs` sets the steps.
        folder: the run folder; the model goes into `model` there. The same call on the same
            folder continues an interrupted run. Under `torchrun` all processes take part, and
            the first one writes.
        seed: of everything random.
        several: whether any number of labels may hold.
        floor: train the classical models too, and say which of them wins; needs `classic`.

    Raises:
        DataError: no examples, one class, labels that training never showed.
        SettingsError: unknown or contradictory settings.
        DivergenceError: the numbers ended; the last good checkpoint is kept.
        MemoryShortageError: a batch did not fit.
    """
    settings = settings or FineTuneSettings()
    notes: list[str] = []
    parts = with_validation(examples, seed, notes)
    texts = [text for example in parts.training for text in texts_of(example)]
    trunk = open_trunk(source, texts, seed)
    kind = kind_for(parts, settings, trunk, several)
    loop = loop or default_loop(settings.strategy, fresh=is_fresh(source))
    loop = stepped(loop, settings, len(parts.training))
    resolved = resolved_settings(source, {"": parts}, settings, loop, seed)
    run = first_then_others(lambda: RunFolder(folder, resolved))
    begun = time.perf_counter()
    trunk.model = prepared(trunk.model.to(device()), settings, seed)
    job = job_of("", kind, trunk, parts, settings, seed, notes)
    changing = parameters_of(trunk, [job.head])
    learner = learnt(trunk, [job], settings, loop, run, seed)
    seconds = time.perf_counter() - begun
    trunk.model = merged(trunk.model)
    metrics = settle(trunk, job, parts)
    skill = Skill(job.kind, job.head)
    how = {
        **resolved,
        "best_step": int(learner.best.step),
        "trained_parameters": changing[0],
        "parameters": changing[1],
        "seconds": round(seconds, 1),
    }
    facts = {"origin": str(source), "metrics": metrics, "how": how, "notes": notes}
    if floor and rank() == 0:
        facts["floor"] = with_floor(job.kind, metrics, seconds, parts, several, seed)
    tuned = Tuned(trunk, {"": skill}, facts)
    place = run.path / "model"
    ordinary = save(tuned, place, job.validation_rows[:_PROBE])
    return Outcome(tuned, place, metrics, notes, ordinary, seconds)


def with_floor(
    kind: Kind,
    metrics: dict[str, dict[str, Any]],
    seconds: float,
    parts: Examples,
    several: bool,
    seed: int,
) -> dict[str, Any]:
    """The task's classical models beside the neural one, on the same examples."""
    measures = metrics["test" if parts.test else "validation"]
    neural = FloorRow("neural", kind.metric, float(measures[kind.metric]), seconds, measures)
    return beside(neural, floors_of(parts, several=several, seed=seed))


def kind_for(
    examples: Examples, settings: FineTuneSettings, trunk: Trunk, several: bool = False
) -> Kind:
    """The task that examples make on a trunk.

    Raises:
        DataError: one class, unknown labels, examples of several types.
        SettingsError: examples that a writer learns from.
    """
    types = {type(each) for each in (*examples.training, *examples.validation, *examples.test)}
    if len(types) > 1:
        names = sorted(each.__name__ for each in types)
        raise DataError(
            f"the examples are of several types: {', '.join(names)}.",
            f"样本类型不一致：{'、'.join(names)}。",
        )
    first = examples.training[0]
    if isinstance(first, Tagged):
        tags = tagging(cast(Sequence[Tagged], examples.training), settings)
        _require_known(tags, examples)
        return tags
    if isinstance(first, Parsed):
        return parsing(cast(Sequence[Parsed], examples.training), settings)
    if isinstance(first, Question):
        return reading(cast(Sequence[Question], examples.training), settings)
    if isinstance(first, Dialogue):
        raise SettingsError(
            "replies and translations are learnt by fine_tune_writer.",
            "回复与翻译请用 fine_tune_writer 学习。",
        )
    training = cast(Sequence[Labelled | Related], examples.training)
    reads: Reads = "marks" if isinstance(first, Related) else pooling_of(trunk, settings)
    kind = classifying(training, settings, reads, several)
    _require_known(kind, examples)
    return kind


def _require_known(kind: Kind, examples: Examples) -> None:
    for name, part in (("validation", examples.validation), ("test", examples.test)):
        require_known(kind.labels, [labels_in(each) for each in part], name)


def pooling_of(trunk: Trunk, settings: FineTuneSettings) -> Reads:
    """What `auto` means for a trunk."""
    if settings.pooling != "auto":
        return settings.pooling
    if trunk.reads_forwards:
        return "last"
    return "mean" if settings.strategy == "head" or trunk.averages else "first"


def job_of(
    name: str,
    kind: Kind,
    trunk: Trunk,
    parts: Examples,
    settings: FineTuneSettings,
    seed: int,
    notes: list[str],
) -> Job:
    """A task made ready: rows, a fresh head, and which texts were too long."""
    rows, long = kind.rows(trunk, parts.training)
    validation_rows, also = kind.rows(trunk, parts.validation)
    total = replace(long, count=long.count + also.count)
    if total.count:
        notes.append(f"{name}: {total}" if name else str(total))
    torch.manual_seed(derive(seed, "head", name))
    head = kind.head(trunk.size, settings.dropout)
    return Job(name, kind, head, rows, parts.validation, validation_rows)


def learnt(
    trunk: Trunk,
    jobs: Sequence[Job],
    settings: FineTuneSettings,
    loop: LoopSettings,
    run: RunFolder,
    seed: int,
    temperature: float = 1.0,
) -> Learner:
    """Train the jobs together, and put the best weights back."""
    lengths = [[len(row.tokens) for row in job.rows] for job in jobs]
    replay = Buckets(lengths, seed, loop.steps, temperature)
    passes = sum(-(-len(each) // loop.batch_size) for each in lengths)
    every = max(1, round(passes / settings.validations))
    frozen = not any(weight.requires_grad for weight in trunk.model.parameters())
    if frozen:
        for n, job in enumerate(jobs):
            job.states = _states(trunk, job.rows, run.path / f"states-{n}.bin")
            job.validation_states = _states(
                trunk, job.validation_rows, run.path / f"validation-states-{n}.bin"
            )
    learner = Learner(
        trunk, jobs, replay, run, every=every, steps=loop.steps, patience=settings.patience
    )
    half = max(1, loop.batch_size // 2)
    with memory_errors(
        f"batch_size = {half} or half of max_tokens needs half of it",
        f"batch_size = {half} 或将 max_tokens 减半，所需内存减半",
    ):
        descent = Descent(adamw(learner, loop), synchronise=learner.synchronise)
        train(learner, replay, loop, run, seed, descent=descent, enough=learner.enough)
    if rank() == 0:
        plot_curves(run)
    learner.restore_best()
    return learner


def _states(trunk: Trunk, rows: Sequence[Row], file: Path) -> HiddenStates | None:
    if not fits(rows, trunk.size):
        return None
    if rank() == 0:
        compute(trunk, rows, file)
    wait()
    return HiddenStates(file, rows, trunk.size)


def settle(trunk: Trunk, job: Job, parts: Examples) -> dict[str, dict[str, Any]]:
    """Calibrate a learnt job on its validation examples, and measure it on every part."""
    found = scores(trunk, job.kind, job.head, job.validation_rows, job.validation_states)
    job.kind = job.kind.calibrated(found, job.validation_rows, job.validation)
    metrics = {"validation": measured(job, found, job.validation_rows, job.validation)}
    inside = found
    if parts.test:
        rows, _ = job.kind.rows(trunk, parts.test)
        inside = scores(trunk, job.kind, job.head, rows)
        metrics["test"] = measured(job, inside, rows, parts.test)
    if parts.outside and isinstance(job.kind, Classifying):
        rows, _ = job.kind.rows(trunk, parts.outside)
        outside = scores(trunk, job.kind, job.head, rows)
        metrics["outside"] = refusals(job.kind, inside, outside)
    for states in (job.states, job.validation_states):
        if states is not None:
            states.forget()
    return metrics


def measured(
    job: Job, found: Sequence[Scores], rows: Sequence[Row], examples: Sequence[Any]
) -> dict[str, Any]:
    """The measures of a job's answers."""
    return job.kind.measures(job.kind.answers(found, rows, examples), examples)


def refusals(
    kind: Classifying, inside: Sequence[Scores], outside: Sequence[Scores]
) -> dict[str, float]:
    """How well texts of no class are told from the others, by confidence.

    `recall` refuses at the kind's own threshold, which validation set; `recall_at_coverage` at the
    one that lets just the wanted share of these in-scope examples pass.
    """
    sure = confidences(np.stack(inside), kind.temperature)
    unsure = confidences(np.stack(outside), kind.temperature)
    return {
        "coverage": float((sure >= kind.threshold).mean()),
        "recall": float((unsure < kind.threshold).mean()),
        "recall_at_coverage": out_of_scope_recall(sure, unsure, kind.coverage),
    }
