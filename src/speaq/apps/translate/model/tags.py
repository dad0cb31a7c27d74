"""How a model is told from which language into which, and in what tokens.

one pair          nothing is said
speaq's own       the first token of the source is the language wanted, `<2de>`, and the rest is
                  as ever (Johnson et al. 2017); a source language needs no tag
NLLB, M2M         the tokenizer marks the source; the translation begins with its language
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from speaq.apps.translate.texts.languages import plain
from speaq.core.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Pairs = tuple[tuple[str, str], ...]
_OPUS = re.compile(r"opus-mt(?:-tc-(?:big|base))?-([a-z]{2,3})-([a-z]{2,3})(?:$|[^a-z])")


def tag(code: str) -> str:
    """The token that asks for a language."""
    return f"<2{code}>"


@dataclass(frozen=True)
class Tags:
    """One pair, or none known: nothing is said."""

    pairs: Pairs = ()

    def sources(
        self, tokenizer: Any, texts: Sequence[str], source: str, target: str
    ) -> list[list[int]]:
        """Token ids that the encoder reads for each text."""
        self._require(source, target)
        return read_ids(tokenizer, texts)

    def begun(
        self, tokenizer: Any, prefixes: Sequence[str], source: str, target: str
    ) -> list[list[int]]:
        """Token ids that each translation begins with, behind the start token."""
        return written_ids(tokenizer, prefixes)

    def opening(self, tokenizer: Any, source: str, target: str) -> int:
        """How many of the first tokens are no text."""
        return 0

    def _require(self, source: str, target: str) -> None:
        require_pair(self.pairs, source, target)


@dataclass(frozen=True)
class OwnTags(Tags):
    """Several pairs: the source begins with the tag of the language wanted."""

    def sources(
        self, tokenizer: Any, texts: Sequence[str], source: str, target: str
    ) -> list[list[int]]:
        """See `Tags`."""
        self._require(source, target)
        first = tokenizer.convert_tokens_to_ids(tag(plain(target)))
        return [[first, *ids] for ids in read_ids(tokenizer, texts)]


@dataclass(frozen=True)
class LanguageTokens(Tags):
    """NLLB, M2M, mBART: codes of the tokenizer's own, such as `zho_Hans`, by plain code."""

    codes: dict[str, str] = field(default_factory=dict)

    def sources(
        self, tokenizer: Any, texts: Sequence[str], source: str, target: str
    ) -> list[list[int]]:
        """See `Tags`."""
        tokenizer.src_lang = self._code(source)
        found: list[list[int]] = tokenizer(list(texts), verbose=False).input_ids
        return found

    def begun(
        self, tokenizer: Any, prefixes: Sequence[str], source: str, target: str
    ) -> list[list[int]]:
        """See `Tags`: the language first."""
        first = self._language(tokenizer, target)
        return [[first, *ids] for ids in written_ids(tokenizer, prefixes)]

    def opening(self, tokenizer: Any, source: str, target: str) -> int:
        """See `Tags`."""
        return 1

    def _language(self, tokenizer: Any, target: str) -> int:
        code = self._code(target)
        from transformers import M2M100Tokenizer

        # Its codes are not its tokens' names.
        if isinstance(tokenizer, M2M100Tokenizer):
            return int(tokenizer.get_lang_id(code))
        return int(tokenizer.convert_tokens_to_ids(code))

    def _code(self, code: str) -> str:
        found = self.codes.get(plain(code)) if code else None
        if found is None:
            raise SettingsError(
                f"this model needs a source and a target language; '{code}' is none of "
                f"{', '.join(sorted(self.codes))}.",
                f"该模型需要源语言与目标语言；“{code}”不在 {'、'.join(sorted(self.codes))} 之中。",
            )
        return found


def require_pair(pairs: Pairs, source: str, target: str) -> None:
    """Refuse a pair that a model does not have; what is not said cannot be wrong.

    Raises:
        SettingsError: names the pairs there are.
    """
    if not pairs:
        return
    if any(
        (not source or plain(source) == one) and (not target or plain(target) == other)
        for one, other in pairs
    ) and (target or len({other for _, other in pairs}) == 1):
        return
    known = ", ".join(f"{one} → {other}" for one, other in pairs)
    raise SettingsError(
        f"the model translates {known}; not '{source}' → '{target}'.",
        f"该模型可译 {known}；不含“{source}”→“{target}”。",
    )


def read_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of sources, with the end token. Special tokens that a text spells out are text."""
    found: list[list[int]] = tokenizer(
        list(texts), split_special_tokens=True, verbose=False
    ).input_ids
    return found


def written_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of translations or of their beginnings, without special tokens."""
    found: list[list[int]] = tokenizer(
        text_target=[text.rstrip() for text in texts],
        add_special_tokens=False,
        split_special_tokens=True,
        verbose=False,
    ).input_ids
    return found


def tags_of(
    name: str, facts: dict[str, Any], tokenizer: "PreTrainedTokenizerBase", kind: str
) -> Tags:
    """How a model is told its languages.

    Args:
        name: of the source, which names the pair of OPUS models.
        facts: of `speaq.json`.
        tokenizer: the model's.
        kind: its `model_type`.
    """
    said = facts.get("translation")
    if said:
        pairs = tuple((str(one), str(other)) for one, other in said["pairs"])
        return (OwnTags if said["tagged"] else Tags)(pairs)
    codes = _codes(tokenizer, kind)
    if codes:
        pairs = tuple((one, other) for one in codes for other in codes if one != other)
        return LanguageTokens(pairs, codes)
    match = _OPUS.search(name)
    return Tags(((plain(match[1]), plain(match[2])),)) if match else Tags()


_USUAL = ("Hans", "Latn")
"""Which of a language's scripts its plain code means, where the tokenizer has several."""
_LETTERS = (
    "arb:ar bul:bg cat:ca ces:cs dan:da ell:el spa:es est:et pes:fa fin:fi heb:he hin:hi hrv:hr "
    "hun:hu ind:id isl:is ita:it jpn:ja kor:ko lit:lt lvs:lv nld:nl nob:no pol:pl por:pt ron:ro "
    "rus:ru slk:sk slv:sl srp:sr swe:sv tha:th tur:tr ukr:uk urd:ur vie:vi"
)
_SHORT = dict(each.split(":") for each in _LETTERS.split())
"""Codes of three letters, as NLLB writes them, that have one of two."""


def _codes(tokenizer: Any, kind: str) -> dict[str, str]:
    """Codes of the tokenizer's own by plain code; none for models of one pair."""
    if kind not in ("m2m_100", "mbart", "nllb-moe"):
        return {}
    known = re.compile(r"(?:__)?([a-z]{2,3}(?:_[A-Z][a-z]{3}|_[A-Z]{2})?)(?:__)?")
    found: dict[str, str] = {}
    for each in tokenizer.all_special_tokens:
        match = known.fullmatch(each)
        if match is None:
            continue
        code = match[1]
        language, _, script = code.partition("_")
        short = plain(_SHORT.get(language, language))
        if short not in found or script in _USUAL:
            found[short] = code
    return found
