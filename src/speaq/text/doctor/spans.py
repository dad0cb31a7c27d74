"""The doctor on labelled stretches of a text: ends that do not fit, words that are not there."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from speaq.text.doctor.findings import DoctorSettings, Finding, found, shortened
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Example, Span, Spans

_FEWEST, _SHARE = 3, 0.5
"""So many stretches, and this share of them, must end one too early to call it a habit."""


def check_spans(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield stretches that do not cover what they should."""
    for data in files:
        examples = [each for each in data.examples if isinstance(each, Spans)]
        inclusive = ends_are_inclusive(examples)
        for example in examples:
            if inclusive and any(_ends_early(example.text, span) for span in example.spans):
                yield _inclusive(example)
            else:
                yield from _misaligned(example)
                yield from _overlapping(example)


def ends_are_inclusive(examples: Sequence[Spans]) -> bool:
    """Whether a file counts the last character in, so that its spans end one too early here."""
    # What is said to stand there tells; else that a word would be cut before its last letter.
    judged = [
        _ends_early(each.text, span)
        for each in examples
        for span in each.spans
        if span.said is not None or _latin(each.text[max(0, span.end - 1) : span.end])
    ]
    return len(judged) >= _FEWEST and sum(judged) >= _SHARE * len(judged)


def _ends_early(text: str, span: Span) -> bool:
    """Whether one character more makes the span right."""
    longer = text[span.start : span.end + 1]
    if span.said is not None:
        return longer == span.said != text[span.start : span.end]
    cut = _latin(text[span.end : span.end + 1]) and _latin(text[max(0, span.end - 1) : span.end])
    return span.start <= span.end and cut and not _latin(text[span.end + 1 : span.end + 2])


def _latin(letter: str) -> bool:
    return letter.isalnum() and letter < "\u0250"


def _inclusive(example: Spans) -> Finding:
    spans = tuple(
        replace(span, end=span.end + 1) if span.end < len(example.text) else span
        for span in example.spans
    )
    first = next(span for span in example.spans if _ends_early(example.text, span))
    short = example.text[first.start : first.end]
    whole = example.text[first.start : first.end + 1]
    return found(
        "inclusive-end",
        example,
        f"the end counts the last character in: '{short}' should be '{whole}'.",
        f"终点把最后一个字符计算在内：“{short}”应为“{whole}”。",
        mended=replace(example, spans=spans),
    )


def _misaligned(example: Spans) -> Iterator[Finding]:
    repaired = [repaired_span(example.text, span) for span in example.spans]
    for old, new in zip(example.spans, repaired, strict=True):
        if new == old:
            continue
        en, zh = _complaint(example.text, old)
        if new is not None:
            words = example.text[new.start : new.end]
            en += f"; it should be {new.start}–{new.end} '{shortened(words)}'."
            zh += f"；应为 {new.start}–{new.end}“{shortened(words)}”。"
        else:
            en, zh = f"{en}; it cannot be repaired.", f"{zh}；无法修复。"
        # One stretch that cannot be saved makes the whole example wrong: it would teach "nothing".
        kept = tuple(span for span in repaired if span is not None)
        whole = replace(example, spans=kept) if len(kept) == len(repaired) else None
        yield found("misaligned-span", example, en, zh, mended=whole)
        return


def _complaint(text: str, span: Span) -> tuple[str, str]:
    where = f"{span.start}–{span.end} ({span.label})"
    if not 0 <= span.start < span.end <= len(text):
        return (
            f"{where} does not lie in the text of {len(text)} characters",
            f"{where} 不在长度为 {len(text)} 的文本之内",
        )
    words = shortened(text[span.start : span.end])
    if span.said is not None and span.said != text[span.start : span.end]:
        return (
            f"{where} is '{words}', but the file says '{shortened(span.said)}'",
            f"{where} 是“{words}”，而文件写的是“{shortened(span.said)}”",
        )
    return (
        f"{where} is '{words}', which begins or ends with a blank or inside a word",
        f"{where} 是“{words}”，以空白开头或结尾，或切断了词",
    )


def repaired_span(text: str, span: Span) -> Span | None:
    """The span as it was meant: the same if nothing is wrong, None if nobody can tell.

    What the file says stands there is looked for, and the nearest place taken. Else blanks at the
    ends are left out, and Latin words that are cut are taken whole.
    """
    if span.said is not None:
        if text[span.start : span.end] == span.said and span.said:
            return span
        place = nearest(text, span.said, span.start)
        return None if place < 0 else replace(span, start=place, end=place + len(span.said))
    if not 0 <= span.start < span.end <= len(text):
        return None
    words = text[span.start : span.end]
    stripped = words.strip()
    if not stripped:
        return None
    start = span.start + len(words) - len(words.lstrip())
    end = start + len(stripped)
    while start > 0 and _letters(text[start - 1 : start + 1]):
        start -= 1
    while end < len(text) and _letters(text[end - 1 : end + 1]):
        end += 1
    return replace(span, start=start, end=end)


def _letters(two: str) -> bool:
    """Whether both characters are letters of one Latin word; camel case and digits part words."""
    return (
        len(two) == 2
        and all(letter.isalpha() and letter < "\u0250" for letter in two)
        and not (two[0].islower() and two[1].isupper())
    )


def nearest(text: str, words: str, place: int) -> int:
    """Where `words` stand in `text` nearest to `place`; -1 if nowhere."""
    if not words:
        return -1
    best, at = -1, text.find(words)
    while at >= 0:
        if best < 0 or abs(at - place) < abs(best - place):
            best = at
        at = text.find(words, at + 1)
    return best


def _overlapping(example: Spans) -> Iterator[Finding]:
    ordered = sorted(example.spans, key=lambda span: (span.start, -span.end, span.label))
    for one, two in pairwise(ordered):
        if two.start < one.end:
            yield found(
                "overlapping-span",
                example,
                f"{one.start}–{one.end} ({one.label}) and {two.start}–{two.end} ({two.label}) "
                "overlap; tags can hold only one of them.",
                f"{one.start}–{one.end}（{one.label}）与 {two.start}–{two.end}（{two.label}）"
                "重叠；标签序列只能容纳其一。",
                mended=without_overlaps(example),
            )
            return


def without_overlaps(example: Spans) -> Example:
    """The example with the longer one of any two stretches that overlap, the earlier of equals."""
    kept: list[Span] = []
    for span in sorted(example.spans, key=lambda each: (each.start - each.end, each.start)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return replace(example, spans=tuple(sorted(kept, key=lambda span: span.start)))
