"""How good is a translation, without a reference: what the model's own certainty says of it.

The plain estimate is the geometric mean of the tokens' probabilities (Fomicheva et al. 2020, TP).
Where people have judged translations, a ridge regression on a few figures of the log-probabilities
does better: the mean forgives one impossible word in a long sentence, and people do not.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError, ModelError
from speaq.core.files import write_text

FILE = "quality.json"
"""Beside a model's weights."""
NAMES = (
    "mean",
    "deviation",
    "least",
    "second least",
    "share below -1",
    "share below -2.5",
    "sum",
    "tokens",
    "tokens of the source",
    "ratio",
)
_RIDGE = 3.0


def figures(logprobs: Sequence[float], source: int) -> NDArray[np.float64]:
    """What an estimate is made of, in the order of `NAMES`.

    Args:
        logprobs: of the translation's tokens, in nats; at least one.
        source: tokens, or words, of the source.
    """
    p = np.asarray(logprobs, np.float64)
    if not len(p):
        raise DataError("a translation without tokens has no quality.", "没有词元的译文无从评估。")
    ordered = np.sort(p)
    return np.array(
        [
            p.mean(),
            p.std(),
            ordered[0],
            ordered[min(1, len(p) - 1)],
            (p < -1).mean(),
            (p < -2.5).mean(),
            p.sum() / 10,
            math.log(len(p)),
            math.log(1 + source),
            math.log(len(p) / (1 + source)),
        ]
    )


def probability(logprobs: Sequence[float]) -> float:
    """The geometric mean of the tokens' probabilities, in [0, 1]; 0 without tokens."""
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0


@dataclass(frozen=True)
class QualityModel:
    """A ridge regression of people's scores on `figures`."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    level: float
    """The mean score."""

    @classmethod
    def fit(
        cls, rows: Sequence[NDArray[np.float64]], scores: Sequence[float], ridge: float = _RIDGE
    ) -> "QualityModel":
        """Learn from judged translations.

        Args:
            rows: their `figures`.
            scores: of each, on any scale; estimates are on the same.
            ridge: strength of the prior that nothing matters, in examples.

        Raises:
            DataError: fewer than 10 examples, or not a score for each.
        """
        if len(rows) < 10 or len(rows) != len(scores):
            raise DataError(
                f"{len(rows)} translations and {len(scores)} scores; there must be as many, and at "
                "least 10.",
                f"译文 {len(rows)} 条，评分 {len(scores)} 个；两者须等数且不少于 10。",
            )
        table, wanted = np.stack(rows), np.asarray(scores, np.float64)
        centre, scale = table.mean(0), table.std(0) + 1e-9
        x, level = (table - centre) / scale, float(wanted.mean())
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ (wanted - level))
        return cls(tuple(centre), tuple(scale), tuple(weights), level)

    def estimate(self, row: NDArray[np.float64]) -> float:
        """The score that people would give."""
        x = (row - np.array(self.centre)) / np.array(self.scale)
        return float(x @ np.array(self.weights) + self.level)

    def save(self, folder: Path | str) -> None:
        """Put the estimates beside a model: `Translator.quality` then gives them."""
        record = {
            "names": list(NAMES),
            "centre": list(map(float, self.centre)),
            "scale": list(map(float, self.scale)),
            "weights": list(map(float, self.weights)),
            "level": self.level,
        }
        write_text(Path(folder) / FILE, json.dumps(record, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> "QualityModel | None":
        """What `save` put there; None if nothing.

        Raises:
            ModelError: the file is damaged, or of other figures.
        """
        file = Path(folder) / FILE
        if not file.is_file():
            return None
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            if record["names"] != list(NAMES):
                raise KeyError("names")
            return cls(
                tuple(map(float, record["centre"])),
                tuple(map(float, record["scale"])),
                tuple(map(float, record["weights"])),
                float(record["level"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{file} is damaged ({type(error).__name__}: {error}); remove it to go without.",
                f"{file} 已损坏（{type(error).__name__}：{error}）；删除它即可不用。",
            ) from error
