"""What each token of a vocabulary writes, in bytes: the alphabet that constraints are made over.

Tokens of byte-level vocabularies may hold parts of characters, and those of SentencePiece mark
spaces by `▁`. Spelt in bytes, the text of a sequence of tokens is the bytes of its tokens one
after another, whatever the tokenizer, and a constraint on text is a constraint on bytes.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from speaq.models.language_model import LanguageModel
from speaq.text.units import HAN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_APART = re.compile(rf"[{HAN}]|\W")


class TokenBytes:
    """The bytes of every token of a model, and which tokens may be written where.

    Args:
        model: its tokenizer and the size of its output layer are read.
    """

    def __init__(self, model: LanguageModel) -> None:
        tokenizer = model.tokenizer
        size = len(model.output_table)
        special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        self.end_id = model.end_id
        self.spelt: list[bytes] = [b""] * size
        spell = _spelling(tokenizer)
        for token, number in tokenizer.get_vocab().items():
            if number < size and number not in special:
                self.spelt[number] = spell(token)
        self._inside = [n for n, each in enumerate(self.spelt) if each and 0x80 <= each[0] < 0xC0]
        self.begins = torch.tensor([bool(each) and _is_text(each) for each in self.spelt])
        """(V,) tokens that may stand where a character begins: text in valid UTF-8 so far, without
        control characters but tabs and line ends."""

    def __len__(self) -> int:
        return len(self.spelt)

    def text(self, tokens: Iterable[int]) -> str:
        """What tokens write; a character that is not whole at the end is left out."""
        return self.joined(tokens).decode("utf-8", errors="ignore")

    def joined(self, tokens: Iterable[int]) -> bytes:
        """The bytes that tokens write."""
        return b"".join(self.spelt[token] for token in tokens)

    def whole(self, pending: bytes) -> Tensor:
        """(V,) the tokens that keep the text valid UTF-8 behind `pending`, a character's first
        bytes or none."""
        if not pending:
            return self.begins
        mask = torch.zeros(len(self), dtype=torch.bool)
        mask[[n for n in self._inside if _utf8(pending + self.spelt[n])]] = True
        return mask

    def where(self, fits: Sequence[int]) -> Tensor:
        """(V,) a mask that lets these tokens through."""
        mask = torch.zeros(len(self), dtype=torch.bool)
        mask[list(fits)] = True
        return mask


def pending_of(data: bytes) -> bytes:
    """The bytes at the end of `data` that begin a character and do not end it."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[-back:] if back < wanted else b""
        if byte < 0x80:
            break
    return b""


def _is_text(data: bytes) -> bool:
    return _utf8(data) and all((byte >= 0x20 and byte != 0x7F) or byte in b"\t\n" for byte in data)


def _utf8(data: bytes) -> bool:
    """Whether some text begins with these bytes."""
    rest = pending_of(data)
    missing = 0 if not rest else (2 if rest[0] < 0xE0 else 3 if rest[0] < 0xF0 else 4) - len(rest)
    # The decoder finds out late about half a surrogate (ED A0); its whole is no character.
    return any(_decodes(data + missing * filling) for filling in (b"\x80", b"\xbf"))


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _spelling(tokenizer: "PreTrainedTokenizerBase") -> Callable[[str], bytes]:
    """How the tokenizer's decoder makes text of a token."""
    decoder = tokenizer.backend_tokenizer.decoder
    kinds = "" if decoder is None else json.dumps(json.loads(decoder.__getstate__()))
    if '"ByteLevel"' in kinds:
        return partial(_of_byte_level, _byte_alphabet())
    if '"WordPiece"' in kinds:
        return _of_word_piece
    return _of_sentence_piece if "\\u2581" in kinds or '"ByteFallback"' in kinds else str.encode


def _byte_alphabet() -> dict[str, int]:
    """The bytes by the characters that byte-level vocabularies write them with (GPT-2)."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {chr(b): b for b in seen} | {chr(256 + n): b for n, b in enumerate(unseen)}


def _of_byte_level(alphabet: Mapping[str, int], token: str) -> bytes:
    return bytes(alphabet[sign] for sign in token) if alphabet.keys() >= set(token) else b""


def _of_sentence_piece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte.group(1), 16)]) if byte else token.replace("\u2581", " ").encode()


def _of_word_piece(token: str) -> bytes:
    if token.startswith("##"):
        return token[2:].encode()
    return (token if _APART.match(token) else f" {token}").encode()
