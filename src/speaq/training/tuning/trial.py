"""One trial: the verb run once for each seed, watched, and judged."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from speaq.core.files import write_text
from speaq.training.tuning.child import Child, last_line, started
from speaq.training.tuning.command import Command
from speaq.training.tuning.follow import Follower
from speaq.training.tuning.objective import NoValue, judge_command, value_of
from speaq.training.tuning.outcome import Outcome, Reason, State
from speaq.training.tuning.settings import BudgetSettings, GoalSettings
from speaq.training.tuning.vocabulary import Value

LOOK = 0.1
"""Seconds between two looks at a trial's process."""
WEIGH = 1.0
"""Seconds between two looks at the disk."""


class Listener(Protocol):
    """Who is told the figures of a trial as they come: an Optuna trial is one."""

    def report(self, value: float, step: int) -> None:
        """A figure."""

    def should_prune(self) -> bool:
        """Whether the trial is not worth finishing."""


class Ended(Exception):  # noqa: N818  a trial that ends early is no error of the program
    """A trial is over before it is complete."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass
class Bench:
    """Where trials are run: what is run, how it is judged, what it may take.

    Args:
        command: the verb's command line.
        goal: how a run is judged.
        budget: what it may take.
        figure: what is reported while a run goes on, and its sign.
        fits: asked once a second with a trial's folder; makes room on the disk, and says whether
            there is enough.
    """

    command: Command
    goal: GoalSettings
    budget: BudgetSettings
    figure: tuple[str, float]
    fits: Callable[[Path], bool]

    def run(
        self, place: Path, values: Mapping[str, Value], told: Listener, deadline: float | None
    ) -> Outcome:
        """Run a trial, from where it stopped if it has been begun.

        Args:
            place: its folder.
            values: what is tried.
            told: who hears the figures and may end it.
            deadline: when it is stopped, by `time.time`.

        Raises:
            SettingsError: the run logs no figure of the goal's name.
        """
        attempt = _Attempt(self, place, told, deadline)
        try:
            for seed in self.goal.seeds:
                attempt.run_seed(seed, values)
        except Ended as end:
            return attempt.outcome(end)
        return attempt.outcome()


@dataclass
class _Attempt:
    """A trial while it runs."""

    bench: Bench
    place: Path
    told: Listener
    deadline: float | None
    values: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    before: float = 0.0
    """Seconds that seeds took which were done when the trial was taken up."""
    done: int = 0
    """Steps of the seeds that are done."""
    memory: float = 0.0
    weighed: float = 0.0

    def run_seed(self, seed: int, values: Mapping[str, Value]) -> None:
        """Run the verb with one seed, judge it, and note the value in a file beside the run."""
        run, note = self.place / f"seed-{seed}", self.place / f"seed-{seed}.json"
        follower = Follower(run, self.bench.figure[0])
        if note.is_file():
            known = json.loads(note.read_text(encoding="utf-8"))
            self._hear(follower)
            self.memory = max(self.memory, known["memory"])
            self.before += known["seconds"]
        else:
            began = time.time()
            known = {"value": self._value(run, seed, values, follower), "memory": self.memory}
            write_text(note, json.dumps({**known, "seconds": time.time() - began}))
        self.values.append(float(known["value"]))
        self.done += follower.step

    def _value(
        self, run: Path, seed: int, values: Mapping[str, Value], follower: Follower
    ) -> float:
        command, goal = self.bench.command, self.bench.goal
        log = run.with_suffix(".log")
        words = command.words(values, seed, run)
        self._process(command.process(words), log, follower)
        if self.bench.budget.model_mb is not None and not (run / "model").is_dir():
            raise Ended("value", f"{run / 'model'}?")
        judged = run.with_suffix(".judged.json")
        if goal.by_gate:
            self._process(command.judge(run, goal.gate), log, follower)
        elif goal.by_function:
            self._process(judge_command(goal, run, judged), log, follower)
        try:
            return value_of(goal, run, judged)
        except NoValue as nothing:
            raise Ended("value", nothing.why) from nothing

    def _process(self, command: list[str], log: Path, follower: Follower) -> None:
        with started(command, log) as child:
            code = None
            while code is None:
                code = child.wait(LOOK)
                self._hear(follower)
                if code is None:
                    self._require_within(child)
        if code != 0:
            detail = last_line(log) if code > 0 else f"signal {-code}"
            raise Ended("crashed", detail)

    def _hear(self, follower: Follower) -> None:
        for step, value in follower.new():
            self.told.report(self.bench.figure[1] * value, self.done + step)
            # Line by line, so that what is pruned does not depend on how fast lines come.
            if self.told.should_prune():
                raise Ended("pruned", f"{self.bench.figure[0]} {value:.4g} @ {self.done + step}")

    def _require_within(self, child: Child) -> None:
        """Stop a process that takes too much."""
        budget = self.bench.budget
        self.memory = max(self.memory, child.megabytes())
        if budget.memory_mb is not None and self.memory > budget.memory_mb:
            raise Ended("memory", f"{self.memory:.0f} MB")
        if self.deadline is not None and time.time() >= self.deadline:
            raise Ended("minutes")
        if time.time() - self.weighed >= WEIGH:
            if not self.bench.fits(self.place):
                raise Ended("disk")
            self.weighed = time.time()

    def outcome(self, end: Ended | None = None) -> Outcome:
        """What is recorded of it."""
        model = max((megabytes(each / "model") for each in self.place.glob("seed-*")), default=0.0)
        sizes = {"memory": self.memory, "run": megabytes(self.place), "model": model}
        limits = {"memory": self.bench.budget.memory_mb, "model": self.bench.budget.model_mb}
        excess = {n: sizes[n] - limit for n, limit in limits.items() if limit is not None}
        if end is None and excess.get("model", 0.0) > 0:
            end = Ended("model", f"{model:.3g} MB")
        state: State = "complete"
        if end is not None and end.reason != "model":
            # Above a limit is something to learn from, a crash is not.
            state = "pruned" if end.reason in ("pruned", "memory") else "failed"
        return Outcome(
            state,
            end.reason if end else "",
            end.detail if end else "",
            tuple(self.values),
            self.before + time.time() - self.began,
            sizes,
            excess,
        )


def megabytes(folder: Path) -> float:
    """Size of all files below a folder; 0 if there is none. Files may go while it looks."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.lstat().st_size if not file.is_dir() else 0
        except FileNotFoundError:
            continue
    return total / 1e6
