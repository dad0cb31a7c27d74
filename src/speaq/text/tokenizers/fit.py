"""How well a tokenizer fits texts: tokens a character and a word, and what it does not know."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from speaq.core.errors import DataError
from speaq.text.units import units

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Fit:
    """What a tokenizer made of texts."""

    texts: int
    characters: int
    words: int
    """English words and Chinese characters."""
    tokens: int
    """Without those that stand around a text."""
    unknown: int
    """Of these, tokens that stand for what the tokenizer does not know."""

    @property
    def characters_per_token(self) -> float:
        """More is shorter sequences."""
        return self.characters / max(1, self.tokens)

    @property
    def tokens_per_word(self) -> float:
        """1 is a token for every word; English usually takes 1.2 to 1.5."""
        return self.tokens / max(1, self.words)


def fit(tokenizer: "PreTrainedTokenizerBase", texts: Iterable[str]) -> Fit:
    """Tokenise texts and count.

    Raises:
        DataError: there is no text.
    """
    count = characters = seen = tokens = unknown = 0
    for some in _batches(texts):
        for text, ids in zip(some, _ids(tokenizer, some), strict=True):
            count += 1
            characters += len(text)
            seen += len(units(text))
            tokens += len(ids)
            if tokenizer.unk_token_id is not None:
                unknown += ids.count(tokenizer.unk_token_id)
    if count == 0:
        raise DataError("there is no text to tokenise.", "没有可供分词的文本。")
    return Fit(count, characters, seen, tokens, unknown)


def pieces(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[tuple[int, str, str]]:
    """The tokens of a text: id, how the tokenizer writes it, and what it stands for there.

    A token that holds a part of a character stands for that character.
    """
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    names = tokenizer.convert_ids_to_tokens(found["input_ids"])
    return [
        (number, name, text[start:end])
        for number, name, (start, end) in zip(
            found["input_ids"], names, found["offset_mapping"], strict=True
        )
    ]


def _ids(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    # Texts longer than the model's context are no error here: nothing is read by a model.
    found: list[list[int]] = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return found


def _batches(texts: Iterable[str], size: int = 512) -> Iterable[list[str]]:
    """Lists of texts; 512 keep every core busy and little in memory."""
    source = iter(texts)
    while some := list(islice(source, size)):
        yield some
