"""`speaq.learn`: a model and a log in, a run folder and a model with a value head out."""

import copy
import dataclasses
import difflib
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from speaq.core import registry
from speaq.core.devices import batch_dtype
from speaq.core.errors import DataError, SettingsError
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.rewards import resolve
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.algorithm import Algorithm
from speaq.qlearning.contrast import require_contrast
from speaq.qlearning.crossfit import CrossFit, plan
from speaq.qlearning.learner import Learner
from speaq.training.curves import plot_curves
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import cache_features, trunk_fingerprint
from speaq.training.loop import LoopSettings, train

Trunk = Literal["auto", "frozen", "lora", "full"]


@dataclass(frozen=True)
class LearnSettings:
    """What to train besides the algorithm's own settings."""

    trunk: Trunk = "auto"
    """frozen: heads on cached hidden states. lora: adapters, merged at the end. full: everything.
    auto: frozen for values, lora for cloning."""
    folds: int = 4
    """Folds of the cross-fitting behind the gate; see `crossfit`. Only with a frozen trunk."""
    lora_rank: int = 16
    """Rank of the adapters."""
    reward: str = "feedback"
    """Name of a reward, or module:function."""
    temperature: float = 1.0
    """Temperature the log was drawn at; advantages are centred under that policy."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise SettingsError(
                f"learn setting temperature = {self.temperature} must be above 0; a log drawn "
                "greedily holds nothing to compare.",
                f"learn 的 temperature = {self.temperature} 必须大于 0；"
                "贪心采样的日志没有可比较的内容。",
            )


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
        reward: a function of an episode; overrides `settings.reward`.
        folder: the run folder; the same call on the same folder continues an interrupted run.
        seed: of everything random.

    Raises:
        SettingsError: unknown or contradictory settings.
        DataError: no episodes, one without reward, or all of the same reward.
    """
    settings = settings or LearnSettings()
    name, chosen = _algorithm(algorithm, options or {})
    trunk = _trunk(settings.trunk, chosen)
    loop = loop or _default_loop(trunk)
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
    }
    run = RunFolder(path, resolved)

    encoded = encode_episodes(model, episodes, reward or resolve(settings.reward))
    if chosen.learns == "values":
        require_contrast(encoded)
    kept = chosen.select(np.array([each.rewards.sum() for each in encoded], np.float32))
    encoded = [each for each, keep in zip(encoded, kept, strict=True) if keep]
    folds = settings.folds if trunk == "frozen" else 0
    split = plan([each.group for each in encoded], folds, seed, chosen.heads_per_member)
    student = _student(model, chosen, trunk, settings, head, split, seed)
    seen = split.seen([_group(each, split) for each in encoded])
    features = None
    if trunk == "frozen":
        centre = settings.temperature if head.kind == "tied" else None
        features = cache_features(student, encoded, path / "features", centre)
    # Adapters are trained as mixed precision does; a whole model keeps its own precision.
    half = trunk == "lora" and batch_dtype() == torch.bfloat16
    learner = Learner(student, chosen, encoded, features, seen, half=half)
    train(learner, len(encoded), loop, run, seed)
    plot_curves(run)
    return Run(_finished(student, chosen, trunk, split, resolved, len(encoded)), path, name)


def _group(encoded: Encoded, split: CrossFit) -> str:
    return encoded.group if split.by == "prompt" else encoded.id


def _algorithm(algorithm: str | Algorithm, options: Mapping[str, Any]) -> tuple[str, Algorithm]:
    if not isinstance(algorithm, str):
        return type(algorithm).__name__.lower(), algorithm
    cls = registry.load("algorithms", algorithm)
    known = [field.name for field in dataclasses.fields(cls)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(
                f"algorithm {algorithm} has no setting '{name}'; "
                + (
                    f"did you mean '{near[0]}'?"
                    if near
                    else f"it has {', '.join(known) or 'none'}."
                ),
                f"算法 {algorithm} 没有“{name}”这一设置；"
                + (f"是否想用“{near[0]}”？" if near else f"已有：{'、'.join(known) or '无'}。"),
            )
    return algorithm, cast(Algorithm, cls(**options))


def _trunk(wanted: Trunk, algorithm: Algorithm) -> str:
    if wanted == "auto":
        return "frozen" if algorithm.learns == "values" else "lora"
    if wanted == "frozen" and algorithm.learns == "policy":
        raise SettingsError(
            "cloning trains the policy itself; with trunk = frozen nothing would be learnt. "
            "Use trunk = lora or full.",
            "克隆训练的是策略本身；trunk = frozen 时无可学习。请用 lora 或 full。",
        )
    return wanted


def loop_defaults(algorithm: str | Algorithm, settings: LearnSettings) -> LoopSettings:
    """The loop settings `learn` takes where none are given: they depend on what is trained.

    Raises:
        SettingsError: no such algorithm, or one that cannot train what the settings ask for.
    """
    return _default_loop(_trunk(settings.trunk, _algorithm(algorithm, {})[1]))


def _default_loop(trunk: str) -> LoopSettings:
    if trunk == "frozen":
        return LoopSettings(
            steps=120, batch_size=64, head_lr=2e-5, value_lr=1e-3, schedule="cosine", warmup=10
        )
    if trunk == "lora":
        return LoopSettings(steps=48, batch_size=8, lr=5e-4, schedule="cosine", warmup=5)
    return LoopSettings()


def _student(
    model: LanguageModel,
    algorithm: Algorithm,
    trunk: str,
    settings: LearnSettings,
    head: HeadSettings,
    split: CrossFit,
    seed: int,
) -> LanguageModel:
    """A model of its own to train: shares a frozen trunk, copies any other."""
    causal = model.causal if trunk == "frozen" else copy.deepcopy(model.causal)
    causal.requires_grad_(trunk == "full")
    if trunk == "lora":
        causal = _with_adapters(causal, settings.lora_rank, derive(seed, "lora"))
    causal.eval()  # dropout stays off: the log's propensities were made without it
    student = LanguageModel(causal, model.tokenizer, model.origin, facts=dict(model.facts))
    members = split.members * algorithm.heads_per_member
    return student.with_head(replace(head, members=members))


def _with_adapters(causal: Any, rank: int, seed: int) -> Any:
    """LoRA adapters on every linear layer of the trunk, freshly drawn."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that transformers has deprecated.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return get_peft_model(causal, settings)


def _finished(
    student: LanguageModel,
    algorithm: Algorithm,
    trunk: str,
    split: CrossFit,
    resolved: dict[str, Any],
    episodes: int,
) -> LanguageModel:
    if trunk == "lora":
        student.causal = cast(Any, student.causal).merge_and_unload()
    student.causal.requires_grad_(False)
    if algorithm.learns == "policy":
        student.head = None
    step = {"step": "learn", "episodes": episodes, **resolved}
    weights = student.origin.fingerprint if trunk == "frozen" else trunk_fingerprint(student)
    student.origin = replace(
        student.origin, fingerprint=weights, history=(*student.origin.history, step)
    )
    if algorithm.learns == "values":
        student.facts["crossfit"] = split.facts()
    return student
