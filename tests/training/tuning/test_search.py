"""The search: continued, shared, within its budget, and the same as if nothing had happened."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speaq.core.errors import SettingsError
from speaq.core.files import file_digest
from speaq.training.tuning import (
    BudgetSettings,
    Command,
    Findings,
    GoalSettings,
    PruningSettings,
    SamplingSettings,
    Setting,
    look,
    tune,
)
from speaq.training.tuning import trial as trials_of
from speaq.training.tuning.space import Dimension
from speaq.training.tuning.trial import megabytes

Toy = Callable[..., Command]
LOSS = GoalSettings("loss")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials_of, "LOOK", 0.01)
    monkeypatch.setattr(trials_of, "WEIGH", 0.05)


def tried(found: Findings) -> list[float]:
    return [row.settings["x"] for row in sorted(found.rows, key=lambda row: row.number)]


def test_a_budget_in_minutes_stops_a_trial_and_a_larger_one_continues_it(
    toy: Toy, tmp_path: Path
) -> None:
    slow = toy(pause=0.5)
    found = tune(slow, LOSS, folder=tmp_path, budget=BudgetSettings(minutes=1.2 / 60))
    assert [row.state for row in found.rows] == ["waiting"]
    again = tune(slow, LOSS, folder=tmp_path, budget=BudgetSettings(minutes=1.2 / 60))
    assert [row.state for row in again.rows] == ["waiting"]
    more = tune(slow, LOSS, folder=tmp_path, budget=BudgetSettings(trials=1))
    assert [row.state for row in more.rows] == ["complete"]
    first, second = (tmp_path / "trial-0000" / "seed-0" / "begun.txt").read_text().split()
    assert first == "0" < second


def test_ctrl_c_keeps_the_best_and_the_same_call_continues(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = toy()
    budget = BudgetSettings(trials=4)
    whole = tune(command, LOSS, folder=tmp_path / "whole", budget=budget)
    hear = trials_of._Attempt._hear

    def stop(attempt: Any, follower: Any) -> None:
        hear(attempt, follower)
        if attempt.place.name == "trial-0002" and attempt.told.user_attrs.get("attempt") is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials_of._Attempt, "_hear", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(command, LOSS, folder=tmp_path / "broken", budget=budget)
    stopped = look(tmp_path / "broken")
    assert stopped.best is not None and "--x" in stopped.commands
    assert len([row for row in stopped.rows if row.state == "complete"]) == 2
    found = tune(command, LOSS, folder=tmp_path / "broken", budget=budget)
    assert tried(found) == tried(whole)
    assert [row.value for row in found.rows] == [row.value for row in whole.rows]


def test_pruning_ends_trials_early_and_changes_no_complete_one(toy: Toy, tmp_path: Path) -> None:
    pruning = PruningSettings("median", prune_startup=2)
    budget = BudgetSettings(trials=10)
    found = tune(toy(), LOSS, folder=tmp_path, pruning=pruning, budget=budget)
    states = {row.state for row in found.rows}
    assert states == {"complete", "pruned"}
    for row in found.rows:
        lines = (tmp_path / f"trial-{row.number:04d}/seed-0/metrics.jsonl").read_text()
        assert row.value is None or len(lines.splitlines()) == 4
        if row.value is not None:
            assert row.value == pytest.approx((row.settings["x"] - 3) ** 2 + 0.25)
    assert found.best is not None
    pruned = [row for row in found.rows if row.state == "pruned"]
    assert all((row.settings["x"] - 3) ** 2 + 0.25 > (found.best.value or 0) for row in pruned)
    assert "not worth finishing" in pruned[0].why


def test_the_search_folder_stays_within_its_disk_and_keeps_the_best_weights(
    toy: Toy, tmp_path: Path
) -> None:
    budget = BudgetSettings(trials=5, disk_mb=31)
    heavy = toy(weigh=1)
    random = SamplingSettings("random")
    found = tune(heavy, LOSS, folder=tmp_path, sampling=random, budget=budget)
    assert [row.state for row in found.rows] == ["complete"] * 5
    assert sum(2 * row.settings["x"] for row in found.rows) > 31
    assert megabytes(tmp_path) < 31
    assert found.best is not None
    weights = tmp_path / f"trial-{found.best.number:04d}" / "seed-0" / "model" / "weights"
    assert weights.stat().st_size > 0
    worst = tmp_path / f"trial-{found.rows[-1].number:04d}" / "seed-0"
    assert not (worst / "model").exists()
    assert (worst / "metrics.jsonl").exists()
    # Nothing but the best has weights left to give, and those are not given.
    less = BudgetSettings(trials=6, disk_mb=0.05)
    with pytest.raises(SettingsError, match="--disk-mb"):
        tune(heavy, LOSS, folder=tmp_path, sampling=random, budget=less)
    assert weights.stat().st_size > 0
    assert len(look(tmp_path).rows) == 5


def test_what_makes_the_best_trial_again_does_so(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = tune(
        toy(),
        replace(LOSS, seeds=(0, 1)),
        folder="a search",
        budget=BudgetSettings(trials=3),
    )
    assert found.best is not None
    # `speaq toy` is no verb here; the script stands for it.
    script = tmp_path / "bin" / "speaq"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S {tmp_path}/toy_verb.py "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "a search/best.sh"], env={**os.environ, "PATH": path}, check=True)
    for seed in (0, 1):
        made = Path("a search") / "best" / f"seed-{seed}" / "metrics.jsonl"
        original = Path("a search") / f"trial-{found.best.number:04d}" / f"seed-{seed}"
        assert file_digest(made) == file_digest(original / "metrics.jsonl")


def test_what_is_told_and_drawn(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = replace(
        toy(below=8),
        space=(
            Dimension(Setting("x", "x", float), low=0, high=10),
            Dimension(Setting("steps", "steps", int), low=3, high=4, whole=True),
            Dimension(Setting("pause", "pause", float), choices=(0.0, 0.001)),
        ),
    )
    budget = BudgetSettings(trials=16)
    found = tune(command, replace(LOSS, seeds=(0, 1)), folder=tmp_path, budget=budget)
    told = str(found)
    assert found.best is not None
    assert found.commands.splitlines()[-1] in told
    assert next(iter(found.importance)) == "x"
    assert sum(found.importance.values()) == pytest.approx(1)
    assert "What mattered: x" in told
    assert "paired over 2 seeds" in told
    assert "x is too large" in {row.why.partition(": ")[2] for row in found.rows}
    for name in ("parallel", "history", "importance"):
        assert (tmp_path / "plots" / f"{name}.png").stat().st_size > 3000
    lines = (tmp_path / "trials.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 17
    assert lines[0] == "trial,state,loss,seconds,memory_mb,x,steps,pause,why"
    assert str(look(tmp_path)) == told
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    chinese = str(look(tmp_path))
    assert "各设置的重要性：x" in chinese
    assert "2 个种子配对" in chinese
    assert found.commands.splitlines()[-1] in chinese


def test_contradictions_are_refused_before_any_work(toy: Toy, tmp_path: Path) -> None:
    def refused(
        match: str, command: Command | None = None, goal: GoalSettings = LOSS, **more: Any
    ) -> None:
        with pytest.raises(SettingsError, match=match):
            tune(command or toy(), goal, folder=tmp_path / "no", **more)
        assert not (tmp_path / "no").exists()

    refused("--metric", goal=GoalSettings())
    refused("--search", replace(toy(), space=()))
    refused("no setting seed", replace(toy(), seeded=False), replace(LOSS, seeds=(0, 1)))
    refused("judges by a log", goal=GoalSettings("gate.low"))
    refused("no module 'absent.part'", goal=GoalSettings("absent.part:value"))
    refused("needs --prune-metric", goal=GoalSettings("a:b"), pruning=PruningSettings("median"))
    refused("combinations", sampling=SamplingSettings("grid", points=1_000_000))
    for bad in (
        lambda: GoalSettings("gate.love"),
        lambda: GoalSettings("loss", seeds=(1, 1)),
        lambda: GoalSettings("loss", gate="--betas 1"),
        lambda: BudgetSettings(trials=0),
        lambda: BudgetSettings(memory_mb=0),
        lambda: SamplingSettings(startup=0),
        lambda: PruningSettings(least_steps=0),
    ):
        with pytest.raises(SettingsError):
            bad()


def test_a_search_whose_first_trials_all_fail_gives_up_with_the_reason(
    toy: Toy, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="x is too large"):
        tune(toy(below=0), LOSS, folder=tmp_path, budget=BudgetSettings(trials=9))
    assert len(look(tmp_path).rows) == 3
    shutil.rmtree(tmp_path / "workers")
    assert look(tmp_path).best is None
