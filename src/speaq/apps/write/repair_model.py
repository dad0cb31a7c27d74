"""A model that repairs sentences, trained on clean ones with mistakes put in.

The mistakes are those of `speaq data noise`. What the trained model proposes is taken only where
it prefers its proposal to the sentence as it is by a margin, ln p(proposal) - ln p(as it is). The
margin is set on clean sentences that it never saw, so that no more than the wanted share of them
would be changed: a weak model repairs little, but spoils nothing.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import nn

from speaq.core.devices import device
from speaq.core.errors import DataError, ModelError
from speaq.models.chat import Message, opening
from speaq.models.decoding import Decoding
from speaq.models.folder import save
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import sample
from speaq.models.sources import load
from speaq.models.vocabulary import weighted_logprobs
from speaq.text.augmentation.noise import NoiseSettings, noisy_pairs
from speaq.text.sentences import sentences
from speaq.training.loop import LoopSettings
from speaq.training.supervised.examples import Dialogue
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.writing import fine_tune_writer

_FACTS = "repair"
_LEAST = 40
"""Sentences, below which neither training nor a margin says anything."""
_DIGITS = re.compile(r"\d+")
_MOST_CHANGED = 0.34
"""Part of a sentence's characters beyond which a proposal is another sentence."""


class Proposal(NamedTuple):
    """What the model would write, and by how much it prefers that."""

    text: str
    margin: float


@dataclass
class Repairer:
    """Repairs sentences.

    Args:
        model: trained on pairs.
        margin: nats by which a proposal must be preferred.
    """

    model: LanguageModel
    margin: float

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """The repairer that `train_repairer` left.

        Raises:
            ModelError: no such folder, or its model was not trained to repair.
        """
        model = load(folder, device=device())
        cast(nn.Module, model.causal).eval()
        facts: dict[str, Any] = model.facts.get(_FACTS, {})
        if "margin" not in facts:
            raise ModelError(
                f"{folder} was not trained to repair; make one with speaq write repair-train.",
                f"{folder} 不是修复模型；请用 speaq write repair-train 训练。",
            )
        return cls(model, float(facts["margin"]))

    def repaired(self, sentence: str) -> str:
        """See `finishing.Repairs`."""
        found = self.proposals([sentence])[0]
        return found.text if found.margin > self.margin else sentence

    def proposals(self, chosen: Sequence[str]) -> list[Proposal]:
        """What the model makes of each sentence; one that is too far off counts as no change."""
        prompts = [_prompt(self.model, sentence) for sentence in chosen]
        longest = max(len(self.model.encode(sentence)) for sentence in chosen)
        free = min(self.model.room(len(prompt)) for prompt in prompts)
        if free < 1:
            return [Proposal(sentence, 0.0) for sentence in chosen]
        room = min(free, int(1.2 * longest) + 8)
        decoding = Decoding(temperature=0, max_new_tokens=room)
        drawn = sample(self.model, prompts, 1, decoding, seed=0, title="repairing")
        made = []
        for sentence, prompt, one in zip(chosen, prompts, drawn, strict=True):
            text = self.model.decode(one.token_ids).strip()
            if not one.finished or text == sentence or not _near(sentence, text):
                made.append(Proposal(sentence, 0.0))
                continue
            better = _score(self.model, prompt, text) - _score(self.model, prompt, sentence)
            made.append(Proposal(text, better))
        return made


@dataclass(frozen=True)
class Trained:
    """What training a repairer left behind."""

    folder: Path
    """The model's folder, for `Repairer.open`."""
    margin: float
    measures: dict[str, float]
    """On sentences never seen: recall (mistaken ones made clean), precision (changes that did),
    clean_changed."""


def train_repairer(
    source: str | Path,
    texts: Iterable[str],
    folder: Path | str,
    *,
    noise: NoiseSettings | None = None,
    settings: FineTuneSettings | None = None,
    loop: LoopSettings | None = None,
    false_alarms: float = 0.005,
    seed: int = 0,
) -> Trained:
    """Fine-tune a model on sentences with mistakes, and set its margin.

    Args:
        source: an encoder–decoder model, or any that writes; see `models.sources`.
        texts: clean ones; each sentence counts once.
        folder: the run folder; the model goes into `model` there.
        noise: which mistakes.
        settings: of fine-tuning; all weights, three passes by default.
        loop: how long and how fast.
        false_alarms: share of clean sentences that may be changed.
        seed: of everything random.

    Raises:
        DataError: too few sentences.
    """
    clean = _clean(texts, seed)
    held = max(_LEAST // 4, min(len(clean) // 10, 400))
    pairs = list(noisy_pairs(clean[2 * held :], noise, seed))
    dialogues = [
        Dialogue((Message("user", pair.noisy), Message("assistant", pair.clean)), row)
        for row, pair in enumerate(pairs, 1)
    ]
    made = fine_tune_writer(
        source,
        Examples(dialogues[held:], dialogues[:held]),
        settings=settings or FineTuneSettings(strategy="full", epochs=3),
        loop=loop,
        decoding=Decoding(temperature=0, max_new_tokens=64),
        folder=folder,
        seed=seed,
    )
    model = made.model
    cast(nn.Module, model.causal).eval()
    repairer = Repairer(model, 0.0)
    repairer.margin = _margin(repairer, clean[:held], false_alarms)
    always = NoiseSettings(clean=0.0) if noise is None else noise
    measures = measured(repairer, clean[held : 2 * held], always, seed + 1)
    model.facts = {**model.facts, _FACTS: {"margin": repairer.margin, **measures}}
    save(model, made.folder)
    return Trained(made.folder, repairer.margin, measures)


def _clean(texts: Iterable[str], seed: int) -> list[str]:
    """The different sentences of some texts, shuffled.

    Raises:
        DataError: too few.
    """
    clean = list(dict.fromkeys(each for text in texts for each in sentences(text)))
    if len(clean) < _LEAST:
        raise DataError(
            f"{len(clean)} different sentences are too few to learn repairing from; expected "
            f"{_LEAST} or more.",
            f"只有 {len(clean)} 个不同的句子，不足以学习修复；至少需要 {_LEAST} 个。",
        )
    order = np.random.default_rng(seed).permutation(len(clean))
    return [clean[int(place)] for place in order]


def _margin(repairer: Repairer, clean: Sequence[str], false_alarms: float) -> float:
    """The least margin at which no more than this share of clean sentences is changed."""
    margins = sorted((found.margin for found in _all(repairer, clean)), reverse=True)
    return max(0.0, margins[int(false_alarms * len(clean))])


def measured(
    repairer: Repairer, clean: Sequence[str], noise: NoiseSettings, seed: int
) -> dict[str, float]:
    """How a repairer fares on clean sentences and on the same with mistakes."""
    pairs = [pair for pair in noisy_pairs(clean, noise, seed) if pair.mistakes]
    margin = repairer.margin
    changed = right = 0
    for pair, found in zip(pairs, _all(repairer, [pair.noisy for pair in pairs]), strict=True):
        if found.margin > margin:
            changed += 1
            right += found.text == pair.clean
    spoilt = sum(found.margin > margin for found in _all(repairer, clean))
    return {
        "recall": right / max(1, len(pairs)),
        "precision": right / changed if changed else 1.0,
        "clean_changed": spoilt / max(1, len(clean)),
    }


def _all(repairer: Repairer, chosen: Sequence[str]) -> list[Proposal]:
    return repairer.proposals(chosen) if chosen else []


def _prompt(model: LanguageModel, sentence: str) -> tuple[int, ...]:
    return tuple(opening(model, [Message("user", sentence)]))


def _near(one: str, other: str) -> bool:
    """Whether a proposal is the same sentence, with the same numbers."""
    if _DIGITS.findall(one) != _DIGITS.findall(other) or not other:
        return False
    return _distance(one, other) <= max(2.0, _MOST_CHANGED * len(one))


def _distance(one: str, other: str) -> int:
    """Characters put in, taken out or exchanged (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for n, sign in enumerate(one, 1):
        before, row[0] = row[0], n
        for m, wanted in enumerate(other, 1):
            here = min(row[m] + 1, row[m - 1] + 1, before + (sign != wanted))
            before, row[m] = row[m], here
    return row[-1]


@torch.inference_mode()
def _score(model: LanguageModel, prompt: Sequence[int], text: str) -> float:
    """ln p(text, end | prompt)."""
    source, before = model.context(prompt)
    reply = [*model.encode(text), model.end_id]
    where = model.output_table.device
    states = model.hidden_states(
        torch.tensor([[*before, *reply]], device=where),
        source=torch.tensor([source], dtype=torch.long, device=where),
    )[0, len(before) - 1 : -1]
    ones = torch.ones(len(reply), device=where)
    actions = torch.tensor(reply, device=where)
    return float(weighted_logprobs(states, model.output_table, actions, ones))
