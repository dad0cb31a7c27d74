"""What to fine-tune, and how much of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speaq.core.settings import require
from speaq.training.loop import LoopSettings

Strategy = Literal["full", "last", "head", "lora"]
Pooling = Literal["auto", "first", "mean", "last"]


@dataclass(frozen=True)
class FineTuneSettings:
    """Which weights change, what the head reads, and when it is enough."""

    strategy: Strategy = "full"
    """full: every weight. last: the last layers and the head. head: the head alone, on hidden
    states computed once. lora: adapters on every linear layer, merged at the end."""
    last_layers: int = 2
    """How many, with strategy last."""
    freeze: tuple[str, ...] = ()
    """Patterns of weight names that never change, such as `embeddings.*` or `*.layer.0.*`."""
    lora_rank: int = 16
    """Rank of the adapters."""
    pooling: Pooling = "auto"
    """What stands for a whole text. first: its first token, through one dense layer. mean: of all
    tokens. last: the last token. auto: last for decoders, mean where the trunk is frozen or was
    trained with it, else first."""
    crf: bool = False
    """Tagging: learn which tag follows which. What IOB2 forbids is never answered in any case."""
    dropout: float = 0.1
    """Share of the head's input that is dropped in training."""
    label_smoothing: float = 0.0
    """Share of the probability given to all classes alike."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: every class has the same say, however rare."""
    max_tokens: int = 0
    """Longer texts are cut, or read in windows; 0 takes the trunk's own limit."""
    stride: int = 64
    """Tokens by which windows over a long text overlap, half of their room for text at most."""
    epochs: float = 10.0
    """Passes over the training examples; 0 takes the loop's steps."""
    patience: int = 3
    """Validations without a better one after which training ends; 0 never ends early."""
    validations: float = 1.0
    """Validations per pass."""
    coverage: float = 0.95
    """Share of the validation examples that the abstention threshold lets through."""

    def __post_init__(self) -> None:
        rules = {
            "strategy": (
                self.strategy in ("full", "last", "head", "lora"),
                "full, last, head, lora",
            ),
            "last_layers": (self.last_layers >= 1, "≥ 1"),
            "lora_rank": (self.lora_rank >= 1, "≥ 1"),
            "pooling": (
                self.pooling in ("auto", "first", "mean", "last"),
                "auto, first, mean, last",
            ),
            "dropout": (0 <= self.dropout < 1, "in [0, 1)"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "in [0, 1)"),
            "class_weights": (self.class_weights in ("none", "balanced"), "none or balanced"),
            "max_tokens": (self.max_tokens >= 0, "≥ 0"),
            "stride": (self.stride >= 0, "≥ 0"),
            "epochs": (self.epochs >= 0, "≥ 0"),
            "patience": (self.patience >= 0, "≥ 0"),
            "validations": (self.validations > 0, "> 0"),
            "coverage": (0 < self.coverage <= 1, "in (0, 1]"),
        }
        require("fine-tune", self, rules)


def default_loop(strategy: Strategy, *, writes: bool = False, fresh: bool = False) -> LoopSettings:
    """Loop settings that suit a strategy; `epochs` sets the steps.

    Args:
        strategy: of `FineTuneSettings`.
        writes: replies or translations are learnt.
        fresh: the trunk is untrained, so there is nothing that larger steps could spoil.
    """
    rates = {"full": 5e-4 if fresh else 5e-5, "last": 2e-4, "head": 1e-3, "lora": 5e-4}
    return LoopSettings(
        steps=1000,
        batch_size=8 if writes else 32,
        lr=rates[strategy],
        head_lr=5e-3 if strategy == "head" else 1e-3,
        weight_decay=0.01,
        beta2=0.999,
        warmup=100,
        schedule="cosine",
        checkpoint_every=500,
    )


def is_fresh(source: str | Path) -> bool:
    """Whether a source is built untrained."""
    return str(source).startswith("new:") or Path(source).is_file()
