"""CTranslate2: the fast engine, int8 on a CPU. Needs the extra `fast`.

Its folder holds `model.bin` and the tokenizer's files; `converting.py` makes it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from speaq.apps.translate.model.engines import Ids, Wanted
from speaq.core.devices import threads
from speaq.core.errors import DataError, ModelError
from speaq.core.extras import extra
from speaq.models.two_vocabularies import TwoTokenizers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Precision = Literal["int8", "int8_float32", "float32"]
FILE, ABOUT = "model.bin", "speaq_fast.json"
_TOKENS = 2048


def fast(module: str = "ctranslate2") -> Any:
    """A module of the extra.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    return extra(module, "fast", "the fast engine needs", "快速引擎需要")


class FastEngine:
    """See `engines.Engine`.

    Args:
        folder: CTranslate2's.
        tokenizer: the model's, for the engine speaks in tokens' names.
    """

    def __init__(self, folder: Path, tokenizer: "PreTrainedTokenizerBase") -> None:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.limit = int(about["context"])
        self.end_id = int(about["end"])
        self.banned = [tokenizer.convert_ids_to_tokens([number]) for number in about["banned"]]
        source = tokenizer.source if isinstance(tokenizer, TwoTokenizers) else tokenizer
        self.names, self.read_names = names_of(tokenizer), names_of(source)
        self.ids = {name: number for number, name in enumerate(self.names)}
        try:
            self.engine = fast().Translator(
                str(folder), device="cpu", inter_threads=1, intra_threads=threads()
            )
        except RuntimeError as error:
            raise ModelError(
                f"{folder} cannot be opened by CTranslate2: {error}",
                f"CTranslate2 无法打开 {folder}：{error}",
            ) from error

    def search(
        self, sources: Sequence[Ids], begun: Sequence[Ids], wanted: Wanted
    ) -> list[list[Ids]]:
        """See `Engine`."""
        longest = max(map(len, sources))
        if longest > self.limit:
            raise DataError(
                f"a source has {longest} tokens and the model reads {self.limit}; split the text.",
                f"源文有 {longest} 个词元，而模型最多读 {self.limit} 个；请拆分文本。",
            )
        limit = min(self.limit, wanted.longest(longest)) + max(map(len, begun))
        found = self.engine.translate_batch(
            self._named(sources, self.read_names),
            target_prefix=self._named(begun, self.names) if any(begun) else None,
            beam_size=wanted.beam,
            num_hypotheses=wanted.n_best,
            length_penalty=wanted.length_penalty,
            max_decoding_length=limit,
            max_batch_size=_TOKENS,
            batch_type="tokens",
            suppress_sequences=self.banned or None,
        )
        return [[self._ended(names, limit) for names in each.hypotheses] for each in found]

    def logprobs(self, sources: Sequence[Ids], translations: Sequence[Ids]) -> list[list[float]]:
        """See `Engine`."""
        bare = [ids[:-1] if ids and ids[-1] == self.end_id else ids for ids in translations]
        found = self.engine.score_batch(
            self._named(sources, self.read_names),
            self._named(bare, self.names),
            max_batch_size=_TOKENS,
            batch_type="tokens",
        )
        return [
            list(map(float, each.log_probs[: len(ids)]))
            for each, ids in zip(found, translations, strict=True)
        ]

    def _named(self, rows: Sequence[Ids], names: Sequence[str]) -> list[list[str]]:
        return [[names[number] for number in ids] for ids in rows]

    def _ended(self, names: Sequence[str], limit: int) -> Ids:
        ids = [self.ids[name] for name in names]
        return ids if len(ids) >= limit else [*ids, self.end_id]


def names_of(tokenizer: Any) -> list[str]:
    """The tokens, by their ids."""
    names: list[str] = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return names
