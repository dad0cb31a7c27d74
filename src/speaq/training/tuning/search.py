"""The search: trials one after another, until the budget is spent or someone stops it."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from speaq.core.errors import SettingsError
from speaq.core.progress import bar
from speaq.training.tuning.command import Command
from speaq.training.tuning.ledger import Ledger, needing_optuna
from speaq.training.tuning.objective import require_findable
from speaq.training.tuning.outcome import RESUMABLE, Outcome, because
from speaq.training.tuning.report import Findings, findings, save, save_best
from speaq.training.tuning.settings import (
    BudgetSettings,
    GoalSettings,
    PruningSettings,
    SamplingSettings,
)
from speaq.training.tuning.space import grid_size
from speaq.training.tuning.trial import Bench, megabytes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

PATIENCE = 3
"""Trials that may fail at the start before the search gives up: then it is not their settings."""


@dataclass(frozen=True)
class _Search:
    """What one process needs to search."""

    ledger: Ledger
    bench: Bench
    budget: BudgetSettings
    limit: int | None


def tune(
    command: Command,
    goal: GoalSettings,
    *,
    folder: Path | str,
    sampling: SamplingSettings | None = None,
    pruning: PruningSettings | None = None,
    budget: BudgetSettings | None = None,
) -> Findings:
    """Search for a verb's settings; the same call on the same folder continues, or joins in.

    Args:
        command: the verb's command line and what is searched.
        goal: what is optimised.
        folder: the search folder.
        sampling: how settings are chosen.
        pruning: when a trial is ended early.
        budget: what may be spent.

    Raises:
        SettingsError: contradictory settings; a folder of another search; a figure that no run
            logs; or the first trials all failed.
        StorageError: the disk refused, or the search's record is damaged.
        KeyboardInterrupt: after the running trial has been stopped and all is written.
    """
    sampling, pruning = sampling or SamplingSettings(), pruning or PruningSettings()
    budget = budget or BudgetSettings()
    folder = Path(folder)
    figure = pruning.figure(goal)
    require_findable(goal)
    _require_consistent(command, goal)
    grid = grid_size(command.space, sampling.points) if sampling.method == "grid" else None
    identity = identity_of(command, goal, sampling, pruning)
    ledger = Ledger(folder, identity, goal, sampling, pruning, command.space)
    fits = _keeper(ledger, budget.disk_mb)
    bench = Bench(command, goal, budget, figure, fits)
    try:
        with ledger.joined():
            _loop(_Search(ledger, bench, budget, budget.limit(grid)))
    finally:
        # Also when someone stops it: the best so far is what they will want to know.
        save_best(ledger.ranked(), command, goal, folder)
        found = findings(ledger.study, len(command.space), goal, folder)
        save(found)
    return found


def identity_of(
    command: Command, goal: GoalSettings, sampling: SamplingSettings, pruning: PruningSettings
) -> dict[str, Any]:
    """What makes a search this one: all but the budget, which may grow."""
    return {
        "verb": command.verb,
        "places": dict(command.places),
        "options": list(command.options),
        "members": {flag: list(words) for flag, words in command.members.items()},
        "search": {each.name: each.written for each in command.space},
        "goal": {**asdict(goal), "seeds": list(goal.seeds)},
        "sampling": asdict(sampling),
        "pruning": asdict(pruning),
    }


def _require_consistent(command: Command, goal: GoalSettings) -> None:
    if not command.space:
        raise SettingsError(
            "--search names no setting; such as --search loop.lr=log:1e-5..1e-2. --names lists "
            "what may be searched.",
            "--search 未指定任何设置；例如 --search loop.lr=log:1e-5..1e-2。"
            "--names 可列出可搜索的设置。",
        )
    if not goal.metric:
        raise SettingsError(
            "--metric names what to optimise: a figure that the run logs, such as val_loss, "
            "gate.predicted, or module:function.",
            "请用 --metric 指定优化目标：运行所记录的指标（如 val_loss）、gate.predicted，"
            "或 module:function。",
        )
    if not command.seeded and len(goal.seeds) > 1:
        raise SettingsError(
            f"--seeds: speaq {command.verb} has no setting seed; give one seed at most.",
            f"--seeds：speaq {command.verb} 没有 seed 设置；最多只能给一个种子。",
        )
    if goal.by_gate and not command.log:
        raise SettingsError(
            f"--metric {goal.metric}: the gate judges by a log, and speaq {command.verb} takes "
            "none.",
            f"--metric {goal.metric}：闸门依据日志评判，而 speaq {command.verb} 不读取日志。",
        )


def _loop(search: _Search) -> None:
    ledger = search.ledger
    with bar("tuning", search.limit or float("inf")) as running:
        running.advance(len(_ended(ledger.trials())))
        while True:
            _require_room(search)
            trial = ledger.claim(search.limit, search.budget.minutes)
            if trial is None:
                return
            _run(search, trial)
            best = ledger.ranked()
            note = f"best {cast(float, best[0].value):.4g} ({best[0].number})" if best else ""
            running.advance(1, note)
            save_best(best, search.bench.command, search.bench.goal, ledger.folder)
            _require_hope(ledger.trials(), ledger.folder)


def _require_room(search: _Search) -> None:
    if not search.bench.fits(search.ledger.folder):
        folder, limit = search.ledger.folder, search.budget.disk_mb
        raise SettingsError(
            f"{folder} holds more than --disk-mb {limit:g} although only the best trial has kept "
            "its weights; the same command with more continues.",
            f"{folder} 已超过 --disk-mb {limit:g}，且只有最佳试验保留了权重；"
            "放宽后再次运行同一命令即可继续。",
        )


def _run(search: _Search, trial: "Trial") -> None:
    """Run a trial and record how it ended, whatever happens."""
    ledger, minutes = search.ledger, search.budget.minutes
    place = ledger.folder / trial.user_attrs["folder"]
    outcome = Outcome("failed", "interrupted")
    try:
        deadline = None if minutes is None else ledger.deadline(minutes)
        outcome = search.bench.run(place, trial.params, trial, deadline)
    except SettingsError as error:
        # The run has ended well, but what was asked of it is not there; nor will the next have it.
        outcome = Outcome("failed", "value", error.en)
        raise
    finally:
        ledger.finish(trial, outcome)


def _ended(trials: "list[FrozenTrial]") -> "list[FrozenTrial]":
    return [trial for trial in trials if trial.state.is_finished()]


def _require_hope(trials: "list[FrozenTrial]", folder: Path) -> None:
    """Give up where every one of the first trials failed.

    Raises:
        SettingsError: with what the last one said.
    """
    ended = _ended(trials)
    failed = [trial for trial in ended if trial.user_attrs.get("reason") in ("crashed", "value")]
    if len(ended) < PATIENCE or len(failed) < len(ended):
        return
    last = failed[-1].user_attrs
    why = because(last["reason"], last["detail"])
    raise SettingsError(
        f"all of the first {len(failed)} trials failed, the last: {why} (see "
        f"{folder / last['folder']}). Mend what they have in common, and choose another --folder.",
        f"最初的 {len(failed)} 次试验全部失败，最后一次：{why}（见 {folder / last['folder']}）。"
        "请修正其共同的问题，并换一个 --folder。",
    )


def _keeper(ledger: Ledger, limit: float | None) -> Callable[[Path], bool]:
    """Who keeps the search folder below a size; asked with the folder that wants to grow."""

    def fits(growing: Path) -> bool:
        if limit is None or megabytes(ledger.folder) <= limit:
            return True
        ranked = ledger.ranked()
        kept = ranked[0].number if ranked else -1
        places = {
            trial.number: ledger.folder / trial.user_attrs["folder"]
            for trial in [*ranked, *_unranked(ledger)]
        }
        for number, place in reversed(places.items()):
            if number != kept and place != growing:
                _shed(place)
                if megabytes(ledger.folder) <= limit:
                    return True
        return False

    return fits


def _unranked(ledger: Ledger) -> "list[FrozenTrial]":
    """Trials that are over without a rank and that nobody will continue."""
    known = {trial.number for trial in ledger.ranked()}
    return [
        trial
        for trial in _ended(ledger.trials())
        if trial.number not in known and trial.user_attrs.get("reason") not in (None, *RESUMABLE)
    ]


def _shed(place: Path) -> None:
    """Delete weights and checkpoints of a trial; what it measured, said and drew stays."""
    for folder in place.glob("seed-*/*"):
        if folder.is_dir() and folder.name != "plots":
            shutil.rmtree(folder, ignore_errors=True)


def look(folder: Path) -> Findings:
    """What a search has found so far, also while it goes on; it is not disturbed.

    Raises:
        SettingsError: it is no search folder, or Optuna is missing.
    """
    import yaml

    with needing_optuna():
        from speaq.training.tuning.sampling import files, open_study
    found = files(folder)
    if not found or not (folder / "settings.yaml").is_file():
        raise SettingsError(
            f"{folder} is not a search folder: it has no study.journal and no study.sqlite.",
            f"{folder} 不是搜索目录：缺少 study.journal 或 study.sqlite。",
        )
    identity = yaml.safe_load((folder / "settings.yaml").read_text(encoding="utf-8"))
    goal = GoalSettings(**{**identity["goal"], "seeds": tuple(identity["goal"]["seeds"])})
    study = open_study(folder, found[0].suffix.removeprefix("."), None)
    return findings(study, len(identity["search"]), goal, folder)
