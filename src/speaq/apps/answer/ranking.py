"""What people's ratings say of which passage to answer from.

Every answer is logged with the signs of the passage that it was drawn from, and judged by a thumb,
a score or a click. A regression of the judgement on the signs, and the mean judgement of a
passage, shrunk towards it, are the value of answering from a passage; it re-ranks what is found.
Only the passage that was shown is judged, so this is a value function of one step.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from speaq.apps.answer.deciding import SIGNS, fit
from speaq.core.errors import EvidenceError, ModelError
from speaq.core.files import write_text
from speaq.experience.episode import Episode
from speaq.experience.rewards import feedback

FILE = "ranking.json"
PASSAGE, SIGNED = "passage", "signs"
"""Tags of an answer's episode."""
_LEAST = 20
"""Judged answers below which nothing is learnt."""
_PRIOR = 4.0
"""Judgements that a passage needs before its own mean counts as much as its signs."""


@dataclass(frozen=True)
class Ranking:
    """What was learnt."""

    weights: tuple[float, ...]
    """Of the signs, then the constant."""
    means: dict[str, tuple[float, int]] = field(default_factory=dict)
    """By passage: how far its judgements lay from what its signs said, and their number."""

    def value(self, passage: str, signs: Sequence[float]) -> float:
        """The probability that people will like an answer from this passage, about in [0, 1]."""
        logit = float(np.dot(self.weights[:-1], signs) + self.weights[-1])
        expected = float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
        mean, count = self.means.get(passage, (0.0, 0))
        return expected + mean * count / (count + _PRIOR)


def learn(episodes: Iterable[Episode]) -> Ranking:
    """Learn from judged answers of one index.

    Raises:
        EvidenceError: too few of them, or all judged alike.
    """
    signs, liked, passages = [], [], []
    for episode in episodes:
        reward = feedback(episode)
        if reward is None or SIGNED not in episode.tags:
            continue
        signs.append([float(each) for each in json.loads(episode.tags[SIGNED])])
        liked.append(float(cast(float, reward[-1])))
        passages.append(episode.tags[PASSAGE])
    if len(liked) < _LEAST or len(set(liked)) < 2:
        raise EvidenceError(
            f"{len(liked)} judged answers are too few to learn a ranking from, or all are judged "
            f"alike; {_LEAST} with different judgements are needed.",
            f"只有 {len(liked)} 个已评价的回答（或评价全部相同），不足以学习排序；"
            f"至少需要 {_LEAST} 个评价不同的回答。",
        )
    values = np.array(liked)
    low, high = values.min(), values.max()
    scaled = (values - low) / (high - low)
    weights = fit(np.array(signs), scaled > 0.5)
    logits = np.array(signs) @ weights[:-1] + weights[-1]
    rest = scaled - 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    by_passage = defaultdict(list)
    for passage, left in zip(passages, rest.tolist(), strict=True):
        by_passage[passage].append(left)
    means = {name: (float(np.mean(each)), len(each)) for name, each in by_passage.items()}
    return Ranking(tuple(weights.tolist()), means)


def save(ranking: Ranking, folder: Path) -> None:
    """Keep what was learnt beside the index."""
    said = {"signs": SIGNS, "weights": ranking.weights, "means": ranking.means}
    write_text(folder / FILE, json.dumps(said, ensure_ascii=False, indent=1) + "\n")


def open_ranking(folder: Path) -> Ranking | None:
    """What was learnt for an index; None before that.

    Raises:
        ModelError: the file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if tuple(said["signs"]) != SIGNS:
            raise ValueError("other signs")
        means = {name: (float(mean), int(n)) for name, (mean, n) in said["means"].items()}
        return Ranking(tuple(said["weights"]), means)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。") from error
