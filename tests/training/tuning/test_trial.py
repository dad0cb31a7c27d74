"""A trial: run for each seed, watched, stopped, continued, judged."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from speaq.core.errors import SettingsError
from speaq.training.tuning import BudgetSettings, Command, GoalSettings
from speaq.training.tuning.child import LEASHED, started
from speaq.training.tuning.trial import Bench, megabytes

Toy = Callable[..., Command]


class Told:
    """Hears figures; prunes from a step on."""

    def __init__(self, until: float = float("inf")) -> None:
        self.heard: list[tuple[int, float]] = []
        self._until = until

    def report(self, value: float, step: int) -> None:
        self.heard.append((step, value))

    def should_prune(self) -> bool:
        return self.heard[-1][0] >= self._until


def bench(
    command: Command,
    goal: GoalSettings | None = None,
    budget: BudgetSettings | None = None,
    fits: Callable[[Path], bool] = lambda place: True,
) -> Bench:
    goal = goal or GoalSettings("loss")
    return Bench(command, goal, budget or BudgetSettings(), ("loss", 1.0), fits)


def begun(place: Path, seed: int = 0) -> list[int]:
    """At which step the run was begun, each time."""
    return [int(line) for line in (place / f"seed-{seed}" / "begun.txt").read_text().split()]


def test_the_value_is_the_mean_over_seeds_and_every_figure_is_told(
    toy: Toy, tmp_path: Path
) -> None:
    told = Told()
    outcome = bench(toy(), GoalSettings("loss", seeds=(0, 1, 4))).run(
        tmp_path / "t", {"x": 5.0}, told, None
    )
    assert outcome.state == "complete"
    assert outcome.values == pytest.approx((4.25, 4.35, 4.65))
    assert outcome.value == pytest.approx(sum(outcome.values) / 3)
    # The second seed's steps go on where the first's ended.
    assert [step for step, _ in told.heard] == list(range(1, 13))
    assert [value for _, value in told.heard[:4]] == pytest.approx([5, 4.5, 4 + 1 / 3, 4.25])
    assert (tmp_path / "t" / "seed-4.log").read_text() == "done\n"


def test_the_best_of_all_values_counts_where_asked(toy: Toy, tmp_path: Path) -> None:
    goal = GoalSettings("loss", "maximize", take="best")
    assert bench(toy(), goal).run(tmp_path / "t", {"x": 5.0}, Told(), None).values == (5.0,)


@pytest.mark.parametrize("until", [2, 6])
def test_a_trial_is_pruned_at_the_same_step_however_fast_it_is(
    toy: Toy, tmp_path: Path, until: int
) -> None:
    for pause in (0, 0.2):
        goal = GoalSettings("loss", seeds=(0, 1))
        told = Told(until)
        place = tmp_path / f"{pause}"
        outcome = bench(toy(pause=pause), goal).run(place, {"x": 1.0}, told, None)
        assert (outcome.state, outcome.reason) == ("pruned", "pruned")
        assert [step for step, _ in told.heard] == list(range(1, until + 1))
        assert (place / "seed-1").exists() == (until == 6)


def test_what_was_stopped_goes_on_where_it_was_and_what_is_done_is_not_run_again(
    toy: Toy, tmp_path: Path
) -> None:
    goal = GoalSettings("loss", seeds=(0, 1))
    whole = bench(toy(), goal).run(tmp_path / "whole", {"x": 2.0}, Told(), None)
    place, told = tmp_path / "broken", Told()
    slow = bench(toy(pause=0.3), goal)
    outcome = slow.run(place, {"x": 2.0}, told, time.time() + 1.9)
    assert (outcome.state, outcome.reason) == ("failed", "minutes")
    told = Told()
    again = slow.run(place, {"x": 2.0}, told, None)
    assert again.values == pytest.approx(whole.values)
    assert [step for step, _ in told.heard] == list(range(1, 9))
    assert begun(place, 0) == [0]
    first, second = begun(place, 1)
    assert first == 0 < second
    assert again.seconds > 1.2


def test_too_much_memory_ends_a_trial_and_is_something_to_learn_from(
    toy: Toy, tmp_path: Path
) -> None:
    greedy = bench(toy(eat=20, pause=0.3), budget=BudgetSettings(memory_mb=100))
    outcome = greedy.run(tmp_path / "a", {"x": 10.0}, Told(), None)
    assert (outcome.state, outcome.reason) == ("pruned", "memory")
    assert outcome.excess["memory"] == pytest.approx(outcome.megabytes["memory"] - 100)
    assert outcome.excess["memory"] > 0
    outcome = greedy.run(tmp_path / "b", {"x": 0.1}, Told(), None)
    assert outcome.state == "complete"
    assert outcome.excess["memory"] < 0


def test_a_model_above_its_limit_is_complete_but_not_within_it(toy: Toy, tmp_path: Path) -> None:
    heavy = bench(toy(weigh=1), budget=BudgetSettings(model_mb=2))
    outcome = heavy.run(tmp_path / "t", {"x": 3.0}, Told(), None)
    assert (outcome.state, outcome.reason) == ("complete", "model")
    assert outcome.excess == {"model": pytest.approx(1)}


def test_a_full_disk_ends_a_trial(toy: Toy, tmp_path: Path) -> None:
    full = bench(toy(weigh=1, pause=0.3), fits=lambda place: megabytes(place) < 2)
    outcome = full.run(tmp_path / "t", {"x": 3.0}, Told(), None)
    assert (outcome.state, outcome.reason) == ("failed", "disk")


def test_a_crash_ends_a_trial_with_what_it_said_last(toy: Toy, tmp_path: Path) -> None:
    outcome = bench(toy(below=1)).run(tmp_path / "t", {"x": 2.0}, Told(), None)
    assert (outcome.state, outcome.reason) == ("failed", "crashed")
    assert outcome.detail == "x is too large"


def test_a_figure_that_no_run_logs_is_refused_with_the_nearest(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'loss'"):
        bench(toy(), GoalSettings("los")).run(tmp_path / "t", {"x": 2.0}, Told(), None)
    with pytest.raises(SettingsError, match="it logs loss"):
        bench(toy(), GoalSettings("accuracy")).run(tmp_path / "t", {"x": 2.0}, Told(), None)


def test_a_function_of_the_users_judges_the_run_folder(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.py").write_text(
        "import json\n"
        "def lines(run):\n"
        "    return len((run / 'metrics.jsonl').read_text().splitlines())\n"
        "def nothing(run):\n"
        "    return float('nan')\n"
    )
    goal = GoalSettings("ours:lines")
    assert bench(toy(), goal).run(tmp_path / "a", {"x": 2.0}, Told(), None).values == (4.0,)
    outcome = bench(toy(), GoalSettings("ours:nothing")).run(
        tmp_path / "b", {"x": 2.0}, Told(), None
    )
    assert (outcome.state, outcome.reason) == ("failed", "value")
    outcome = bench(toy(), GoalSettings("ours:absent")).run(
        tmp_path / "c", {"x": 2.0}, Told(), None
    )
    assert (outcome.state, outcome.reason) == ("failed", "crashed")
    assert "has no 'absent'" in outcome.detail


def test_a_stopped_process_takes_its_children_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "deaf = 'import signal, time; signal.signal(2, signal.SIG_IGN); "
        "print(flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', deaf], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"  # it hears no Ctrl-C from here on
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "log"
    with started([sys.executable, "-c", code], log):
        until = time.time() + 60
        while not log.read_text() and time.time() < until:
            time.sleep(0.05)
        grandchild = int(log.read_text())
        assert psutil.pid_exists(grandchild)
    _gone(grandchild)


def test_a_trial_does_not_outlive_a_search_that_was_killed(tmp_path: Path) -> None:
    """`kill -9` gives the parent no chance to say anything."""
    log = tmp_path / "log"
    child = f"import os, time; {LEASHED}; print(os.getpid(), flush=True); time.sleep(60)"
    parent = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from speaq.training.tuning.child import Child\n"
        f"child = Child([sys.executable, '-c', {child!r}], Path({str(log)!r}))\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    until = time.time() + 60
    while not (log.exists() and log.read_text()) and time.time() < until:
        time.sleep(0.05)
    number = int(log.read_text())
    assert psutil.pid_exists(number)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _gone(number)


def _gone(number: int) -> None:
    until = time.time() + 60
    while time.time() < until:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.05)
    raise AssertionError(f"{number} is still running")
