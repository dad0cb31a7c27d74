"""Tokens to text, as they come.

A character may be spread over several tokens (most Chinese characters and emoji are, in many
vocabularies), and a stop string may begin in one token and end in another. Text is given out only
once later tokens can no longer change it.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

INCOMPLETE = "\ufffd"
"""What a decoder writes for bytes that are no character yet."""


class Speller:
    """Spells one reply.

    Args:
        decode: token ids -> text.
        stops: strings that end the reply and are not part of it; none is empty.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        self.text = ""
        """What was given out so far."""
        self.stopped_by: str | None = None
        self._decode = decode
        self._stops = tuple(stops)
        self._ids: list[int] = []
        self._spelled = ""  # complete characters, of which `text` is a beginning
        self._ends: list[int] = []  # for each spelled token, the length of `_spelled` after it
        # Decoding starts a little before the new tokens: some vocabularies spell a token
        # differently at the very beginning (a leading space is dropped).
        self._context = 0
        self._read = 0

    def add(self, token_id: int) -> str:
        """Take one more token; return the text that is now certain."""
        self._ids.append(token_id)
        fresh = self._fresh()
        if fresh and not fresh.endswith(INCOMPLETE):
            self._accept(fresh)
        return self._give(final=False)

    def end(self) -> str:
        """There are no more tokens; return the rest of the text."""
        if self._read < len(self._ids):
            self._accept(self._fresh())
        return self._give(final=True)

    @property
    def visible_tokens(self) -> int:
        """How many of the tokens, from the first, are wholly inside `text`."""
        return bisect_right(self._ends, len(self.text))

    def _fresh(self) -> str:
        before = self._decode(self._ids[self._context : self._read])
        return self._decode(self._ids[self._context :])[len(before) :]

    def _accept(self, fresh: str) -> None:
        self._spelled += fresh
        self._ends += [len(self._spelled)] * (len(self._ids) - self._read)
        self._context, self._read = self._read, len(self._ids)

    def _give(self, final: bool) -> str:
        if self.stopped_by is not None:
            return ""
        start = len(self.text)
        found = [(self._spelled.find(stop, start), stop) for stop in self._stops]
        found = [(place, stop) for place, stop in found if place >= 0]
        if found:
            end, self.stopped_by = min(found)
        else:
            end = len(self._spelled) - (0 if final else self._held_back(start))
        self.text = self._spelled[:end]
        return self.text[start:]

    def _held_back(self, start: int) -> int:
        """Length of the longest ending that may grow into a stop string."""
        longest = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(self._spelled) - start), longest, -1):
                if self._spelled.endswith(stop[:size]):
                    longest = size
                    break
        return longest
