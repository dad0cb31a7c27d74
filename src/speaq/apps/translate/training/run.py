"""From parallel text to a translator: pairs in, a run folder with an ordinary model out."""

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from speaq.apps.translate.model.tags import OwnTags, Tags, tags_of
from speaq.apps.translate.training.learner import Rows, TranslationLearner
from speaq.apps.translate.training.parallel import Pair
from speaq.apps.translate.training.recipe import (
    SIZES,
    TrainSettings,
    new_model,
    separate_tokenizers,
    tokenizer_of,
)
from speaq.apps.translate.training.token_batches import TokenBatches
from speaq.core.devices import device
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.core.files import digest, write_text
from speaq.core.runs import RunFolder
from speaq.models.fingerprint import fingerprint
from speaq.models.language_model import LanguageModel, Origin
from speaq.models.sources import load
from speaq.training.curves import plot_curves
from speaq.training.descent import Descent
from speaq.training.loop import train
from speaq.training.memory import memory_errors
from speaq.training.optimisers import OptimiserSettings, optimiser_of
from speaq.training.schedules import factor

_REHEARSED = (2, 8)
"""Steps before the clock starts, and steps it is read over."""
_SPARE = 0.95
"""Share of the minutes that steps are to fill; the rest is for looks and for saving."""
_DECAY, _BETA2 = 0.01, 0.98
_KEPT = 200
"""At most so many steps lie between two checkpoints."""


@dataclass(frozen=True)
class Trained:
    """What training left behind."""

    folder: Path
    """The run folder; the model is in its subfolder `model`."""
    steps: int
    validation_loss: float
    """The best one, in nats per token; that of the weights kept."""
    seconds: float

    @property
    def model(self) -> Path:
        """The model's folder, which `Translator.open` takes."""
        return self.folder / "model"


@dataclass(frozen=True)
class _Pace:
    """See `training.loop.Pace`."""

    steps: int
    warmup: int
    checkpoint_every: int
    batch_size: int = 1
    clip_norm: float = 1.0
    log_every: int = 20

    def rate(self, step: int) -> float:
        """Factor on the learning rates at `step`, counted from 0."""
        return factor("linear", step, self.steps, self.warmup, floor=0.05)


def train_translator(
    training: Sequence[Pair],
    validation: Sequence[Pair],
    settings: TrainSettings | None = None,
    *,
    folder: Path | str,
    seed: int = 0,
) -> Trained:
    """Train a translator. The same call on the same folder continues an interrupted run.

    Several pairs of languages are learnt together; the source then begins with the language
    wanted (see `tags.OwnTags`).

    Args:
        training: to learn from.
        validation: to choose the weights by.
        settings: model, tokens, pace.
        folder: the run folder.
        seed: of everything random.

    Raises:
        DataError: no pairs, or none that is short enough.
        SettingsError: settings other than those of the run in the folder.
        ModelError: a model to go on from that cannot be used.
        DivergenceError: the numbers ended; the last good checkpoint is kept.
    """
    settings = settings or TrainSettings()
    begun = clock()
    if not training or not validation:
        raise DataError(
            "there must be pairs to learn from and pairs to validate on.",
            "须有用于训练的句对和用于验证的句对。",
        )
    run = RunFolder(folder, _resolved(training, validation, settings, seed))
    model, tags = _model(training, settings, seed)
    rows, held = (pair_rows(model, tags, part, settings.longest) for part in (training, validation))
    model.to(device())
    replay = TokenBatches([_longer(row) for row in rows], settings.batch_tokens, seed)
    spent = clock() - begun
    steps = _steps(model, rows, held, replay, settings, run, spent)
    every = max(1, min(_KEPT, steps // 4))
    pace = _Pace(steps, max(1, round(settings.warmup * steps)), every)
    learner = TranslationLearner(model, rows, held, settings, steps, run)
    advice = f"batch_tokens = {settings.batch_tokens // 2}"
    with memory_errors(f"{advice} needs half of it", f"{advice} 只需一半"):
        descent = Descent(_optimiser(model, settings), together=True)
        train(learner, replay, pace, run, seed, descent=descent, enough=learner.enough)
    plot_curves(run)
    learner.finish()
    seconds = clock() - begun
    loss = float(learner.best.cost)
    _describe(model, tags, run, {"validation loss (nats per token)": loss}, settings, seconds)
    model.save(run.path / "model")
    return Trained(run.path, int(learner.best.step), loss, seconds)


def _optimiser(model: LanguageModel, settings: TrainSettings) -> Any:
    how = OptimiserSettings(kind="adamw", lr=settings.lr, weight_decay=_DECAY, beta2=_BETA2)
    return optimiser_of(how, cast(nn.Module, model.causal))


def clock() -> float:
    """Seconds: of the processor on one thread, which a busy machine does not stretch as it does
    those on the wall; of the wall on several and on accelerators, where waiting threads spin."""
    alone = torch.get_num_threads() == 1 and device().type == "cpu"
    return time.process_time() if alone else time.perf_counter()


def _resolved(
    training: Sequence[Pair], validation: Sequence[Pair], settings: TrainSettings, seed: int
) -> dict[str, Any]:
    texts = [f"{p.source}\t{p.target}\t{'-'.join(p.languages)}" for p in (*training, *validation)]
    data = {"training": len(training), "validation": len(validation), "digest": digest(*texts)}
    return {"step": "translate", "seed": seed, "data": data, **asdict(settings)}


def _model(
    training: Sequence[Pair], settings: TrainSettings, seed: int
) -> tuple[LanguageModel, Tags]:
    pairs = tuple(dict.fromkeys(pair.languages for pair in training))
    if settings.model in SIZES:
        several = list(dict.fromkeys(target for _, target in pairs)) if len(pairs) > 1 else []
        tokenizer = _tokenizer(training, settings, several)
        model = new_model(settings.model, tokenizer, settings.dropout, seed)
        return model, OwnTags(pairs) if several else Tags(pairs)
    if not Path(settings.model).is_dir():
        raise SettingsError(
            f"translation setting model = {settings.model} must be {', '.join(SIZES)} or a model "
            "folder.",
            f"translation 的 model = {settings.model} 应为 {'、'.join(SIZES)} 或模型目录。",
        )
    model = load(settings.model)
    if not model.reads_source:
        raise ModelError(
            f"{model.name} is not an encoder–decoder model and cannot learn to translate here.",
            f"{model.name} 不是编码器–解码器模型，无法在此学习翻译。",
        )
    kind = str(model.causal.config.model_type)
    return model, tags_of(settings.model, model.facts, model.tokenizer, kind)


def _tokenizer(training: Sequence[Pair], settings: TrainSettings, tags: Sequence[str]) -> Any:
    if settings.subwords == "separate":
        sources, targets = (pair.source for pair in training), (pair.target for pair in training)
        return separate_tokenizers(sources, targets, settings.vocabulary, tags)
    texts = (text for pair in training for text in (pair.source, pair.target))
    return tokenizer_of(texts, settings.vocabulary, tags)


def pair_rows(model: LanguageModel, tags: Tags, pairs: Sequence[Pair], longest: int) -> Rows:
    """The pairs in tokens, long ones left out.

    Raises:
        DataError: none is left.
    """
    rows: list[tuple[list[int], list[int]]] = []
    for languages in dict.fromkeys(pair.languages for pair in pairs):
        part = [pair for pair in pairs if pair.languages == languages]
        sources = tags.sources(model.tokenizer, [pair.source for pair in part], *languages)
        targets = tags.begun(model.tokenizer, [pair.target for pair in part], *languages)
        rows += [(a, [*b, model.end_id]) for a, b in zip(sources, targets, strict=True)]
    kept = [row for row in rows if _longer(row) <= longest]
    if not kept:
        raise DataError(
            f"none of {len(pairs)} pairs has at most {longest} tokens a side.",
            f"{len(pairs)} 个句对中没有一对两侧都不超过 {longest} 个词元。",
        )
    return kept


def _longer(row: tuple[list[int], list[int]]) -> int:
    return max(map(len, row))


def _steps(
    model: LanguageModel,
    rows: Rows,
    held: Rows,
    replay: TokenBatches,
    settings: TrainSettings,
    run: RunFolder,
    spent: float,
) -> int:
    """How many steps there will be; found out once, so that a resumed run takes as many."""
    if not settings.minutes:
        return settings.steps
    known = run.path / "steps.txt"
    if known.is_file():
        return int(known.read_text(encoding="utf-8"))
    begun = clock()
    rehearsal = copy.deepcopy(model)
    learner = TranslationLearner(rehearsal, rows, held, settings, 10**9, None)
    descent = Descent(_optimiser(rehearsal, settings), together=True)
    warm, timed = _REHEARSED
    for step in range(warm + timed):
        if step == warm:
            start = clock()
        descent.gradients(learner, replay.draw(step, 1))
        descent.clip(1.0)
        descent.optimiser.step()
        learner.after_step(step + 1)
    each = (clock() - start) / timed
    start = clock()
    learner.validated()
    looks = (clock() - start) * settings.validations
    left = settings.minutes * 60 * _SPARE - spent - (clock() - begun) - looks
    steps = max(settings.validations, int(left / each))
    write_text(known, f"{steps}\n")
    return steps


def _describe(
    model: LanguageModel,
    tags: Tags,
    run: RunFolder,
    metrics: dict[str, float],
    settings: TrainSettings,
    seconds: float,
) -> None:
    """What `speaq.json` says of the model."""
    step = {"step": "translate", **asdict(settings), "seconds": round(seconds, 1)}
    source = model.origin.source
    model.origin = Origin(source, fingerprint(model.causal), (*model.origin.history, step))
    said = {"pairs": [list(pair) for pair in tags.pairs], "tagged": isinstance(tags, OwnTags)}
    model.facts = {**model.facts, "translation": said, "metrics": metrics}
