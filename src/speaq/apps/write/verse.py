"""Chinese regulated verse: 五绝, 七绝, 五律 and 七律 by lines and characters; rhyme by pinyin.

The form is a row of places, each for one Chinese character or for one mark, and only what fits the
next places may be written, also by tokens that hold several characters or a part of one. Keywords
stand in one line each. The second, fourth, ... lines end in one rhyme if the vocabulary has
characters enough that do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from speaq.apps.write.forms import FIRST, LAST, Verse, is_han, rhyme
from speaq.core.errors import SettingsError
from speaq.models.constrained import Draft
from speaq.models.token_bytes import TokenBytes, pending_of

_ENOUGH = 3
"""Characters of one rhyme below which a rhyme is not asked for."""
_STRENGTH = 6.0
"""Nats by which a keyword is likelier at the end of the poem."""


class VerseRule:
    """The rule that a text is a poem of one form and holds its keywords.

    Args:
        spelling: of the model.
        verse: the form.
        keywords: of Chinese characters.

    Raises:
        SettingsError: the vocabulary has no Chinese, or the keywords do not fit the lines.
    """

    def __init__(self, spelling: TokenBytes, verse: Verse, keywords: Sequence[str]) -> None:
        self._spelling, self._verse, self._keywords = spelling, verse, tuple(keywords)
        self._places = verse.places
        self._signs = [n for n, each in enumerate(spelling.spelt) if _may_fit(each)]
        self._masks: dict[tuple[int, bytes], list[tuple[int, int]]] = {}
        self._rhymes: dict[int, Tensor] = {}
        if not self._moves(0, b""):
            raise SettingsError(
                "this model's vocabulary holds no Chinese characters; verse needs a model that "
                "writes Chinese.",
                "该模型的词表中没有汉字；写格律诗需要会写中文的模型。",
            )
        self._refuse_unfit()

    @property
    def tokens(self) -> int:
        """Tokens that surely suffice, with the end: one for each place, or for each of its bytes
        where tokens hold parts of characters."""
        spelt = [self._spelling.spelt[token] for token in self._signs]
        in_parts = any(pending_of(each) or each[0] & 0xC0 == 0x80 for each in spelt)
        return len(self._places.encode() if in_parts else self._places) + 1

    def _refuse_unfit(self) -> None:
        for keyword in self._keywords:
            if not all(map(is_han, keyword)) or len(keyword) > self._verse.width:
                raise SettingsError(
                    f"keyword '{keyword}' does not fit a line of {self._verse.name}: "
                    f"{self._verse.width} Chinese characters.",
                    f"关键词“{keyword}”放不进{self._verse.name}的一句"
                    f"（{self._verse.width} 个汉字）。",
                )
            known = self._spelling
            if not all(any(s == sign.encode() for s in known.spelt) for sign in keyword) and not (
                _knows_bytes(known, keyword)
            ):
                raise SettingsError(
                    f"keyword '{keyword}' cannot be written: this model's tokenizer has no token "
                    "for a character of it; choose another word.",
                    f"写不出关键词“{keyword}”：该模型的分词器缺少其中的字；请换一个词。",
                )
        if not _packs([len(each) for each in self._keywords], self._gaps(0)):
            raise SettingsError(
                f"the keywords do not fit into {self._verse.lines} lines of {self._verse.width} "
                f"characters ({self._verse.name}); leave one out or choose a longer form.",
                f"关键词放不进{self._verse.name}的 {self._verse.lines} 句"
                f"（每句 {self._verse.width} 字）；"
                "请减少关键词或换更长的体裁。",
            )

    def apply(self, draft: Draft, logits: Tensor) -> Tensor:
        """See `Rule`."""
        place, pending = len(draft.text), draft.pending
        kept = torch.full_like(logits, -torch.inf)
        if place >= len(self._places):
            kept[draft.spelling.end_id] = 0.0
            return kept
        moves = self._moves(place, pending)
        missing = [each for each in self._keywords if each not in draft.text]
        keyed = self._on_keyword(draft, missing) if missing else {}
        free = [token for token, ahead in moves if self._fits(missing, place + ahead)]
        allowed = free or []
        if self._rhyme_due(place) and not pending:
            allowed = self._rhyming(draft.text, allowed)
        tokens = [*allowed, *(token for token in keyed if token not in set(allowed))]
        kept[tokens] = logits[tokens].clamp(min=-1e4)
        if keyed:
            late = place / len(self._places)
            kept[list(keyed)] += _STRENGTH * late * len(missing)
        return kept

    def _moves(self, place: int, pending: bytes) -> list[tuple[int, int]]:
        """Tokens that fit from a place on, and how many places they take, begun ones included."""
        key = (place, pending)
        if key not in self._masks:
            found = []
            for token in self._signs:
                ahead = self._ahead(place, pending + self._spelling.spelt[token])
                if ahead:
                    found.append((token, ahead))
            self._masks[key] = found
        return self._masks[key]

    def _ahead(self, place: int, data: bytes) -> int:
        """How many places these bytes take; 0 if they do not fit."""
        rest = pending_of(data)
        try:
            text = data[: len(data) - len(rest)].decode()
        except UnicodeDecodeError:
            return 0
        places = self._places[place : place + len(text) + bool(rest)]
        if len(places) < len(text) + bool(rest):
            return 0
        fits = all(
            is_han(sign) if wanted == "字" else sign == wanted
            for sign, wanted in zip(text, places, strict=False)
        )
        if fits and rest:
            wanted = places[-1]
            fits = _begins_han(rest) if wanted == "字" else wanted.encode().startswith(rest)
        return len(places) if fits else 0

    def _gaps(self, place: int) -> list[int]:
        """Characters left in this line and in each line behind it."""
        parts = self._places[place:].replace("。", "，").replace("\n", "").split("，")
        return [len(part) for part in parts if part]

    def _fits(self, missing: Sequence[str], place: int) -> bool:
        """Whether all that is missing still fits from a place on."""
        return not missing or _packs([len(each) for each in missing], self._gaps(place))

    def _on_keyword(self, draft: Draft, missing: Sequence[str]) -> dict[int, str]:
        """Tokens that begin a keyword or go on with it and leave room for the others."""
        found = {}
        text, pending = draft.text, draft.pending
        line = max(text.rfind(mark) for mark in "，。\n") + 1
        for keyword in missing:
            others = [each for each in missing if each != keyword]
            for done in range(min(len(keyword) - 1, len(text) - line), -1, -1):
                if not text.endswith(keyword[:done]):
                    continue
                rest = keyword[done:]
                if self._gaps(len(text))[0] < len(rest) or self._places[len(text)] != "字":
                    continue
                if not self._fits(others, len(text) + len(rest)):
                    continue
                wanted = rest.encode()
                for token, _ in self._moves(len(text), pending):
                    spelt = pending + self._spelling.spelt[token]
                    if wanted.startswith(spelt):
                        found[token] = keyword
        return found

    def _rhyme_due(self, place: int) -> bool:
        """Whether the character of this place ends an even line behind the first such."""
        return self._places[place + 1 : place + 2] == "。" and place > 2 * self._verse.width + 2

    def _rhyming(self, text: str, allowed: list[int]) -> list[int]:
        """Of the tokens allowed those that rhyme, if they are enough."""
        wanted = rhyme(self._verse.split(text)[1][-1])
        first = [self._spelling.spelt[token].decode("utf-8", "ignore")[:1] for token in allowed]
        fit = [t for t, sign in zip(allowed, first, strict=True) if sign and rhyme(sign) == wanted]
        return fit if wanted >= 0 and len(fit) >= _ENOUGH else allowed


def _packs(lengths: Sequence[int], gaps: Sequence[int]) -> bool:
    """Whether words of these lengths fit into gaps, each in one (a search; there are few words)."""
    if not lengths:
        return True
    longest, rest = max(lengths), sorted(lengths)[:-1]
    return any(
        gap >= longest and _packs(rest, [*gaps[:n], gap - longest, *gaps[n + 1 :]])
        for n, gap in enumerate(gaps)
        if gap not in gaps[:n]
    )


def _begins_han(data: bytes) -> bool:
    """Whether a character of the plain Chinese block begins with these bytes."""
    size = len(data)
    return FIRST.encode()[:size] <= data <= LAST.encode()[:size]


def _may_fit(spelt: bytes) -> bool:
    """Whether a token could stand anywhere in a poem: parts of characters, or marks of it."""
    return bool(spelt) and (spelt[0] >= 0x80 or spelt[:1] == b"\n")


def _knows_bytes(spelling: TokenBytes, keyword: str) -> bool:
    known = {each for each in spelling.spelt if len(each) == 1}
    return all(bytes([byte]) in known for byte in keyword.encode())
