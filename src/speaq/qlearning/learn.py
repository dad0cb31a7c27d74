"""`speaq.learn`: a model and a log in, a run folder and a model with a value head out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from speaq.core.devices import batch_dtype
from speaq.core.errors import DataError
from speaq.core.runs import RunFolder
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.rewards import resolve
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.algorithm import Algorithm
from speaq.qlearning.contrast import require_contrast
from speaq.qlearning.crossfit import CrossFit, plan
from speaq.qlearning.learner import Learner
from speaq.qlearning.student import (
    LearnSettings,
    algorithm_of,
    default_loop,
    finished,
    student_of,
    trunk_of,
)
from speaq.training.curves import plot_curves
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import cache_features
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import ReplaySettings, replay_of, require_errors


@dataclass(frozen=True)
class Run:
    """What learning left behind."""

    model: LanguageModel
    folder: Path
    algorithm: str

    @property
    def metrics(self) -> list[dict[str, float]]:
        """The logged steps, in order."""
        return list(RunFolder.reopen(self.folder).metrics())


def learn(  # noqa: PLR0913  the public door: every argument is a choice of the user's
    model: LanguageModel,
    episodes: Sequence[Episode],
    algorithm: str | Algorithm = "dae",
    *,
    settings: LearnSettings | None = None,
    options: Mapping[str, Any] | None = None,
    loop: LoopSettings | None = None,
    head: HeadSettings | None = None,
    replay: ReplaySettings | None = None,
    reward: Callable[[Episode], Any] | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
) -> Run:
    """Learn from a log; `model` itself is left as it was.

    Args:
        model: the policy to improve. A head on it says which kind to learn.
        episodes: the log.
        algorithm: an entry point of `speaq.algorithms`, or an algorithm itself.
        settings: trunk, folds, reward.
        options: the algorithm's settings by name.
        loop: steps, batch size, learning rates.
        head: overrides the kind of head.
        replay: how the log is replayed; uniformly by default.
        reward: a function of an episode; overrides `settings.reward`.
        folder: the run folder; the same call on the same folder continues an interrupted run.
        seed: of everything random.

    Raises:
        SettingsError: unknown or contradictory settings.
        DataError: no episodes, one without reward, or all of the same reward.
        DivergenceError: the numbers ended, or no return of the log could be as large as the
            values became; the last good checkpoint is kept.
    """
    settings, replay = settings or LearnSettings(), replay or ReplaySettings()
    name, chosen = algorithm_of(algorithm, options or {})
    trunk = trunk_of(settings.trunk, chosen)
    require_errors(replay, name, chosen.gives_errors)
    loop = loop or default_loop(trunk)
    head = head or (model.head.settings if model.head else HeadSettings())
    if not episodes:
        raise DataError("the log holds no episodes.", "日志中没有任何片段。")
    path = Path(folder or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}")
    resolved = {
        "algorithm": name,
        "seed": seed,
        "model": model.origin.source,
        "data": fingerprint(episodes),
        "learn": {**asdict(settings), "trunk": trunk},
        "options": asdict(cast(Any, chosen)),
        "head": asdict(head),
        "loop": asdict(loop),
        "replay": asdict(replay),
    }
    run = RunFolder(path, resolved)

    encoded = encode_episodes(model, episodes, reward or resolve(settings.reward))
    if chosen.learns == "values":
        require_contrast(encoded)
    kept = chosen.select(np.array([each.rewards.sum() for each in encoded], np.float32))
    encoded = [each for each, keep in zip(encoded, kept, strict=True) if keep]
    folds = settings.folds if trunk == "frozen" else 0
    split = plan([each.group for each in encoded], folds, seed, chosen.heads_per_member)
    student = student_of(model, chosen, trunk, settings, head, split, seed)
    seen = split.seen([_group(each, split) for each in encoded])
    features = None
    if trunk == "frozen":
        centre = settings.temperature if head.kind == "tied" else None
        features = cache_features(student, encoded, path / "features", centre)
    # Adapters are trained as mixed precision does; a whole model keeps its own precision.
    half = trunk == "lora" and batch_dtype() == torch.bfloat16
    learner = Learner(student, chosen, encoded, features, seen, half=half)
    drawn = replay_of(replay, len(encoded), loop.steps, seed)
    train(learner, drawn, loop, run, seed, require_sound=learner.require_sound)
    plot_curves(run)
    return Run(finished(student, chosen, trunk, split, resolved, len(encoded)), path, name)


def _group(encoded: Encoded, split: CrossFit) -> str:
    return encoded.group if split.by == "prompt" else encoded.id
