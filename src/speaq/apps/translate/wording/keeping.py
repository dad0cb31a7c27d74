"""Sentences with spans that are not translated: byte by byte in the translation, always.

A small model neither copies an address nor knows where a placeholder belongs. In turn are tried:
the sentence as it is, where the model copies after all; a word it does copy in the span's place;
the sentence without the span, which is then put where what stands before it is likeliest to be the
translation of what stood before it, and what stands behind it likewise; and, for spans within
words, the pieces around the spans, each translated alone. Tags of HTML stand around the translation
of what they stood around, where that is found in the translation of the whole sentence.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from speaq.apps.translate.checks.degeneration import fault, translatable
from speaq.apps.translate.texts.languages import UNSPACED
from speaq.apps.translate.texts.protection import Span, around
from speaq.apps.translate.translating import Direction, Hypothesis, confidence

_STAND_INS = (
    ("Anna", "Peter", "Paul", "Maria", "Tom", "Martin"),
    ("17", "23", "41", "53", "67", "89"),
    ("X", "Y", "Z", "W", "V", "Q"),
)
"""Words that models copy: names, numbers, letters. Of each sentence the likeliest are used."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_END = re.compile(r"[.!?。！？…]+\s*$")


@dataclass(frozen=True)
class Kept:
    """A translation with its spans, and how likely the model finds it."""

    text: str
    confidence: float
    whole: bool
    """Translated in one piece."""


def translate_keeping(direction: Direction, text: str, spans: Sequence[Span]) -> Kept:
    """The translation of one sentence; every span stands in it as often as in the source.

    Args:
        direction: what translates.
        text: the source.
        spans: of it, in order, none within another.
    """
    first, last = _ends(text, spans)
    core = text[first:last]
    before = _verbatim(text[:first], [span for span in spans if span.end <= first])
    after = _verbatim(
        text[last:],
        [
            Span(span.start - last, span.end - last, span.text, span.kind)
            for span in spans
            if span.start >= last
        ],
    )
    inner = [
        Span(each.start - first, each.end - first, each.text, each.kind)
        for each in spans
        if each.start >= first and each.end <= last
    ]
    if not translatable("".join(_between(core, inner))):
        made = Kept(_verbatim(core, inner), 1.0, True)
    elif not inner:
        [[best]] = direction.best([core])
        made = Kept(best.text, confidence(best), True)
    else:
        made = (
            (_tagged(direction, core, inner) if all(s.kind == "tag" for s in inner) else None)
            or _standing_in(direction, core, inner)
            or _inserted(direction, core, inner)
            or _in_pieces(direction, core, inner)
        )
    return Kept(before + made.text + after, made.confidence, made.whole)


def _verbatim(text: str, spans: Sequence[Span]) -> str:
    return "".join(p if isinstance(p, str) else p.text for p in around(text, spans))


def _ends(text: str, spans: Sequence[Span]) -> tuple[int, int]:
    """Where the sentence begins and ends without the spans, and the space, at its ends."""
    first, last = 0, len(text)
    for span in spans:
        if not text[first : span.start].strip():
            first = span.end + len(text[span.end :]) - len(text[span.end :].lstrip())
    for span in reversed(spans):
        if span.start >= first and not text[span.end : last].strip():
            last = first + len(text[first : span.start].rstrip())
    return first, max(first, last)


def _between(text: str, spans: Sequence[Span]) -> Iterator[str]:
    return (piece for piece in around(text, spans) if isinstance(piece, str))


def _standing_in(direction: Direction, text: str, spans: Sequence[Span]) -> Kept | None:
    """Translate with words in the spans' places, and put the spans back in theirs."""
    if any(span.kind == "tag" for span in spans):
        return None
    trials: list[tuple[str, list[str]]] = [(text, [span.text for span in spans])]
    for words in _STAND_INS:
        free = [word for word in words if word.lower() not in text.lower()]
        if len(free) >= len(spans):
            trials.append((_replaced(text, spans, free), free[: len(spans)]))
    found = direction.best([trial for trial, _ in trials])
    made = [
        put_back
        for (trial, words), [best] in zip(trials, found, strict=True)
        if (put_back := _put_back(trial, best, words, spans)) is not None
    ]
    return max(made, key=lambda each: each.confidence, default=None)


def _replaced(text: str, spans: Sequence[Span], words: Sequence[str]) -> str:
    made, done = "", 0
    for span, word in zip(spans, words, strict=False):
        made += text[done : span.start] + word
        done = span.end
    return made + text[done:]


def _put_back(
    trial: str, best: Hypothesis, words: Sequence[str], spans: Sequence[Span]
) -> Kept | None:
    """The translation with spans for words; None if a word is not there once, or it is faulty."""
    wanted = [span.text for span in spans]
    if list(words) == wanted:
        right = all(best.text.count(span) == wanted.count(span) for span in wanted)
        return Kept(best.text, confidence(best), True) if right else None
    places = []
    for word, span in zip(words, wanted, strict=True):
        found = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", best.text, re.IGNORECASE))
        if len(found) != 1:
            return None
        places.append((found[0].start(), found[0].end(), span))
    if fault(trial, best.text):
        return None
    made = best.text
    for start, end, span in sorted(places, reverse=True):
        made = made[:start] + span + made[end:]
    return Kept(made, confidence(best), True)


def _inserted(direction: Direction, text: str, spans: Sequence[Span]) -> Kept | None:
    """Translate without the spans, and put each where the model divides best; None where a span
    is part of a word."""
    if any(span.kind == "tag" or _within_word(text, span) for span in spans):
        return None
    cut = list(
        zip([0, *(span.end for span in spans)], [*(s.start for s in spans), len(text)], strict=True)
    )
    pieces = [text[start:end] for start, end in cut]
    plain = _close("".join(pieces))
    [[best]] = direction.best([plain])
    if not translatable(plain) or fault(plain, best.text):
        return None
    places = [0, *(each.end() for each in _TOKEN.finditer(best.text))]
    chosen: list[tuple[int, int]] = []
    for number in range(len(spans)):
        sides = _close("".join(pieces[: number + 1])), _close("".join(pieces[number + 1 :]))
        halves = [(best.text[:place].strip(), best.text[place:].strip()) for place in places]
        likely = [
            one + two
            for one, two in zip(
                direction.total_logprobs(sides[0], [half[0] for half in halves]),
                direction.total_logprobs(sides[1], [half[1] for half in halves]),
                strict=True,
            )
        ]
        chosen.append((places[max(range(len(places)), key=likely.__getitem__)], number))
    made = best.text
    for place, number in sorted(chosen, reverse=True):
        made = _put(made, place, text, spans[number])
    return Kept(made, confidence(best), True)


def _within_word(text: str, span: Span) -> bool:
    around_it = text[max(0, span.start - 1) : span.start] + text[span.end : span.end + 1]
    return any(letter.isalnum() for letter in around_it)


def _close(text: str) -> str:
    """The text without the blanks that what was taken out leaves."""
    return re.sub(r"\s+", " ", text).strip()


def _put(made: str, place: int, text: str, span: Span) -> str:
    """The span at a place, with the blanks around it that it has in the source."""
    before, after = made[:place].rstrip(), made[place:].lstrip()
    left = " " if before and text[span.start - 1 : span.start].isspace() else ""
    right = " " if after and after[:1].isalnum() else ""
    return before + left + span.text + right + after


def _in_pieces(direction: Direction, text: str, spans: Sequence[Span]) -> Kept:
    pieces = around(text, spans)
    plain = [piece for piece in pieces if isinstance(piece, str) and translatable(piece)]
    found = direction.best([piece.strip() for piece in plain])
    said = {id(piece): best for piece, [best] in zip(plain, found, strict=True)}
    made, certain = "", []
    for piece in pieces:
        if isinstance(piece, Span):
            made += piece.text
        elif id(piece) not in said:
            made += piece
        else:
            best = said[id(piece)]
            certain.append(confidence(best))
            usable = best.text if not fault(piece, best.text) else piece.strip()
            made += _fitted(piece, usable, bool(made), direction.target)
    return Kept(made, min(certain, default=0.0), False)


def _fitted(piece: str, said: str, inside: bool, target: str) -> str:
    """A piece's translation in its place: its space, no full stop of its own, a small letter."""
    if not _END.search(piece):
        said = _END.sub("", said)
    # German writes nouns large; elsewhere a large letter within a sentence is the model's guess.
    if inside and target != "de" and said[:1].isupper() and said[1:2].islower():
        said = said[0].lower() + said[1:]
    left = piece[: len(piece) - len(piece.lstrip())]
    right = piece[len(piece.rstrip()) :]
    return left + said.strip() + right


def _tagged(direction: Direction, text: str, spans: Sequence[Span]) -> Kept | None:
    """Tags in pairs around the translation of what they stand around; None if it is not found."""
    runs = _runs(spans)
    opened, closed = runs[::2], runs[1::2]
    if len(runs) % 2 or not all(
        "</" not in one.text and two.text.startswith("</")
        for one, two in zip(opened, closed, strict=True)
    ):
        return None
    inner = [text[one.end : two.start] for one, two in zip(opened, closed, strict=True)]
    plain = "".join(_between(text, runs))
    found = direction.best([plain, *(each.strip() for each in inner)])
    best, said = found[0][0], [each[0].text for each in found[1:]]
    places: list[tuple[int, int, Span, Span]] = []
    for words, one, two in zip(said, opened, closed, strict=True):
        bare = _END.sub("", words).strip()
        start = best.text.lower().find(bare.lower()) if bare else -1
        places.append((start, start + len(bare), one, two))
    ordered = sorted(places, key=lambda place: place[0])
    apart = all(a[1] <= b[0] for a, b in pairwise(ordered))
    if ordered[0][0] < 0 or not apart or fault(plain, best.text):
        return None
    made = best.text
    for start, end, one, two in reversed(ordered):
        made = made[:start] + one.text + made[start:end] + two.text + made[end:]
    return Kept(made, confidence(best), True)


def _runs(spans: Sequence[Span]) -> list[Span]:
    """Tags that touch are one, where all of them open or all of them close."""
    made: list[Span] = []
    for _, group in groupby(spans, key=lambda span: span.text.startswith("</")):
        for span in group:
            if (
                made
                and made[-1].end == span.start
                and (made[-1].text.startswith("</") == span.text.startswith("</"))
            ):
                made[-1] = Span(made[-1].start, span.end, made[-1].text + span.text, "tag")
            else:
                made.append(span)
    return made


def spaces(target: str) -> str:
    """What stands between two words of a language."""
    return "" if target in UNSPACED else " "
