"""What is optimised, how it is searched, what ends a trial early, what may be spent."""

from dataclasses import dataclass
from typing import Literal

from speaq.core.errors import SettingsError
from speaq.core.settings import require

Direction = Literal["minimize", "maximize"]
GATE = "gate"
GATE_FIGURES = ("predicted", "low", "gain", "gain_low")
"""Figures of the gate's row for the β it would promote; `gate` alone is `gate.predicted`."""


@dataclass(frozen=True)
class GoalSettings:
    """What is optimised."""

    metric: str = ""
    """A figure of metrics.jsonl, such as val_loss; gate.predicted, gate.low, gate.gain or
    gate.gain_low of `speaq evaluate`; or module:function, which is given the run folder's path."""
    direction: Direction | None = None
    """minimize or maximize; unset: maximize for the gate's figures, else minimize."""
    take: Literal["last", "best"] = "last"
    """Which of a figure's values counts: the last line's, or the best of all."""
    seeds: tuple[int, ...] = (0,)
    """Every trial runs the verb once with each of these; its value is their mean."""
    gate: str = ""
    """Options of `speaq evaluate` for the gate's figures: --gate="--betas 1 2 4"."""

    def __post_init__(self) -> None:
        rules = {
            "seeds": (
                bool(self.seeds) and len(set(self.seeds)) == len(self.seeds),
                "one or more different whole numbers",
            ),
            "gate": (not self.gate or self.by_gate, "empty where the metric is not the gate's"),
        }
        require("tune", self, rules)
        if self.by_gate and self.figure not in GATE_FIGURES:
            raise SettingsError(
                f"tune setting metric = {self.metric}: the gate's figures are "
                f"{', '.join(f'gate.{name}' for name in GATE_FIGURES)}.",
                f"tune 的 metric = {self.metric}：闸门的指标有"
                f"{'、'.join(f'gate.{name}' for name in GATE_FIGURES)}。",
            )

    @property
    def by_gate(self) -> bool:
        """Whether the gate judges a trial."""
        return self.metric.partition(".")[0] == GATE

    @property
    def by_function(self) -> bool:
        """Whether a function of the user's judges a trial."""
        return ":" in self.metric

    @property
    def by_metrics(self) -> bool:
        """Whether the figure is one that the run itself logs."""
        return not self.by_gate and not self.by_function

    @property
    def figure(self) -> str:
        """The figure's name where it is found."""
        return (self.metric.partition(".")[2] or "predicted") if self.by_gate else self.metric

    @property
    def maximize(self) -> bool:
        """Whether more is better."""
        return self.by_gate if self.direction is None else self.direction == "maximize"


@dataclass(frozen=True)
class SamplingSettings:
    """How settings are chosen."""

    method: Literal["bayes", "gp", "random", "grid"] = "bayes"
    """bayes: tree-structured Parzen estimator over all settings together. gp: Gaussian process,
    for few and slow trials. random. grid: every combination."""
    startup: int = 10
    """Trials drawn at random before bayes or gp begin to choose."""
    points: int = 5
    """Values that a grid takes from each range, ends included."""
    seed: int = 0
    """Of the search; what a trial is run with is --seeds."""
    storage: Literal["journal", "sqlite"] = "journal"
    """journal: a file that processes share, also machines over a shared disk. sqlite: a database
    that processes of one machine share."""

    def __post_init__(self) -> None:
        rules = {
            "startup": (self.startup >= 1, "≥ 1"),
            "points": (self.points >= 2, "≥ 2"),
            "seed": (self.seed >= 0, "≥ 0"),
        }
        require("tune", self, rules)


@dataclass(frozen=True)
class PruningSettings:
    """When a trial is not worth finishing."""

    prune: Literal["none", "median", "hyperband"] = "none"
    """median: worse at a step than the median of the others. hyperband: not among the best third
    at the steps 1, 3, 9, ... times --least-steps, in brackets."""
    prune_metric: str = ""
    """A figure of metrics.jsonl to prune by; unset: --metric. With a minus in front, as in
    --prune-metric=-loss, one that is better the smaller, where --direction is maximize (or the
    other way round)."""
    prune_startup: int = 5
    """Complete trials before median prunes."""
    least_steps: int = 1
    """Steps that every trial may do."""

    def __post_init__(self) -> None:
        rules = {
            "prune_startup": (self.prune_startup >= 1, "≥ 1"),
            "least_steps": (self.least_steps >= 1, "≥ 1"),
        }
        require("tune", self, rules)

    def figure(self, goal: GoalSettings) -> tuple[str, float]:
        """The figure to report while a trial runs, and its sign; empty if there is none.

        Raises:
            SettingsError: to be pruned, by a figure that no run logs.
        """
        name = self.prune_metric or (goal.metric if goal.by_metrics else "")
        if self.prune != "none" and not name.strip("-"):
            raise SettingsError(
                f"--prune {self.prune} needs --prune-metric: {goal.metric} is known only when a "
                "trial has ended.",
                f"--prune {self.prune} 需要 --prune-metric：{goal.metric} 在试验结束后才可知。",
            )
        return name.removeprefix("-"), -1.0 if name.startswith("-") else 1.0


@dataclass(frozen=True)
class BudgetSettings:
    """What may be spent. A larger budget continues a search that has ended."""

    trials: int | None = None
    """Trials in all; unset: as many as the minutes allow or the grid has, else 20."""
    minutes: float | None = None
    """Minutes in which the search is at work, pauses not counted, processes side by side counted
    once. A trial that is not done by then is stopped."""
    model_mb: float | None = None
    """Largest size of what a trial leaves in its folder `model`; larger ones cannot be best."""
    memory_mb: float | None = None
    """Largest resident memory of a trial with its children; above it the trial is stopped."""
    disk_mb: float | None = None
    """Largest size of the whole search folder. Weights and checkpoints of the worst trials are
    deleted first; a trial that still does not fit is stopped."""

    def __post_init__(self) -> None:
        rules = {
            "trials": (self.trials is None or self.trials >= 1, "≥ 1"),
            **{
                name: (value is None or value > 0, "> 0")
                for name, value in vars(self).items()
                if name != "trials"
            },
        }
        require("tune", self, rules)

    def limit(self, grid: int | None) -> int | None:
        """How many trials there may be; None: as many as the minutes allow."""
        if grid is not None:
            return grid if self.trials is None else min(grid, self.trials)
        if self.trials is None and self.minutes is None:
            return 20
        return self.trials
