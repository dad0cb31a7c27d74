"""Optuna: the record on disk, who chooses settings, who ends trials early.

Imported only where a search is opened, as Optuna is an extra (`pip install 'speaq[tune]'`).

Bergstra et al. 2011 (TPE), Falkner et al. 2018 (TPE over all settings together, with Hyperband),
Li et al. 2018 (Hyperband); Optuna's implementations of them.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import optuna
from filelock import FileLock
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from speaq.core.errors import SettingsError, StorageError
from speaq.core.seeds import derive
from speaq.training.tuning.settings import PruningSettings, SamplingSettings
from speaq.training.tuning.space import Dimension

NAME = "speaq"
WAIT = 60
"""Seconds a process waits for another that writes into the SQLite file."""


class KernelLock:
    """A lock that the operating system takes back when its holder dies, by whatever death.

    Optuna's own is a file that a killed process leaves behind. It names no public base class.
    """

    def __init__(self, file: Path) -> None:
        self._lock = FileLock(file)

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire()
        return True

    def release(self) -> None:
        """Give it back."""
        self._lock.release()


def files(folder: Path) -> list[Path]:
    """The record of a search folder, in whatever form it is; empty if it has none."""
    return [file for file in (folder / "study.journal", folder / "study.sqlite") if file.is_file()]


def open_study(folder: Path, storage: str, maximize: bool | None) -> optuna.Study:
    """The record of a search.

    Args:
        folder: the search folder.
        storage: `journal` or `sqlite`.
        maximize: the direction, to begin one if there is none; None only looks at what there is.

    Raises:
        StorageError: the record is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = folder / f"study.{storage}"
    try:
        record = _journal(file) if storage == "journal" else _sqlite(file)
        if maximize is None:
            return optuna.load_study(study_name=NAME, storage=record)
        return optuna.create_study(
            storage=record,
            study_name=NAME,
            direction="maximize" if maximize else "minimize",
            load_if_exists=True,
        )
    except (ValueError, KeyError, optuna.exceptions.StorageInternalError) as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> StorageError:
    return StorageError(
        f"{file} is damaged ({error}); the runs beside it are whole. Search with another --folder.",
        f"{file} 已损坏（{error}）；其旁的各次运行完好。请换一个 --folder 重新搜索。",
    )


def _journal(file: Path) -> BaseStorage:
    lock = KernelLock(file.with_name(f"{file.name}.lock"))
    lock.acquire()
    try:
        _mend(file)
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(str(file), lock_obj=cast(Any, lock)))


def _mend(file: Path) -> None:
    """Cut off a last line that a crash or a full disk left unfinished; Optuna reads none after."""
    if not file.is_file():
        return
    with file.open("r+b") as stream:
        text = stream.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            stream.truncate(whole)


def _sqlite(file: Path) -> BaseStorage:
    return RDBStorage(
        f"sqlite:///{file.absolute()}", engine_kwargs={"connect_args": {"timeout": WAIT}}
    )


def sampler_of(settings: SamplingSettings, space: Sequence[Dimension], draw: int) -> BaseSampler:
    """Who chooses the settings of the draw numbered `draw`.

    Its random numbers belong to the draw, not to a stream: a search that was stopped and
    continued chooses what it would have chosen.

    Raises:
        SettingsError: `gp` without scipy.
    """
    seed = derive(settings.seed, "tune", draw) % 2**32
    if settings.method == "grid":
        # One order for all draws and processes: who comes next is read from the record.
        order = derive(settings.seed, "grid") % 2**32
        return GridSampler({each.name: each.grid(settings.points) for each in space}, seed=order)
    if settings.method == "random":
        return RandomSampler(seed=seed)
    if settings.method == "gp":
        return _gaussian(settings.startup, seed)
    return TPESampler(
        n_startup_trials=settings.startup, multivariate=True, constant_liar=True, seed=seed
    )


def _gaussian(startup: int, seed: int) -> BaseSampler:
    # Optuna would say so only after the trials drawn at random.
    if find_spec("scipy") is None:
        raise SettingsError(
            "--method gp needs a package that is missing (scipy); install it with: "
            "pip install 'speaq[tune]'",
            "--method gp 缺少软件包 scipy；请安装：pip install 'speaq[tune]'",
        )
    return GPSampler(n_startup_trials=startup, deterministic_objective=False, seed=seed)


def pruner_of(settings: PruningSettings) -> BasePruner:
    """Who ends trials early."""
    if settings.prune == "median":
        return MedianPruner(
            n_startup_trials=settings.prune_startup, n_warmup_steps=settings.least_steps - 1
        )
    if settings.prune == "hyperband":
        return HyperbandPruner(min_resource=settings.least_steps)
    return NopPruner()
