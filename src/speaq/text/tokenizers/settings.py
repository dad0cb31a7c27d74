"""How a tokenizer is made: its kind, size and special tokens."""

from dataclasses import dataclass
from typing import Literal

from speaq.core.settings import require

Kind = Literal["bpe", "unigram", "wordpiece"]
Purpose = Literal["auto", "write", "read", "translate"]

_PURPOSES: dict[Kind, Purpose] = {"bpe": "write", "wordpiece": "read", "unigram": "translate"}
_SPECIAL: dict[Purpose, dict[str, str]] = {
    "write": {"bos_token": "<|end|>", "eos_token": "<|end|>", "pad_token": "<|pad|>"},
    "read": {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "translate": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
}


@dataclass(frozen=True)
class TokenizerSettings:
    """How a tokenizer is made.

    Raises:
        SettingsError: a value out of its range, or a vocabulary too small for its kind.
    """

    kind: Kind = "bpe"
    """bpe, unigram or wordpiece."""
    vocabulary: int = 8000
    """The number of tokens, special ones and bytes included."""
    purpose: Purpose = "auto"
    """What the model is for, which says its special tokens: write (an end, padding), read (as
    BERT: [CLS] before, [SEP] behind, [MASK]), translate (as T5: an end behind, masks to denoise);
    auto: bpe writes, wordpiece reads, unigram translates."""
    min_count: int = 2
    """How often a piece has to occur to be made (bpe, wordpiece)."""
    coverage: float = 0.9995
    """Share of the characters that get tokens of their own (unigram, wordpiece); rarer ones are
    spelt in bytes or unknown. Chinese has many that occur once."""
    lower: bool = False
    """Read everything as lower case (wordpiece: without accents, too)."""
    digits: bool = False
    """Each digit a token of its own, which helps models to calculate."""
    longest: int = 16
    """Characters of the longest piece (bpe: bytes, three for a Chinese character)."""
    masks: int = 100
    """Tokens <extra_id_0> ... to denoise with, for the purpose translate."""
    context: int = 512
    """The longest text, in tokens, that models with this tokenizer read; only recorded."""

    def __post_init__(self) -> None:
        require(
            "tokenizer",
            self,
            {
                "kind": (self.kind in _PURPOSES, "bpe | unigram | wordpiece"),
                "purpose": (
                    self.purpose in ("auto", *_SPECIAL),
                    "auto | write | read | translate",
                ),
                "min_count": (self.min_count >= 1, "≥ 1"),
                "coverage": (0.5 <= self.coverage <= 1, "0.5–1"),
                "longest": (self.longest >= 2, "≥ 2"),
                "masks": (0 <= self.masks <= 1000, "0–1000"),
                "context": (self.context >= 1, "≥ 1"),
                "vocabulary": (
                    self.vocabulary > self.taken,
                    f"> {self.taken} (so many are taken by special tokens and bytes)",
                ),
            },
        )

    @property
    def aim(self) -> Purpose:
        """The purpose, with auto resolved."""
        return _PURPOSES[self.kind] if self.purpose == "auto" else self.purpose

    @property
    def roles(self) -> dict[str, str]:
        """The special tokens by their role in `transformers`."""
        roles = dict(_SPECIAL[self.aim])
        if self.kind != "bpe":
            roles.setdefault("unk_token", "<unk>")
        return roles

    @property
    def special(self) -> list[str]:
        """The special tokens, in the order of their ids."""
        masks = self.masks if self.aim == "translate" else 0
        named = dict.fromkeys(self.roles.values())
        return [*named, *(f"<extra_id_{number}>" for number in range(masks))]

    @property
    def taken(self) -> int:
        """How many tokens the special ones and the bytes take."""
        if self.kind not in _PURPOSES or self.purpose not in ("auto", *_SPECIAL):
            return 0
        return len(self.special) + (0 if self.kind == "wordpiece" else 256)
