"""The doctor on texts of any kind: empty, damaged, with markup, very long, in another language."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from speaq.text.cleaning import CleaningSettings, clean
from speaq.text.doctor.damage import damage, mend
from speaq.text.doctor.findings import DoctorSettings, Finding, found, shortened
from speaq.text.doctor.languages import language, majority
from speaq.text.doctor.pairs import repaired_answer
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import (
    Answer,
    Example,
    Question,
    Span,
    Spans,
    Tagged,
    Text,
    texts,
)
from speaq.text.units import units

_MARKUP = CleaningSettings(form="keep", width="keep", invisible=False, blanks=False)
_SURE = 0.9
"""A text among others of its language has to be plainly of another one."""
_DAMAGE = {
    "lost": (
        "lost-characters",
        "characters were lost where the text was converted",
        "转换时丢失了字符",
    ),
    "misread": ("misread", "the text was read in a wrong encoding", "文本曾以错误的编码读取"),
    "invisible": ("invisible", "the text has characters that nobody sees", "文本含有不可见字符"),
}


def check_texts(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield what is wrong with texts, without regard to labels."""
    for data in files:
        expected = languages(data, settings)
        for example in data.examples:
            fields = texts(example)
            empty = [name for name, text in fields.items() if not text.strip()]
            if empty:
                yield found("empty", example, f"{empty[0]} is empty.", f"{empty[0]} 为空。")
                continue
            yield from _damaged(example, fields)
            yield from _marked_up(example, fields)
            yield from _foreign(example, fields, expected)
            yield from _long(example, fields, settings.longest)


def _damaged(example: Example, fields: dict[str, str]) -> Iterator[Finding]:
    for name, text in fields.items():
        kind = damage(text)
        if kind:
            title, en, zh = _DAMAGE[kind]
            mended = None if kind == "lost" else changed(example, mend)
            yield found(
                title,
                example,
                f"{en}: {name} '{shortened(text)}'.",
                f"{zh}：{name}“{shortened(text)}”。",
                mended=mended,
            )
            return


def _marked_up(example: Example, fields: dict[str, str]) -> Iterator[Finding]:
    for name, text in fields.items():
        if ("<" in text or "&" in text) and without_markup(text) != text:
            yield found(
                "markup",
                example,
                f"{name} has HTML in it: '{shortened(text)}'.",
                f"{name} 含有 HTML：“{shortened(text)}”。",
                mended=changed(example, without_markup),
            )
            return


def without_markup(text: str) -> str:
    """The text without HTML."""
    return clean(text, _MARKUP)


def _long(example: Example, fields: dict[str, str], longest: int) -> Iterator[Finding]:
    # Readers of long contexts look at them window by window, and a corpus is packed.
    if isinstance(example, Question | Text):
        return
    for name, text in fields.items():
        count = len(units(text)) if len(text) > longest else 0
        if count > longest:
            yield found(
                "over-long",
                example,
                f"{name} has {count} words, more than {longest}; a model may see only its start.",
                f"{name} 有 {count} 个词（字），超过 {longest}；模型可能只看到开头。",
            )
            return


def languages(data: DataFile, settings: DoctorSettings) -> dict[str, str]:
    """The language that each field of a file should be in; empty where nothing can be said."""
    if settings.language:
        names = texts(data.entries[0].example) if data.entries else ()
        return dict.fromkeys(names, settings.language)
    columns: dict[str, list[str]] = {}
    step = max(1, len(data.entries) // 500)
    for entry in data.entries[::step]:
        for name, text in texts(entry.example).items():
            columns.setdefault(name, []).append(language(text))
    return {name: majority(found) for name, found in columns.items()}


def _foreign(
    example: Example, fields: dict[str, str], expected: dict[str, str]
) -> Iterator[Finding]:
    for name, text in fields.items():
        wanted = expected.get(name, "")
        spoken = language(text, _SURE) if wanted else ""
        if spoken and spoken != wanted:
            yield found(
                "wrong-language",
                example,
                f"{name} is {spoken}, the others are {wanted}: '{shortened(text)}'.",
                f"{name} 的语言是 {spoken}，其他为 {wanted}：“{shortened(text)}”。",
            )
            return


def changed(example: Example, change: Callable[[str], str]) -> Example | None:
    """The example with every text changed; offsets move along. None where they cannot.

    A change may shorten a text, but what it does to a piece must be what it does to the whole.
    """
    match example:
        case Tagged(tokens=tokens):
            return replace(example, tokens=tuple(map(change, tokens)))
        case Spans(text=text, spans=spans):
            made = change(text)
            moved = [_moved(span, text, made, change) for span in spans]
            if None in moved:
                return None
            return replace(example, text=made, spans=tuple(each for each in moved if each))
        case Question(context=context, question=question, answers=answers):
            made = change(context)
            placed = tuple(_placed(answer, context, made, change) for answer in answers)
            return replace(example, question=change(question), context=made, answers=placed)
        case _:
            values: dict[str, Any] = {n: change(text) for n, text in texts(example).items()}
            return replace(example, **values)


def _moved(span: Span, old: str, new: str, change: Callable[[str], str]) -> Span | None:
    start = len(change(old[: span.start]))
    words = change(old[span.start : span.end])
    end = start + len(words)
    if new[start:end] != words or not words:
        return None
    said = None if span.said is None else change(span.said)
    return replace(span, start=start, end=end, said=said)


def _placed(answer: Answer, old: str, new: str, change: Callable[[str], str]) -> Answer:
    """The answer where it stands now; one that stands nowhere is a fault of its own."""
    moved = Answer(change(answer.text), len(change(old[: max(0, answer.start)])))
    return repaired_answer(new, moved) or moved
