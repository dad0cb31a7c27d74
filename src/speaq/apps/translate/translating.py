"""What the service needs of a translator; `translator.py` is one, tests bring their own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Hypothesis(Protocol):
    """One translation of one text."""

    @property
    def text(self) -> str:
        """The whole of it, what was forced included."""
        ...

    @property
    def score(self) -> float:
        """What beams are compared by."""
        ...

    @property
    def token_ids(self) -> Sequence[int]:
        """Its tokens, the end included where the model ended it."""
        ...

    @property
    def token_logprobs(self) -> Sequence[float]:
        """Of each token."""
        ...


class Translating(Protocol):
    """A model that translates."""

    @property
    def name(self) -> str:
        """Name and version."""
        ...

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        """The pairs of plain codes it was made for."""
        ...

    def translate(
        self,
        texts: Sequence[str],
        *,
        source: str = "",
        target: str = "",
        beam: int = 4,
        n_best: int = 1,
        prefixes: Sequence[str] | None = None,
    ) -> Sequence[Sequence[Hypothesis]]:
        """The best translations of each text, best first; see `Translator.translate`."""
        ...

    def logprobs(
        self, texts: Sequence[str], translations: Sequence[str], *, source: str, target: str
    ) -> Sequence[Sequence[float]]:
        """Log-probability of each token of given translations; see `Translator.logprobs`."""
        ...


@dataclass(frozen=True)
class Direction:
    """A translator set on one pair."""

    translator: Translating
    source: str
    target: str
    beam: int = 4

    def best(
        self, texts: Sequence[str], *, n_best: int = 1, prefixes: Sequence[str] | None = None
    ) -> list[list[Hypothesis]]:
        """The best translations of each text, best first; none for no texts."""
        if not texts:
            return []
        found = self.translator.translate(
            texts,
            source=self.source,
            target=self.target,
            beam=max(self.beam, n_best),
            n_best=n_best,
            prefixes=prefixes,
        )
        return [list(each) for each in found]

    def likelihood(self, text: str, translations: Sequence[str]) -> list[float]:
        """How likely the model finds each translation of a text: as `confidence`."""
        scored = self.translator.logprobs(
            [text] * len(translations), translations, source=self.source, target=self.target
        )
        return [_mean_probability(each) for each in scored]


def confidence(hypothesis: Hypothesis) -> float:
    """The geometric mean of the tokens' probabilities, in [0, 1]; 0 without tokens.

    The sequence-level translation probability of Fomicheva et al. (2020), a quality estimate that
    needs no references.
    """
    return _mean_probability(hypothesis.token_logprobs)


def _mean_probability(logprobs: Sequence[float]) -> float:
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0
