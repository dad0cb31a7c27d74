"""How long a text may be: words or Chinese characters, and sentences.

Towards the end of the budget, the end of a sentence becomes likelier, so that the text comes to an
end instead of being cut off.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from speaq.models.constrained import Draft
from speaq.models.token_bytes import TokenBytes
from speaq.text.sentences import sentences
from speaq.text.units import units

ENDS = ".!?。！？…"
"""Marks that end a sentence."""
_CLOSING = "\"'”’」』）)]】》"
_PRESSURE = 6.0
"""Nats by which the end of a sentence is likelier where the budget is spent."""
_FROM = 0.75
"""Part of the budget behind which the pressure rises."""


def finished(text: str) -> bool:
    """Whether a text ends where a sentence does."""
    bare = text.rstrip().rstrip(_CLOSING)
    return bool(bare) and bare[-1] in ENDS


class Length:
    """The rule that a text has at most so many units and so many sentences.

    Args:
        spelling: of the model.
        units: words, or Chinese characters.
        sentences: 0: any number.
        room: tokens of the whole text.
        holds: whether nothing that must stand in the text is missing; until then it goes on.
    """

    def __init__(
        self,
        spelling: TokenBytes,
        units: int,
        sentences: int,
        room: int,
        holds: Callable[[Draft], bool],
    ) -> None:
        self.units, self.sentences, self.room = units, sentences, room
        self._holds = holds
        spelt = [each.decode("utf-8", "ignore") for each in spelling.spelt]
        self._ending = torch.tensor([_ends(each) for each in spelt])
        self._begins = torch.tensor([_begins(each) for each in spelt])
        self._begins[spelling.end_id] = True

    def apply(self, draft: Draft, logits: Tensor) -> Tensor:
        """See `Rule`."""
        text, end = draft.text, draft.spelling.end_id
        written = len(units(text))
        holds = self._holds(draft)
        if self._over(text, written, logits) and holds and not draft.pending:
            only = torch.full_like(logits, -torch.inf)
            only[end] = 0.0
            return only
        ending = self._ending.to(logits.device)
        if self.sentences and not holds and self._last_sentence(text):
            return logits.masked_fill(ending, -torch.inf)
        spent = max(written / self.units, 1 - draft.room / self.room)
        late = (spent - _FROM) / (1 - _FROM)
        if late > 0 and holds:
            logits = logits + _PRESSURE * late * ending
            if finished(text):
                logits[end] += _PRESSURE * late
        return logits

    def _over(self, text: str, written: int, logits: Tensor) -> bool:
        """Whether the text is to end here."""
        if written >= self.units and not self._inside_word(text):
            return True
        if not self.sentences or not finished(text):
            return False
        # A full stop ends no sentence where the model goes on in the same word or number.
        begins = bool(self._begins[int(logits.argmax())])
        return begins and len(sentences(text)) >= self.sentences

    @staticmethod
    def _inside_word(text: str) -> bool:
        return text[-1:].isascii() and text[-1:].isalnum()

    def _last_sentence(self, text: str) -> bool:
        done = sentences(text)
        open_ended = bool(done) and not finished(text)
        return len(done) - open_ended >= self.sentences - 1


def _ends(token: str) -> bool:
    bare = token.rstrip().rstrip(_CLOSING)
    return bool(bare) and bare[-1] in ENDS


def _begins(token: str) -> bool:
    """Whether a token begins something new, rather than going on with a word."""
    return not token[:1] or not (token[0].isascii() and token[0].isalnum())
