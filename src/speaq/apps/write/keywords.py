"""Keywords that are sure to stand in the text.

As the text goes on, the next token of a keyword that is still missing becomes likelier, by more
nats the later it is, so that the model itself chooses a place that suits; the end of the text has
probability 0 as long as one is missing. Where the tokens that are left are just enough for the
missing keywords, nothing else may be written. What is likely when is a function of the tokens
before alone, so propensities are exact (`models/constrained.py`).

`transformers` had this as constrained beam search (Post & Vilar 2018; `force_words_ids`) and
removed it. That searched for the likeliest text; this draws one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speaq.core.errors import SettingsError
from speaq.models.constrained import Draft
from speaq.models.language_model import LanguageModel
from speaq.models.token_bytes import TokenBytes
from speaq.text.units import units

LETTER = "0-9A-Za-z_\u00c0-\u024f"
"""What words are made of that are written apart; for use inside a character class."""
_LETTERED = re.compile(rf"[{LETTER}]")
_OPEN = re.compile(r"(?:^|[\s\"“‘(（「『—-])\Z")
_BEGUN = re.compile(r"(?:^|[.!?。！？]\s+|\n\s*)\Z")
_RESERVE = 4
"""Tokens kept free: to end a character, to part a keyword from what stands before, to end."""
FLOOR = -1e4
"""Least score of a token that must be written, whatever the model or a bound on guidance says."""


def pattern(keyword: str) -> re.Pattern[str]:
    """Where a keyword stands: in any case of its letters, and as a word of its own where words
    are written apart."""
    before = rf"(?<![{LETTER}])" if _LETTERED.match(keyword[0]) else ""
    after = rf"(?![{LETTER}])" if _LETTERED.match(keyword[-1]) else ""
    return re.compile(before + re.escape(keyword) + after, re.IGNORECASE)


def counts(keywords: Sequence[str], text: str) -> dict[str, int]:
    """How often each keyword stands in a text."""
    return {keyword: len(pattern(keyword).findall(text)) for keyword in keywords}


def holds(keywords: Sequence[str], text: str) -> bool:
    """Whether every keyword stands in a text."""
    return all(counts(keywords, text).values())


@dataclass(frozen=True)
class _Spelt:
    """A keyword in the forms that it may be written in, each in tokens."""

    keyword: str
    found: re.Pattern[str]
    apart: tuple[int, ...]
    """Behind a word: with a space before it, where words are written apart."""
    joined: tuple[int, ...]
    """Where a word may begin."""
    first: tuple[int, ...]
    """Where a sentence begins."""

    @property
    def longest(self) -> int:
        return max(map(len, self.forms))

    @property
    def forms(self) -> tuple[tuple[int, ...], ...]:
        return (self.apart, self.joined, self.first)

    def starts(self, text: str) -> tuple[tuple[int, ...], ...]:
        """The forms that may begin behind `text`."""
        if not _LETTERED.match(self.keyword[0]):
            return (self.joined,)
        if not _OPEN.search(text):
            return (self.apart,)
        return (self.first,) if _BEGUN.search(text) else (self.joined,)

    def next_tokens(self, draft: Draft) -> tuple[list[int], int]:
        """The tokens that begin this keyword or go on with it, and how many of its tokens the
        draft ends with."""
        for form in sorted(set(self.forms), key=len, reverse=True):
            for done in range(len(form) - 1, 0, -1):
                if tuple(draft.token_ids[-done:]) == form[:done] and self._begun_well(draft, done):
                    return [form[done]], done
        if draft.pending:
            return [], 0
        return [form[0] for form in self.starts(draft.text)], 0

    def _begun_well(self, draft: Draft, done: int) -> bool:
        """Whether a word could begin where the last `done` tokens do."""
        before = draft.spelling.text(draft.token_ids[:-done])
        begun = draft.spelling.text(draft.token_ids[-done:])
        return not (
            _LETTERED.match(self.keyword[0])
            and before
            and _LETTERED.match(before[-1])
            and _LETTERED.match(begun[:1] or " ")
        )


class Keywords:
    """The rule that every keyword stands in the text.

    Args:
        model: whose tokenizer writes the keywords.
        spelling: of the model.
        keywords: without empty ones, each once.
        room: tokens of the whole text.
        most_units: words, or Chinese characters, of the whole text; 0: no matter.
        strength: nats by which a keyword's next token is likelier when its turn is over; 0 leaves
            the model alone until nothing else can be written.

    Raises:
        SettingsError: a keyword cannot be written by the tokenizer, or all of them not in `room`.
    """

    def __init__(
        self,
        model: LanguageModel,
        spelling: TokenBytes,
        keywords: Sequence[str],
        room: int,
        *,
        most_units: int = 0,
        strength: float = 8.0,
    ) -> None:
        self.strength = strength
        self.most_units = most_units
        self._spelt = [_spell(model, spelling, keyword) for keyword in keywords]
        self._whole = room
        self._wordy = torch.tensor(
            [bool(_LETTERED.match(each.decode("utf-8", "ignore"))) for each in spelling.spelt]
        )
        needed = self._cost(self._spelt)
        if needed > room:
            raise SettingsError(
                f"the keywords need {needed} tokens of {model.name} and the text has {room}; raise "
                "length or leave out a keyword.",
                f"关键词需要 {model.name} 的 {needed} 个词元，而全文只有 {room} 个；"
                "请增大 length 或减少关键词。",
            )
        counted = sum(len(units(keyword)) for keyword in keywords)
        if most_units and counted > most_units:
            raise SettingsError(
                f"the keywords have {counted} words and the text may have {most_units}; raise "
                "length or leave out a keyword.",
                f"关键词共 {counted} 个字（词），而全文最多 {most_units} 个；"
                "请增大 length 或减少关键词。",
            )

    @staticmethod
    def _cost(missing: Sequence[_Spelt]) -> int:
        """Tokens that surely suffice to write what is missing."""
        return sum(each.longest + 1 for each in missing) + _RESERVE

    def missing(self, draft: Draft) -> list[_Spelt]:
        """The keywords that do not stand in the draft yet."""
        text = draft.text
        return [each for each in self._spelt if not each.found.search(text)]

    def satisfied(self, draft: Draft) -> bool:
        """Whether nothing is missing."""
        return not self.missing(draft)

    def apply(self, draft: Draft, logits: Tensor) -> Tensor:
        """See `Rule`."""
        missing = self.missing(draft)
        logits = self._closed(draft, logits)
        if not missing:
            return logits
        end = draft.spelling.end_id
        ending = float(logits.softmax(-1)[end])
        logits[end] = -torch.inf
        chosen = [each.next_tokens(draft) for each in missing]
        tokens = sorted({token for options, _ in chosen for token in options})
        if tokens and self._urgent(draft, missing):
            return _only(logits, self._on_the_way(chosen) or tokens)
        late = max(self._lateness(draft, len(missing)), ending)
        likelier: dict[int, float] = {}
        for options, done in chosen:
            for token in options:
                # What was begun is rather ended than left as half a word.
                nats = self.strength * late * (1 + 2 * done)
                likelier[token] = max(nats, likelier.get(token, 0.0))
        for token, nats in likelier.items():
            # What support bounds away stays open to a keyword.
            logits[token] = logits[token].clamp(min=FLOOR) + nats
        return logits

    def _urgent(self, draft: Draft, missing: Sequence[_Spelt]) -> bool:
        """Whether what is left is just enough for what is missing."""
        if draft.room <= self._cost(missing):
            return True
        if not self.most_units:
            return False
        needed = sum(len(units(each.keyword)) for each in missing)
        return len(units(draft.text)) + needed >= self.most_units

    @staticmethod
    def _on_the_way(chosen: Sequence[tuple[list[int], int]]) -> list[int]:
        """The next tokens of the keyword that is furthest on, if one was begun."""
        furthest = max(done for _, done in chosen)
        return [t for options, done in chosen if done == furthest > 0 for t in options]

    def _lateness(self, draft: Draft, missing: int) -> float:
        """From 0 at the beginning of a keyword's turn to 1 at its end, and more behind it."""
        turn = 0.8 * self._whole / len(self._spelt)
        written = len(draft.token_ids) - turn * (len(self._spelt) - missing)
        return max(0.0, written / turn)

    def _closed(self, draft: Draft, logits: Tensor) -> Tensor:
        """Let no letter follow a keyword that would be lost by it."""
        text = draft.text
        for each in self._spelt:
            if not _LETTERED.match(each.keyword[-1]):
                continue
            found = [one.end() for one in each.found.finditer(text)]
            if found == [len(text)]:
                return logits.masked_fill(self._wordy.to(logits.device), -torch.inf)
        return logits


def _only(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """The scores with every other token at -inf."""
    kept = torch.full_like(logits, -torch.inf)
    kept[list(tokens)] = logits[list(tokens)].clamp(min=FLOOR)
    return kept


def _spell(model: LanguageModel, spelling: TokenBytes, keyword: str) -> _Spelt:
    large = keyword[0].upper() + keyword[1:]
    apart = f" {keyword}" if _LETTERED.match(keyword[0]) else keyword
    forms = [_tokens(model, spelling, form) for form in (apart, keyword, large)]
    return _Spelt(keyword, pattern(keyword), forms[0], forms[1], forms[2])


def _tokens(model: LanguageModel, spelling: TokenBytes, form: str) -> tuple[int, ...]:
    """The tokens that write a form, exactly.

    Raises:
        SettingsError: they would write something else.
    """
    tokens = tuple(token for token in model.encode(form) if spelling.spelt[token])
    if spelling.text(tokens).strip() != form.strip():
        raise SettingsError(
            f"keyword '{form.strip()}' cannot be written by {model.name}: its tokenizer has no "
            "token for a character of it; choose another word or a model that knows it.",
            f"{model.name} 写不出关键词“{form.strip()}”：其分词器缺少其中的字符；"
            "请换一个词，或换一个认识它的模型。",
        )
    return tokens
