"""What is trained: the algorithm, which parts of a model, and the model when it is done."""

import copy
import dataclasses
import difflib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch

from speaq.core import registry
from speaq.core.errors import SettingsError
from speaq.core.seeds import derive
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.algorithm import Algorithm
from speaq.qlearning.crossfit import CrossFit
from speaq.training.features import trunk_fingerprint
from speaq.training.loop import LoopSettings

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


def algorithm_of(algorithm: str | Algorithm, options: Mapping[str, Any]) -> tuple[str, Algorithm]:
    """The name and the settings of an algorithm given by name and options, or as itself.

    Raises:
        SettingsError: no such algorithm, or no such option; suggests the nearest.
    """
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


def trunk_of(wanted: Trunk, algorithm: Algorithm) -> str:
    """What `auto` means for an algorithm: frozen for values, lora for cloning.

    Raises:
        SettingsError: cloning on a frozen trunk.
    """
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
    return default_loop(trunk_of(settings.trunk, algorithm_of(algorithm, {})[1]))


def default_loop(trunk: str) -> LoopSettings:
    """Loop settings for a trunk that is `frozen`, `lora` or `full`."""
    if trunk == "frozen":
        return LoopSettings(
            steps=120, batch_size=64, head_lr=2e-5, value_lr=1e-3, schedule="cosine", warmup=10
        )
    if trunk == "lora":
        return LoopSettings(steps=48, batch_size=8, lr=5e-4, schedule="cosine", warmup=5)
    return LoopSettings()


def student_of(
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
    task = "SEQ_2_SEQ_LM" if causal.config.is_encoder_decoder else "CAUSAL_LM"
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
    with warnings.catch_warnings():
        # peft asks transformers by a name that transformers has deprecated.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return get_peft_model(causal, settings)


def finished(
    student: LanguageModel,
    algorithm: Algorithm,
    trunk: str,
    split: CrossFit,
    resolved: dict[str, Any],
    episodes: int,
) -> LanguageModel:
    """The trained student as a model to save: adapters merged, its history and folds noted."""
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
