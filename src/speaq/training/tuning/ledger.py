"""The search on disk, shared by every process that joins it.

One lock stands around every choice of a trial, so that the number of trials is kept exactly and
a trial left behind is taken up once. Whether a process is alive is asked of a second lock, which
it holds as long as it lives: the operating system takes it back at any death, on this machine and
on a shared disk, and no clock is asked.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from filelock import FileLock, Timeout

from speaq.core.errors import SettingsError
from speaq.core.runs import RunFolder
from speaq.training.tuning.outcome import RESUMABLE, Outcome
from speaq.training.tuning.settings import GoalSettings, PruningSettings, SamplingSettings
from speaq.training.tuning.space import Dimension

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

ATTEMPTS = 3
"""How often a trial is begun whose process died without a word; it may be what killed it."""


@contextmanager
def needing_optuna() -> Iterator[None]:
    """Say what to install where Optuna is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"speaq tune needs a package that is missing ({error.name}); install it with: "
            "pip install 'speaq[tune]'",
            f"speaq tune 缺少软件包 {error.name}；请安装：pip install 'speaq[tune]'",
        ) from error


class Ledger:
    """The trials of a search: which are done, which to do next.

    Args:
        folder: the search folder; made if missing.
        identity: what makes it this search and no other; a folder with another is refused.
        goal: which direction is better.
        sampling: how settings are chosen.
        pruning: how trials are ended early.
        space: what is searched.

    Raises:
        SettingsError: the folder holds another search, or Optuna is missing.
        StorageError: the folder cannot be written, or its record is damaged.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        goal: GoalSettings,
        sampling: SamplingSettings,
        pruning: PruningSettings,
        space: Sequence[Dimension],
    ) -> None:
        with needing_optuna():
            from speaq.training.tuning.sampling import open_study, pruner_of, sampler_of
        self.folder = folder
        self._goal, self._space = goal, space
        self._sampler: Callable[[int], BaseSampler] = partial(sampler_of, sampling, space)
        self._sampler(0)  # what it lacks is said before any work
        self.run = RunFolder(folder, identity)
        self._workers = folder / "workers"
        self._workers.mkdir(exist_ok=True)
        self._lock = FileLock(folder / "study.lock")
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._alive = FileLock(self._workers / self.worker)
        with self._lock:
            self.study = open_study(folder, sampling.storage, goal.maximize)
        self.study.pruner = pruner_of(pruning)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Be counted among the living for the length of a block."""
        try:
            with self._alive:
                yield
        finally:
            (self._workers / self.worker).unlink(missing_ok=True)

    def trials(self) -> "list[FrozenTrial]":
        """Every trial as it was last known, those that another took up left out."""
        return standing(self.study.get_trials(deepcopy=False), len(self._space))

    def ranked(self) -> "list[FrozenTrial]":
        """The complete trials within their limits, the best first."""
        return ranked(self.trials(), self._goal.maximize)

    def claim(self, limit: int | None, minutes: float | None) -> "Trial | None":
        """The next trial to run, taken up or newly chosen; None if there is none to be had.

        Args:
            limit: how many there may be.
            minutes: how long the search may be at work.
        """
        from optuna.trial import TrialState

        with self._lock:
            self._take_up()
            trials = self.trials()
            waiting = sum(trial.state == TrialState.WAITING for trial in trials)
            if not waiting and limit is not None and len(trials) >= limit:
                return None
            if minutes is not None and self._too_late(trials, minutes * 60 - self.seconds()):
                return None
            # A trial that takes up another has the draw of that one, as if nothing had been.
            self.study.sampler = self._sampler(len(trials) - waiting)
            trial = self.study.ask({each.name: each.distribution() for each in self._space})
            trial.set_user_attr("worker", self.worker)
            if "folder" not in trial.user_attrs:
                trial.set_user_attr("folder", place_of(trial.number))
            trial.set_user_attr("began", time.time())
            return trial

    def _too_late(self, trials: "Sequence[FrozenTrial]", left: float) -> bool:
        """Whether not even the quickest trial so far would be done in the seconds left."""
        complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
        quickest = min((trial.user_attrs["seconds"] for trial in complete), default=0.0)
        return left <= max(0.0, float(quickest))

    def finish(self, trial: "Trial", outcome: Outcome) -> None:
        """Record how a trial ended."""
        from optuna.samplers import RandomSampler
        from optuna.trial import TrialState

        for name, value in outcome.attributes().items():
            trial.set_user_attr(name, value)
        trial.set_user_attr("ended", time.time())
        for name, excess in outcome.excess.items():
            trial.set_constraint(name, excess)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        # Optuna's grid would want to stop a loop that is not its own.
        self.study.sampler = RandomSampler()
        value = outcome.value if outcome.state == "complete" else None
        with self._lock:
            self.study.tell(trial, value, states.get(outcome.state, TrialState.FAIL))
            best = self.ranked()
            if value is not None and best:
                row = {"value": value, "best": cast(float, best[0].value)}
                self.run.log(trial.number, row)

    def _take_up(self) -> None:
        """Fail the trials of dead processes, and queue those that can be continued."""
        from optuna.samplers import RandomSampler
        from optuna.trial import TrialState

        for trial in self.trials():
            worker = trial.user_attrs.get("worker", "")
            if trial.state == TrialState.RUNNING and not self._lives(worker):
                self.study.sampler = RandomSampler()
                self.study.tell(trial.number, state=TrialState.FAIL)
        for trial in self.trials():
            if trial.state == TrialState.FAIL:
                self._queue_again(trial)

    def _queue_again(self, trial: "FrozenTrial") -> None:
        reason = trial.user_attrs.get("reason")
        lost = reason is None
        attempt = trial.user_attrs.get("attempt", 1) + lost
        if reason not in (None, *RESUMABLE) or attempt > ATTEMPTS:
            return
        again = {
            "continues": trial.number,
            "folder": trial.user_attrs.get("folder", place_of(trial.number)),
            "attempt": attempt,
            "before": [*trial.user_attrs.get("before", []), self._interval(trial)],
        }
        self.study.enqueue_trial(trial.params, user_attrs=again)

    def _lives(self, worker: str) -> bool:
        if worker == self.worker:
            return True
        file = self._workers / worker
        if not worker or not file.is_file():
            return False
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        file.unlink(missing_ok=True)
        return False

    def _interval(self, trial: "FrozenTrial") -> tuple[float, float]:
        """When a trial was at work, as far as is known, in seconds since the epoch."""
        from optuna.trial import TrialState

        if "began" not in trial.user_attrs:
            return 0.0, 0.0
        began = float(trial.user_attrs["began"])
        ended = trial.user_attrs.get("ended")
        if ended is None and trial.state == TrialState.RUNNING:
            ended = time.time()
        if ended is None:
            # It died without a word: at work until it last wrote.
            place = self.folder / str(trial.user_attrs.get("folder", ""))
            times = [file.stat().st_mtime for file in place.rglob("*") if file.is_file()]
            ended = max([began, *times])
        return began, max(began, float(ended))

    def deadline(self, minutes: float) -> float:
        """When the minutes are over, by `time.time`."""
        return time.time() + minutes * 60 - self.seconds()

    def seconds(self) -> float:
        """How long the search was at work: pauses left out, processes side by side once."""
        intervals = []
        for trial in self.trials():
            intervals += [(start, end) for start, end in trial.user_attrs.get("before", [])]
            intervals.append(self._interval(trial))
        total, reached = 0.0, 0.0
        for start, end in sorted(intervals):
            total += max(0.0, end - max(start, reached))
            reached = max(reached, end)
        return total


def place_of(number: int) -> str:
    """The folder of a trial, in the search folder."""
    return f"trial-{number:04d}"


def standing(found: "Sequence[FrozenTrial]", settings: int) -> "list[FrozenTrial]":
    """Those trials that count: not those that another took up, nor any whose process died before
    all of its settings were chosen."""
    from optuna.trial import TrialState

    taken = {trial.user_attrs.get("continues") for trial in found}
    return [
        trial
        for trial in found
        if trial.number not in taken
        and not (trial.state == TrialState.FAIL and len(trial.params) < settings)
    ]


def ranked(trials: "Sequence[FrozenTrial]", maximize: bool) -> "list[FrozenTrial]":
    """The complete trials within their limits, the best first; of equal ones the earliest."""
    from optuna.trial import TrialState

    fit = [
        trial
        for trial in trials
        if trial.state == TrialState.COMPLETE
        and all(excess <= 0 for excess in trial.constraints.values())
    ]
    sign = -1.0 if maximize else 1.0
    return sorted(fit, key=lambda trial: (sign * cast(float, trial.value), trial.number))
