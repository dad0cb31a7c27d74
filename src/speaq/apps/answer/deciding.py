"""Whether an answer is given: the probability that the documents hold it, and a threshold.

Six signs are weighed by a logistic regression that `calibrating` fits on the user's own examples.
Before that, an answer is given where the passage holds enough of the question's terms.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.apps.answer.reader import Span
from speaq.apps.answer.searching import Found
from speaq.core.errors import ModelError
from speaq.core.files import write_text

SIGNS = ("covered", "bm25", "lead", "cosine", "margin", "agreement")
"""Share of the question's terms in the passage; BM25 for each term asked; by how much of its
score it leads the next passage; cosine; the reader's margin; whether retrieval and reader agree."""
FILE = "decider.json"


@dataclass(frozen=True)
class Decider:
    """What was fitted."""

    weights: tuple[float, ...]
    """Of the signs, then the constant."""
    threshold: float
    """The least probability that is answered."""
    fitted: int = 0
    """Examples behind it; 0: none."""

    def probability(self, signs: Sequence[float]) -> float:
        """That the documents hold the answer."""
        logit = float(np.dot(self.weights[:-1], signs) + self.weights[-1])
        return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


UNFITTED = Decider((10.0, 0.0, 0.0, 0.0, 0.0, 0.0, -4.5), 0.5)
"""Answers where the passage holds 45 % of the question's terms, by rarity."""


def signs_of(
    place: int, found: Sequence[Found], spans: Sequence[Span], terms: int
) -> tuple[float, ...]:
    """The signs for the answer in passage `place` of those found.

    Args:
        place: of the answer.
        found: passages, best first.
        spans: of each passage.
        terms: of the question.
    """
    here = found[place]
    lexical = here.scores.get("bm25", 0.0)
    others = [each.scores.get("bm25", 0.0) for n, each in enumerate(found) if n != place]
    lead = (lexical - max(others, default=0.0)) / lexical if lexical else 0.0
    margins = [span.margin for span in spans]
    same = sum(_text(found[n], spans[n]) == _text(here, spans[place]) for n in range(len(found)))
    agreement = float(place == 0) + 0.5 * (same > 1)
    return (
        here.covered,
        lexical / max(1, terms),
        max(-1.0, lead),
        here.scores.get("dense", 0.0),
        float(np.clip(margins[place] / 5, -3, 3)),
        agreement,
    )


def _text(found: Found, span: Span) -> str:
    return found.passage.text[span.start : span.end].lower()


def best_place(found: Sequence[Found], spans: Sequence[Span]) -> int:
    """The passage to answer from: the reader's margin, weighed with how well it was found."""
    top = max(each.score for each in found) or 1.0
    worth = [
        span.margin / 5 + 2 * each.score / top for each, span in zip(found, spans, strict=True)
    ]
    return int(np.argmax(worth))


def fit(signs: NDArray[np.float64], held: NDArray[np.bool_], ridge: float = 1.0) -> NDArray[Any]:
    """Weights (S + 1,) of a logistic regression by Newton's method.

    Args:
        signs: (N, S).
        held: whether the documents held the answer, (N,).
        ridge: penalty on the weights of standardised signs.
    """
    mean, scale = signs.mean(0), signs.std(0)
    scale[scale < 1e-9] = np.inf  # a sign that never changes gets no weight
    X = np.column_stack([(signs - mean) / scale, np.ones(len(signs))])
    penalty = np.diag([ridge] * signs.shape[1] + [1e-6])
    weights = np.zeros(X.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(X @ weights, -30, 30)))
        gradient = X.T @ (p - held) + penalty @ weights
        step = np.linalg.solve(X.T @ (X * (p * (1 - p))[:, None]) + penalty, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights[:-1] / scale
    return np.append(plain, weights[-1] - float(np.dot(plain, mean)))


def save(decider: Decider, folder: Path, report: dict[str, Any]) -> None:
    """Keep what was fitted beside the index."""
    said = {"signs": SIGNS, **asdict(decider), "report": report}
    write_text(folder / FILE, json.dumps(said, ensure_ascii=False, indent=1) + "\n")


def open_decider(folder: Path) -> Decider:
    """What was fitted for an index; `UNFITTED` before that.

    Raises:
        ModelError: the file is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return UNFITTED
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if tuple(said["signs"]) != SIGNS:
            raise ValueError("other signs")
        return Decider(tuple(said["weights"]), said["threshold"], said["fitted"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} is damaged ({error}).", f"{file} 已损坏（{error}）。") from error
