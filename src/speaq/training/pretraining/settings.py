"""The settings of pretraining: what is learnt, how long, and how it is computed."""

from dataclasses import dataclass, field
from typing import Literal

from speaq.core.errors import SettingsError
from speaq.core.settings import require
from speaq.training.optimisers import OptimiserSettings
from speaq.training.schedules import SCHEDULES, factor

OBJECTIVES = ("causal", "masked", "span", "infill")
_RATES = {"causal": 0.0, "masked": 0.15, "span": 0.15, "infill": 0.3}


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the model is to foretell."""

    kind: Literal["causal", "masked", "span", "infill"] = "causal"
    """causal: the next token. masked: tokens hidden in a text (BERT). span: what stood in the
    gaps of a text (T5). infill: a text whose gaps are marked and whose sentences are shuffled
    (BART)."""
    context: int = 256
    """Tokens of a row."""
    rate: float | None = None
    """Part of the tokens that is hidden; unset: 0.15, for infill 0.3."""
    span: float = 3.0
    """Mean tokens of a gap."""
    whole_words: bool = True
    """Masked hides words, Chinese ones too, never a part of one."""
    shuffle: bool = True
    """Infill shuffles the sentences of a row."""
    holdout: float = 0.05
    """Last part of the corpus, kept for validation; 0: none."""

    def __post_init__(self) -> None:
        rules = {
            "kind": (self.kind in OBJECTIVES, f"one of {', '.join(OBJECTIVES)}"),
            "context": (self.context >= 8, "≥ 8"),
            "rate": (self.rate is None or 0 < self.rate < 1, "in (0, 1)"),
            "span": (1 <= self.span < float("inf"), "≥ 1"),
            "holdout": (0 <= self.holdout < 1, "in [0, 1)"),
        }
        require("objective", self, rules)

    @property
    def hidden(self) -> float:
        """The part of the tokens that is hidden."""
        return _RATES[self.kind] if self.rate is None else self.rate


@dataclass(frozen=True)
class PaceSettings:
    """How long, how fast, and when to stop."""

    steps: int = 2000
    """Optimiser steps."""
    batch_size: int = 32
    """Rows per step, over all processes."""
    warmup: int = 100
    """Steps over which the learning rate rises from 0."""
    schedule: Literal["constant", "linear", "cosine", "exponential"] = "cosine"
    """How it falls."""
    floor: float = 0.1
    """Part of the peak learning rate that is left at the last step."""
    clip_norm: float = 1.0
    """Largest norm of all gradients together; 0 does not clip."""
    validate_every: int = 200
    """Steps between looks at the validation loss; the best weights are kept."""
    patience: int = 0
    """Looks without a better validation loss after which to stop; 0: never."""
    checkpoint_every: int = 200
    """Steps between checkpoints."""
    log_every: int = 10
    """Steps between metric lines."""

    def __post_init__(self) -> None:
        rules = {
            "steps": (self.steps >= 1, "≥ 1"),
            "batch_size": (self.batch_size >= 1, "≥ 1"),
            "warmup": (self.warmup >= 0, "≥ 0"),
            "schedule": (self.schedule in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
            "floor": (
                0 <= self.floor <= 1 and (self.floor > 0 or self.schedule != "exponential"),
                "in [0, 1], for exponential above 0",
            ),
            "clip_norm": (0 <= self.clip_norm < float("inf"), "≥ 0"),
            "validate_every": (self.validate_every >= 1, "≥ 1"),
            "patience": (self.patience >= 0, "≥ 0"),
            "checkpoint_every": (self.checkpoint_every >= 1, "≥ 1"),
            "log_every": (self.log_every >= 1, "≥ 1"),
        }
        require("pace", self, rules)

    def rate(self, step: int) -> float:
        """Factor on the learning rate at `step`, counted from 0."""
        return factor(self.schedule, step, self.steps, self.warmup, self.floor)


@dataclass(frozen=True)
class ComputeSettings:
    """How it is computed; none of it changes what is learnt but by rounding, save dropout."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """bfloat16: products in it, weights and sums in float32. auto: what is faster here."""
    accumulate: int = 1
    """Pieces in which each process computes its rows of a batch; more need less memory."""
    compile: bool = False
    """Compile the model first (torch.compile); takes a minute, needs a C++ compiler on a CPU."""
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them."""
    dropout: float = 0.0
    """Part of the units that is dropped while training."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Under torchrun. ddp: every process holds the model. fsdp: each holds a part of it."""

    def __post_init__(self) -> None:
        rules = {
            "precision": (self.precision in ("auto", "float32", "bfloat16"), "a known precision"),
            "accumulate": (self.accumulate >= 1, "≥ 1"),
            "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
            "parallel": (self.parallel in ("ddp", "fsdp"), "ddp or fsdp"),
        }
        require("compute", self, rules)

    def require_whole_pieces(self, batch_size: int, processes: int) -> None:
        """Refuse a batch that cannot be shared out evenly.

        Raises:
            SettingsError: names the nearest batch size that can.
        """
        parts = processes * self.accumulate
        if batch_size % parts:
            near = max(parts, batch_size - batch_size % parts)
            raise SettingsError(
                f"pace setting batch_size = {batch_size} cannot be shared out evenly over "
                f"{processes} process(es) with accumulate = {self.accumulate}; use {near}.",
                f"pace 的 batch_size = {batch_size} 无法平均分给 {processes} 个进程"
                f"（accumulate = {self.accumulate}）；可用 {near}。",
            )


@dataclass(frozen=True)
class Recipe:
    """Everything that says what a pretraining run does, but the corpus."""

    model: str = "llama-tiny"
    """A preset such as llama-tiny, bert-mini, t5-small; a config.json; or a model to go on from."""
    tokenizer: str = ""
    """bytes, chars (small corpora), a tokenizer.json or a folder; unset: the model's own, or bytes
    for one that begins anew."""
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)
    """What the model is to foretell."""
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    """How gradients become steps."""
    pace: PaceSettings = field(default_factory=PaceSettings)
    """How long, how fast, when to stop."""
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    """How it is computed."""
    seed: int = 0
    """Of everything random."""
