"""What fine-tuning leaves: a folder that `transformers` loads, with speaq's facts beside it.

folder/
├── config.json, *.safetensors, tokenizer files   `AutoModelFor...` where one says the same, else
│                                                 the trunk (`AutoModel`)
├── heads.safetensors   the heads, by task
├── speaq.json          tasks, labels, metrics, calibration, history
└── README.md           the model card
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from speaq.core.errors import ModelError
from speaq.core.files import replacing_folder
from speaq.models.packages import quiet_transformers
from speaq.training.distributed import rank, wait
from speaq.training.supervised.batches import Row
from speaq.training.supervised.card import card
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Example
from speaq.training.supervised.kinds import Kind
from speaq.training.supervised.learner import scores
from speaq.training.supervised.ordinary import as_ordinary
from speaq.training.supervised.parsing import Parsing
from speaq.training.supervised.reading import Reading
from speaq.training.supervised.tagging import Tagging
from speaq.training.supervised.trunk import Trunk, open_trunk

FACTS, HEADS, CARD = "speaq.json", "heads.safetensors", "README.md"
_KINDS: dict[str, Any] = {
    "classification": Classifying,
    "tagging": Tagging,
    "reading": Reading,
    "parsing": Parsing,
}


@dataclass
class Skill:
    """One task that a trunk has learnt."""

    kind: Kind
    head: nn.Module


@dataclass
class Tuned:
    """A trunk with what it has learnt to answer."""

    trunk: Trunk
    skills: dict[str, Skill]
    """By task; the only one of a single task is named ``."""
    facts: dict[str, Any]
    """What `speaq.json` says: origin, history, metrics."""

    def answers(self, examples: Sequence[Example], task: str = "") -> list[Any]:
        """The answers to examples; what they say themselves is not looked at.

        Returns: `Class` for texts, pairs and relations, a tuple of tags, or a `Passage`.
        """
        skill = self.skills[task]
        rows, _ = skill.kind.rows(self.trunk, examples)
        found = scores(self.trunk, skill.kind, skill.head, rows)
        return skill.kind.answers(found, rows, examples)

    def measures(self, examples: Sequence[Example], task: str = "") -> dict[str, Any]:
        """How right the answers to examples are."""
        return self.skills[task].kind.measures(self.answers(examples, task), examples)


def save(tuned: Tuned, folder: Path | str, probe: Sequence[Row] = ()) -> bool:
    """Write the folder, all or nothing; a model folder at that place is replaced.

    Args:
        tuned: with adapters merged.
        folder: where to.
        probe: rows on which one of `transformers`' own classes has to agree; without any, the
            trunk alone is written.

    Returns: whether the folder holds such a class.

    Raises:
        ModelError: `folder` holds something that is not a model.
        StorageError: the disk refused; what was there before is untouched.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / "config.json").is_file() and any(folder.iterdir()):
        raise ModelError(
            f"{folder} exists and is not a model folder; choose another name, so that nothing of "
            "yours is overwritten.",
            f"{folder} 已存在且不是模型目录；请换一个名称，以免覆盖您的文件。",
        )
    trunk = tuned.trunk
    trunk.model.eval()
    ordinary = None
    if len(tuned.skills) == 1 and probe:
        [skill] = tuned.skills.values()
        trunk.model.cpu()
        ordinary = as_ordinary(trunk, skill.kind, skill.head.cpu().eval(), probe)
    holder = trunk.plain if ordinary is None else ordinary
    tensors = {
        f"{number}.{name}": tensor.detach().cpu().contiguous()
        for number, skill in enumerate(tuned.skills.values())
        for name, tensor in skill.head.state_dict().items()
    }
    facts = {
        **tuned.facts,
        "class": type(holder).__name__,
        "tasks": {name: skill.kind.facts() for name, skill in tuned.skills.items()},
    }
    text = json.dumps(_plain(facts), ensure_ascii=False, indent=2, allow_nan=False)
    if rank() == 0:
        with quiet_transformers(), replacing_folder(folder) as temporary:
            holder.save_pretrained(temporary)
            trunk.tokenizer.save_pretrained(temporary)
            save_file(tensors, temporary / HEADS)
            (temporary / FACTS).write_text(text + "\n", encoding="utf-8")
            (temporary / CARD).write_text(card(facts, folder.name), encoding="utf-8")
    wait()
    return ordinary is not None


def open_tuned(folder: Path | str) -> Tuned:
    """Open a folder that `save` wrote.

    Raises:
        ModelError: not such a folder, or a damaged one.
        UnsafeFileError: a pickle in it.
    """
    folder = Path(folder)
    if not (folder / FACTS).is_file() or not (folder / HEADS).is_file():
        raise ModelError(
            f"{folder} was not written by speaq fine-tune (no {FACTS} or {HEADS}).",
            f"{folder} 不是 speaq fine-tune 写出的目录（缺少 {FACTS} 或 {HEADS}）。",
        )
    trunk = open_trunk(folder, ())
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        tensors = load_file(folder / HEADS)
        skills = {}
        for number, (name, said) in enumerate(facts["tasks"].items()):
            kind = kind_of(said)
            head = kind.head(trunk.size, 0.0)
            prefix = f"{number}."
            head.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
            skills[name] = Skill(kind, head.eval())
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder} is damaged ({type(error).__name__}: {error}).",
            f"{folder} 已损坏（{type(error).__name__}：{error}）。",
        ) from error
    return Tuned(trunk, skills, facts)


def kind_of(said: Mapping[str, Any]) -> Kind:
    """The kind that `Kind.facts` described."""
    given = {name: value for name, value in said.items() if name != "kind"}
    for name in ("labels", "weights", "parts"):
        if name in given:
            given[name] = tuple(given[name])
    made: Kind = _KINDS[said["kind"]](**given)
    return made


def _plain(facts: Any) -> Any:
    """The facts with null for numbers that JSON cannot hold."""
    if isinstance(facts, Mapping):
        return {str(name): _plain(value) for name, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_plain(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def size_in_megabytes(folder: Path) -> float:
    """What the files of a folder weigh, in 10^6 bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def parameters_of(trunk: Trunk, heads: Sequence[nn.Module]) -> tuple[int, int]:
    """How many numbers change, and how many there are."""
    modules: list[Any] = [trunk.model, *heads]
    weights: list[torch.Tensor] = [w for module in modules for w in module.parameters()]
    return (
        sum(weight.numel() for weight in weights if weight.requires_grad),
        sum(weight.numel() for weight in weights),
    )
