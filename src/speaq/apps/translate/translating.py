"""What the service needs of a translator; `model/translator.py` is one, tests bring their own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speaq.apps.translate.texts.languages import UNSPACED
from speaq.core.errors import DataError


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

    def ends(self, translations: Sequence[str], *, target: str) -> Sequence[Sequence[int]]:
        """Where the tokens of each translation end in it; see `Translator.ends`."""
        ...


@dataclass(frozen=True)
class Joined:
    """The translations of two halves as one; its tokens are no one sequence's."""

    text: str
    score: float
    token_logprobs: tuple[float, ...]
    token_ids: tuple[int, ...] = ()


def _joined(one: Hypothesis, two: Hypothesis, glue: str) -> Hypothesis:
    logprobs = (*one.token_logprobs, *two.token_logprobs)
    return Joined(one.text + glue + two.text, min(one.score, two.score), logprobs)


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
        """The best translations of each text, best first; none for no texts.

        A text longer than the model reads is translated in halves.

        Raises:
            DataError: as the translator, of a text that cannot be halved or has a prefix.
        """
        if not texts:
            return []
        try:
            found = self.translator.translate(
                texts,
                source=self.source,
                target=self.target,
                beam=max(self.beam, n_best),
                n_best=n_best,
                prefixes=prefixes,
            )
        except DataError:
            if prefixes is not None or (len(texts) == 1 and len(texts[0]) < 2):
                raise
            return [self._halved(text, n_best) for text in texts]
        return [list(each) for each in found]

    def _halved(self, text: str, n_best: int) -> list[Hypothesis]:
        """The translations of a text, in halves if it is too long."""
        try:
            found = self.translator.translate(
                [text],
                source=self.source,
                target=self.target,
                beam=max(self.beam, n_best),
                n_best=n_best,
            )
            return list(found[0])
        except DataError:
            if len(text) < 2:
                raise
        blank = text.rfind(" ", 1, len(text) // 2 + 1)
        cut = blank if blank > 0 else len(text) // 2
        one, two = self._halved(text[:cut], n_best), self._halved(text[cut:].lstrip(), n_best)
        glue = " " if blank > 0 and self.target not in UNSPACED else ""
        return [_joined(a, b, glue) for a, b in zip(one, two, strict=False)]

    def likelihood(self, text: str, translations: Sequence[str]) -> list[float]:
        """How likely the model finds each translation of a text: as `confidence`."""
        return [
            mean_probability(each)
            for each in self.logprobs([text] * len(translations), translations)
        ]

    def total_logprobs(self, text: str, translations: Sequence[str]) -> list[float]:
        """Log-probability of each whole translation of a text, in nats."""
        return [sum(each) for each in self.logprobs([text] * len(translations), translations)]

    def logprobs(
        self, texts: Sequence[str], translations: Sequence[str]
    ) -> Sequence[Sequence[float]]:
        """Log-probability of each token of a translation of each text, the end token last."""
        if not translations:
            return []
        return self.translator.logprobs(texts, translations, source=self.source, target=self.target)

    def ends(self, translations: Sequence[str]) -> Sequence[Sequence[int]]:
        """Where the tokens of each translation end in it, in characters, but for the end token."""
        return self.translator.ends(translations, target=self.target)


def confidence(hypothesis: Hypothesis) -> float:
    """The geometric mean of the tokens' probabilities, in [0, 1]; 0 without tokens.

    The sequence-level translation probability of Fomicheva et al. (2020), a quality estimate that
    needs no references.
    """
    return mean_probability(hypothesis.token_logprobs)


def mean_probability(logprobs: Sequence[float]) -> float:
    """The geometric mean of tokens' probabilities; 0 without tokens."""
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0
