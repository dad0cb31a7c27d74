"""One encoder for questions and for what answers them, fine-tuned so that the two of a pair meet.

Within a batch each question is to be nearer to its own answer than to all others': cross-entropy
over scaled cosines (Henderson et al. 2017, section 4.4; scale 20). Pairs come from FAQ tables,
click logs of question and clicked text, or answers that people liked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speaq.apps.answer.calibrating import read_asked
from speaq.core.devices import device
from speaq.core.errors import EvidenceError
from speaq.core.files import replacing_folder
from speaq.core.runs import RunFolder
from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.experience.rewards import feedback
from speaq.experience.store import ExperienceStore
from speaq.models.packages import quiet_transformers
from speaq.training.contextual import Encoder, text_vectors
from speaq.training.loop import LoopSettings, train
from speaq.training.supervised.trunk import Trunk, open_trunk

SCALE = 20.0
LONGEST = 128
"""Tokens of a text that are learnt from."""
_LEAST = 20
_HELD_OUT = 0.1


class Pair(NamedTuple):
    """A question and a text that answers it."""

    question: str
    text: str


@dataclass(frozen=True)
class DualSettings:
    """How long and how fast.

    Raises:
        SettingsError: a number out of range.
    """

    epochs: float = 3.0
    """Passes over the pairs."""
    batch_size: int = 32
    """Pairs compared with each other at once."""
    lr: float = 5e-5
    """Peak learning rate."""

    def __post_init__(self) -> None:
        rules = {
            "epochs": (self.epochs > 0, "> 0"),
            "batch_size": (self.batch_size >= 2, "≥ 2"),
            "lr": (self.lr > 0, "> 0"),
        }
        require("encoder", self, rules)


def pairs_of(files: Sequence[Path], store: str = "") -> list[Pair]:
    """The pairs of tables, and of the answers in a store that people liked, each once.

    Raises:
        DataError: a table without questions.
        EvidenceError: too few pairs.
    """
    found = [Pair(e.question, a) for file in files for e in read_asked(file) for a in e.answers[:1]]
    if store:
        with ExperienceStore(store) as opened:
            for episode in opened.episodes("learn"):
                reward = feedback(episode)
                if reward is not None and reward[-1] == 1 and episode.tags.get("passage"):
                    found.append(Pair(episode.prompt, episode.reply))
    kept = list(dict.fromkeys(found))
    if len(kept) < _LEAST:
        raise EvidenceError(
            f"{len(kept)} pairs of question and answer are too few; {_LEAST} are needed.",
            f"只有 {len(kept)} 对问题与答案，至少需要 {_LEAST} 对。",
        )
    return kept


class _Meeting:
    """The loop's task; see `training.loop.Task`."""

    def __init__(self, trunk: Trunk, pairs: Sequence[Pair]) -> None:
        self.trunk = trunk
        self.pairs = pairs

    def modules(self) -> Mapping[str, nn.Module]:
        """See `Task`."""
        module: nn.Module = self.trunk.model
        return {"encoder": module}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `Task`."""
        return {"trunk": list(self.modules()["encoder"].parameters())}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Task`."""
        self.modules()["encoder"].train()
        chosen = [self.pairs[index] for index in indices]
        asked = self._vectors([each.question for each in chosen])
        said = self._vectors([each.text for each in chosen])
        own = torch.arange(len(chosen), device=asked.device)
        return nn.functional.cross_entropy(SCALE * asked @ said.T, own), {}

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        read = self.trunk.tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(self.trunk.device)
        states = self.modules()["encoder"](**read).last_hidden_state
        mask = read["attention_mask"][:, :, None].to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return nn.functional.normalize(means.float(), dim=-1)

    def after_step(self, step: int) -> None:
        """See `Task`."""


def tune(
    source: str, pairs: Sequence[Pair], folder: Path, settings: DualSettings, seed: int = 0
) -> tuple[float, float]:
    """Fine-tune an encoder; the same call on the same folder continues an interrupted run.

    Args:
        source: see `training.supervised.trunk.open_trunk`.
        pairs: of which a tenth is held out.
        folder: the run folder; the encoder goes into `model` there.
        settings: how long and how fast.
        seed: of the order.

    Returns: how often the held-out questions find their own answer first among all answers,
    before and after.

    Raises:
        ModelError: no such encoder.
    """
    order = generator(seed, "held out").permutation(len(pairs))
    held = [pairs[n] for n in order[: max(2, round(_HELD_OUT * len(pairs)))]]
    taught = [pairs[n] for n in order[len(held) :]]
    trunk = open_trunk(source, [text for pair in taught for text in pair], seed)
    trunk.model = trunk.model.to(device())
    said: dict[str, Any] = {
        "encoder": source,
        "seed": seed,
        "pairs": len(pairs),
        **asdict(settings),
    }
    run = RunFolder(folder, said)
    before = first_hits(trunk, held, pairs)
    steps = max(1, round(settings.epochs * len(taught) / settings.batch_size))
    loop = LoopSettings(
        steps=steps,
        batch_size=min(settings.batch_size, len(taught)),
        lr=settings.lr,
        weight_decay=0.01,
        beta2=0.999,
        warmup=min(100, steps // 10),
        schedule="cosine",
    )
    train(_Meeting(trunk, taught), len(taught), loop, run, seed)
    trunk.model.eval()
    with quiet_transformers(), replacing_folder(folder / "model") as temporary:
        trunk.plain.save_pretrained(temporary)
        trunk.tokenizer.save_pretrained(temporary)
    return before, first_hits(trunk, held, pairs)


def first_hits(trunk: Trunk, asked: Sequence[Pair], among: Sequence[Pair]) -> float:
    """How often a question is nearest to its own answer, of all answers there are."""
    trunk.model.eval()
    encoder = Encoder(trunk.plain, trunk.tokenizer, trunk.source)
    texts = list(dict.fromkeys(pair.text for pair in among))
    questions = _unit(text_vectors(encoder, [pair.question for pair in asked]))
    answers = _unit(text_vectors(encoder, texts))
    nearest = (questions @ answers.T).argmax(1)
    return float(np.mean([texts[n] == pair.text for n, pair in zip(nearest, asked, strict=True)]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
