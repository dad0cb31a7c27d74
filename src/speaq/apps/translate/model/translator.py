"""A translation model behind one door, whatever runs it.

speaq's own folder       what `speaq translate train` leaves; with language tags if it has more
                         than one pair
Marian, NLLB, M2M, ...   any encoder–decoder folder of the hub's form, or a hub id
CTranslate2's folder     what `speaq translate convert` makes of one of these; needs the extra
                         `fast`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaq.apps.translate.checks.quality import QualityModel, figures, probability
from speaq.apps.translate.model.engines import Engine, Wanted
from speaq.apps.translate.model.tags import Tags, written_ids
from speaq.core.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_HALF = "\ufffd"
"""What stands for bytes that are no whole character."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One translation of one text."""

    text: str
    """The whole of it, a forced prefix included."""
    score: float
    """Mean log-probability per token, in nats."""
    tokens: tuple[str, ...]
    """As the tokenizer writes them; the end token last, where the model ended it."""
    token_logprobs: tuple[float, ...]
    """Of each token, in nats; those of a forced prefix as well."""
    token_ids: tuple[int, ...]
    """Of each token."""


class Translator:
    """Translates texts in batches of like length.

    Args:
        name: name and version.
        tokenizer: of source and target.
        engine: what searches and scores.
        tags: which pairs there are, and how the model is told.
        judge: what people's scores taught about its certainty, if anything.
    """

    def __init__(
        self,
        name: str,
        tokenizer: "PreTrainedTokenizerBase",
        engine: Engine,
        tags: Tags,
        judge: QualityModel | None = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.engine = engine
        self.tags = tags
        self.judge = judge

    @classmethod
    def open(cls, source: str) -> "Translator":
        """A translator from a folder, a hub id, or another source of `speaq.models.sources`.

        Raises:
            ModelError: no such source, or no model that reads a source.
            SettingsError: CTranslate2's folder without the extra `fast`.
            UnsafeFileError: the folder holds a pickle.
        """
        from speaq.apps.translate.model.opening import opened

        return cls(*opened(source))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(source, target) codes that it was made for; empty if that is not known."""
        return self.tags.pairs

    @property
    def languages(self) -> tuple[str, ...]:
        """All codes of the pairs, in the order they come in."""
        return tuple(dict.fromkeys(code for pair in self.pairs for code in pair))

    def translate(
        self,
        texts: Sequence[str],
        *,
        source: str = "",
        target: str = "",
        beam: int = 4,
        n_best: int = 1,
        prefixes: Sequence[str] | None = None,
        length_penalty: float = 1.0,
    ) -> list[list[Hypothesis]]:
        """The `n_best` translations of each text, best first.

        Args:
            texts: what to translate; a sentence or a few each.
            source: its language's code; empty where the model has one pair.
            target: the code of the language wanted; likewise.
            beam: hypotheses kept at each step; 1 is greedy search.
            n_best: at most `beam`.
            prefixes: how each translation must begin; what follows goes on from there, also
                within a word.
            length_penalty: beams are compared by the sum of log-probabilities over
                length ** length_penalty.

        Raises:
            SettingsError: a pair the model does not have; numbers out of range.
            DataError: a text longer than the model reads.
        """
        if not 1 <= n_best <= beam:
            raise SettingsError(
                f"n_best = {n_best} must be from 1 to beam = {beam}.",
                f"n_best = {n_best} 必须在 1 与 beam = {beam} 之间。",
            )
        if not texts:
            return []
        sources = self.tags.sources(self.tokenizer, texts, source, target)
        begun = self.tags.begun(self.tokenizer, prefixes or [""] * len(texts), source, target)
        wanted = Wanted(beam, n_best, length_penalty)
        found = self.engine.search(sources, begun, wanted)
        flat = [ids for each in found for ids in each]
        owners = [place for place, each in enumerate(found) for _ in each]
        scored = self.engine.logprobs([sources[place] for place in owners], flat)
        made: list[list[Hypothesis]] = [[] for _ in texts]
        skipped = self.tags.opening(self.tokenizer, source, target)
        for place, ids, logprobs in zip(owners, flat, scored, strict=True):
            made[place].append(self._hypothesis(ids[skipped:], logprobs[skipped:]))
        return made

    def logprobs(
        self, texts: Sequence[str], translations: Sequence[str], *, source: str, target: str
    ) -> list[list[float]]:
        """Log-probability of each token of given translations, the end token last, in nats.

        Raises: as `translate`.
        """
        sources = self.tags.sources(self.tokenizer, texts, source, target)
        begun = self.tags.begun(self.tokenizer, translations, source, target)
        end = self.engine.end_id
        skipped = self.tags.opening(self.tokenizer, source, target)
        scored = self.engine.logprobs(sources, [[*ids, end] for ids in begun])
        return [each[skipped:] for each in scored]

    def ends(self, translations: Sequence[str], *, target: str) -> list[list[int]]:
        """Where the tokens of each translation end in it, in characters: of those that `logprobs`
        counts all but the end token. A token that ends within a character ends before it."""
        begun = written_ids(self.tokenizer, translations)
        return [
            [len(self._read(ids[: count + 1]).rstrip(_HALF)) for count in range(len(ids))]
            for ids in begun
        ]

    def _read(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def quality(
        self, texts: Sequence[str], translations: Sequence[str], *, source: str, target: str
    ) -> list[float]:
        """How good each translation is, whoever made it, without a reference.

        On the scale of people's scores if a `QualityModel` stands beside the weights, else the
        geometric mean of the tokens' probabilities, in [0, 1].

        Raises: as `translate`.
        """
        scored = self.logprobs(texts, translations, source=source, target=target)
        if self.judge is None:
            return [probability(each) for each in scored]
        sources = self.tags.sources(self.tokenizer, texts, source, target)
        return [
            self.judge.estimate(figures(each, len(ids)))
            for each, ids in zip(scored, sources, strict=True)
        ]

    def _hypothesis(self, ids: Sequence[int], logprobs: Sequence[float]) -> Hypothesis:
        return Hypothesis(
            # Half of a character spelt in bytes is no text.
            text=self._read(ids).replace(_HALF, "").strip(),
            score=sum(logprobs) / max(1, len(logprobs)),
            tokens=tuple(self.tokenizer.convert_ids_to_tokens(list(ids))),
            token_logprobs=tuple(logprobs),
            token_ids=tuple(ids),
        )
