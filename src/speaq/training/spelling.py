"""Which token of a reply completes a given part of its text."""

from bisect import bisect_left
from collections.abc import Callable, Sequence


def completing_tokens(
    decode: Callable[[Sequence[int]], str], ids: Sequence[int], text: str, ends: Sequence[int]
) -> list[int] | None:
    """For each end, the first token with which the first `end` characters of `text` stand.

    A character that is spread over several tokens, as Chinese ones often are, stands with the last
    of them. What decoders write for bytes that are no character yet does not count.

    Args:
        decode: token ids -> text.
        ids: the reply's tokens, without an end token.
        text: the reply as it was stored; the tokens may spell more around it, such as a space.
        ends: each from 1 to the length of `text`.

    Returns:
        Indices in `ids`; None if the tokens do not spell the text.
    """
    spelled = decode(ids)
    start = spelled.find(text)
    if start < 0:
        return None

    def standing(count: int) -> int:
        return _shared(decode(ids[:count]), spelled) - start

    return [bisect_left(range(len(ids)), end, key=lambda i: standing(i + 1)) for end in ends]


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common, from the first."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
