"""Finding passages: BM25, dense vectors, or both by reciprocal rank (Cormack et al. 2009)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from speaq.apps.answer.index import Index, Scored
from speaq.apps.answer.segments import Encode, Passage
from speaq.apps.answer.terms import terms
from speaq.core.errors import SettingsError

if TYPE_CHECKING:
    from speaq.training.contextual import Encoder

Method = Literal["auto", "bm25", "dense", "fused"]
_RANK = 60
"""What is added to a rank before its reciprocal is taken; as in the paper."""
_FEW = 100
"""In fewer passages than these, how often a term occurs says little of how rare it is."""
_DEEP = 100
"""Passages of each method that are fused."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found."""

    passage: Passage
    at: Scored
    score: float
    """What passages are ranked by."""
    scores: dict[str, float]
    """By method; what did not find it says nothing."""
    covered: float
    """Share of the question's terms that the passage holds, each by its rarity: in [0, 1]."""
    through: str = ""
    """The relation that led to it; empty where the question itself did."""


@dataclass
class Search:
    """Searches one index."""

    index: Index
    encoder: str = ""
    """Instead of the index's own."""
    _vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @cached_property
    def _opened(self) -> "Encoder":
        from speaq.training.contextual import open_encoder

        return open_encoder(self.encoder or self.index.settings.encoder)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Encode`."""
        from speaq.training.contextual import text_vectors

        found = text_vectors(self._opened, texts)
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9))

    @property
    def encoding(self) -> Encode | None:
        """How this index's texts become vectors; None where it has none."""
        return self.encode if self.index.settings.encoder else None

    def find(self, question: str, best: int, method: Method = "auto") -> list[Found]:
        """The best passages, best first; fewer where fewer have anything to do with the question.

        Raises:
            SettingsError: an unknown method, or one that the index has no vectors for.
        """
        asked = self._method(method)
        found: dict[str, list[Scored]] = {}
        if asked in ("bm25", "fused"):
            found["bm25"] = self.index.bm25(question, best if asked == "bm25" else _DEEP)
        if asked in ("dense", "fused"):
            vector = self._vector(question)
            found["dense"] = self.index.dense(vector, best if asked == "dense" else _DEEP)
        scores: dict[tuple[int, int], dict[str, float]] = {}
        fused: dict[tuple[int, int], float] = {}
        for name, ranked in found.items():
            for rank, each in enumerate(ranked, 1):
                place = each.segment, each.place
                scores.setdefault(place, {})[name] = each.score
                by_rank = fused.get(place, 0.0) + 1 / (_RANK + rank)
                fused[place] = by_rank if asked == "fused" else each.score
        share = self.coverage(question)
        made = []
        for place in sorted(fused, key=lambda each: (-fused[each], each))[:best]:
            at = Scored(*place, fused[place])
            passage = self.index.passage(at)
            made.append(Found(passage, at, at.score, scores[place], share(passage)))
        return made

    def _method(self, method: Method) -> Method:
        if method not in get_args(Method):
            raise SettingsError(
                f"there is no method '{method}'; known are {', '.join(get_args(Method))}.",
                f"没有方法“{method}”；可用：{'、'.join(get_args(Method))}。",
            )
        dense = bool(self.index.settings.encoder)
        if method in ("dense", "fused") and not dense:
            raise SettingsError(
                f"method {method} needs dense vectors; make the index with --index.encoder.",
                f"方法 {method} 需要稠密向量；请用 --index.encoder 建立索引。",
            )
        return ("fused" if dense else "bm25") if method == "auto" else method

    def _vector(self, question: str) -> NDArray[np.float32]:
        """The question's vector; the last few are remembered."""
        if question not in self._vectors:
            if len(self._vectors) > 64:
                self._vectors.clear()
            self._vectors[question] = self.encode([question])[0]
        return self._vectors[question]

    def coverage(self, question: str) -> Callable[[Passage], float]:
        """What share of the question's terms a passage holds. Terms that no passage holds count
        as the rarest: they are what the documents do not know."""
        asked = terms().asked(question)
        size = max(self.index.count, _FEW)
        weights = {
            term: float(np.log1p(size / max(held, 0.5)))
            for term, held in self.index.frequencies(asked).items()
        }
        whole = sum(weights.values())

        def share(passage: Passage) -> float:
            held = set(terms().of(f"{passage.question}\n{passage.title}\n{passage.text}"))
            return sum(weights[term] for term in asked & held) / whole if whole else 0.0

        return share


def open_search(folder: Path) -> Search:
    """Search over the index in a folder.

    Raises:
        ModelError: none is there, or a damaged one.
    """
    return Search(Index(folder))
