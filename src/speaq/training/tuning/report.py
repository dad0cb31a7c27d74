"""What a search found: a table, pictures, and the command that makes the best trial again."""

import csv
import math
import shlex
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from speaq.core.files import replacing_file, write_text
from speaq.core.language import say
from speaq.training.tuning.command import Command
from speaq.training.tuning.ledger import place_of, ranked, standing
from speaq.training.tuning.outcome import because
from speaq.training.tuning.settings import GoalSettings
from speaq.training.tuning.vocabulary import Value, text_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

SHOWN = 10
"""Rows of the printed table; trials.csv has all."""
ENOUGH = 10
"""Complete trials from which on it is said which settings mattered."""
T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t for 95 %, by degrees of freedom from 1."""


@dataclass(frozen=True)
class Row:
    """A trial as a person sees it."""

    number: int
    state: str
    value: float | None
    values: tuple[float, ...]
    seconds: float
    memory: float
    settings: dict[str, Value]
    why: str
    within: bool
    """Whether it is complete and within all limits."""


@dataclass(frozen=True)
class Findings:
    """What a search has found so far."""

    rows: tuple[Row, ...]
    """Ranked trials, best first, then the others by number."""
    importance: dict[str, float]
    """Share of each setting, largest first; empty where there is too little to say."""
    space: "dict[str, BaseDistribution]"
    metric: str
    maximize: bool
    folder: Path

    @property
    def best(self) -> Row | None:
        """The best trial, if any is complete."""
        return self.rows[0] if self.rows and self.rows[0].within else None

    @property
    def commands(self) -> str:
        """What makes the best trial again, one line for each seed; empty if there is none."""
        file = self.folder / "best.sh"
        return file.read_text(encoding="utf-8") if self.best and file.is_file() else ""

    def __str__(self) -> str:
        parts = [_counts(self), _table(self), _important(self), _compared(self)]
        if self.best:
            title = say("The best trial again:", "重现最佳试验：")
            lines = [line for line in self.commands.splitlines() if line.startswith("speaq ")]
            parts.append("\n".join([title, *(f"  {line}" for line in lines)]))
        return "\n\n".join(part for part in parts if part)


def findings(study: "Study", settings: int, goal: GoalSettings, folder: Path) -> Findings:
    """What a search has found.

    Args:
        study: its record.
        settings: how many are searched.
        goal: what is optimised.
        folder: the search folder.
    """
    trials = standing(study.get_trials(deepcopy=False), settings)
    first = ranked(trials, goal.maximize)
    known = {trial.number for trial in first}
    rest = [trial for trial in trials if trial.number not in known]
    return Findings(
        tuple(_row(trial, trial.number in known) for trial in [*first, *rest]),
        _importance(study, first),
        dict(first[0].distributions) if first else {},
        goal.metric,
        goal.maximize,
        folder,
    )


def _row(trial: "FrozenTrial", within: bool) -> Row:
    noted = trial.user_attrs
    ended = trial.state.is_finished()
    why = because(noted.get("reason"), noted.get("detail", "")) if ended else ""
    return Row(
        trial.number,
        trial.state.name.lower(),
        trial.value if trial.state.name == "COMPLETE" else None,
        tuple(noted.get("values", ())),
        float(noted.get("seconds", 0.0)),
        float(noted.get("megabytes", {}).get("memory", 0.0)),
        dict(trial.params),
        why,
        within,
    )


def _importance(study: "Study", trials: "Sequence[FrozenTrial]") -> dict[str, float]:
    """How much each setting tells good trials from others: PED-ANOVA (Watanabe et al. 2023).

    Optuna's, of the best tenth, or of the best five where a tenth is fewer.
    """
    if len(trials) < ENOUGH or len({trial.value for trial in trials}) == 1:
        return {}
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, 5 / len(trials))))
    return dict(get_param_importances(study, evaluator=evaluator))


def save(found: Findings) -> None:
    """Write `trials.csv` and `plots/`."""
    from speaq.training.tuning.plots import plot

    with (
        replacing_file(found.folder / "trials.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8-sig") as stream,
    ):
        names = list(found.space)
        table = csv.writer(stream)
        table.writerow(["trial", "state", found.metric, "seconds", "memory_mb", *names, "why"])
        for row in found.rows:
            settings = [text_of(row.settings.get(name, "")) for name in names]
            start = [row.number, row.state, row.value, f"{row.seconds:.1f}", f"{row.memory:.0f}"]
            table.writerow([*start, *settings, row.why])
    plot(found)


def save_best(
    trials: "Sequence[FrozenTrial]", command: Command, goal: GoalSettings, folder: Path
) -> None:
    """Write `best.sh`: what makes the best trial again, one line for each seed."""
    if not trials:
        return
    best = trials[0]
    place = folder / "best"
    runs = {seed: place if len(goal.seeds) == 1 else place / f"seed-{seed}" for seed in goal.seeds}
    lines = [
        "#!/bin/sh",
        f"# {goal.metric} = {best.value}, trial {best.number} "
        f"({folder / best.user_attrs.get('folder', place_of(best.number))})",
        f"cd {shlex.quote(str(Path.cwd()))} || exit",
        *(command.shown(best.params, seed, run) for seed, run in runs.items()),
    ]
    text = "\n".join(lines) + "\n"
    file = folder / "best.sh"
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_text(file, text)


def _counts(found: Findings) -> str:
    counts = Counter(row.state for row in found.rows)
    names = {
        "complete": say("complete", "完成"),
        "pruned": say("ended early", "提前结束"),
        "fail": say("failed", "失败"),
        "running": say("running", "运行中"),
        "waiting": say("waiting", "等待中"),
    }
    told = ", ".join(f"{counts[state]} {name}" for state, name in names.items() if counts[state])
    count = f"{len(found.rows)} trial{'' if len(found.rows) == 1 else 's'}"
    return say(f"{count}: {told}", f"共 {len(found.rows)} 次试验：{told}")


def _table(found: Findings) -> str:
    head = [
        say("trial", "试验"),
        found.metric,
        say("minutes", "分钟"),
        "MB",
        *found.space,
        say("note", "备注"),
    ]
    rows = [
        [
            str(row.number),
            "" if row.value is None else f"{row.value:.5g}",
            f"{row.seconds / 60:.1f}",
            f"{row.memory:.0f}",
            *(_short(row.settings.get(name, "")) for name in found.space),
            row.why,
        ]
        for row in found.rows[:SHOWN]
    ]
    cells = [head, *rows] if found.space else []
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(_padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join(lines)


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text_of(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _important(found: Findings) -> str:
    if not found.importance:
        return ""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.importance.items())
    return say(f"What mattered: {shares}", f"各设置的重要性：{shares}")


def _compared(found: Findings) -> str:
    """The best against the second, seed by seed, where there are seeds."""
    pair = [row for row in found.rows[:2] if row.within]
    if len(pair) < 2 or len(pair[0].values) < 2:
        return ""
    differences = [a - b for a, b in zip(pair[0].values, pair[1].values, strict=True)]
    half = interval(differences)
    text = f"{fmean(differences):.3g} ± {half:.2g}"
    return say(
        f"Best against second, paired over {len(differences)} seeds: {text} (95 %).",
        f"最佳与次佳之差（{len(differences)} 个种子配对）：{text}（95 %）。",
    )


def interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean, by Student's t."""
    count = len(values)
    t = T95[count - 2] if count - 2 < len(T95) else 1.96
    return t * stdev(values) / math.sqrt(count)


def history(found: Findings) -> list[dict[str, Any]]:
    """Complete trials within their limits by number, each with the best up to it."""
    rows: list[dict[str, Any]] = []
    better = max if found.maximize else min
    for row in sorted((each for each in found.rows if each.within), key=lambda each: each.number):
        best = row.value if not rows else better(rows[-1]["best"], row.value)
        rows.append({"number": row.number, "value": row.value, "best": best})
    return rows
