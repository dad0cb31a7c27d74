"""The doctor on what comes in twos: questions and answers, sentences and translations."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from speaq.text.doctor.findings import DoctorSettings, Finding, found, shortened
from speaq.text.doctor.similar import folded
from speaq.text.doctor.spans import nearest
from speaq.text.files.data_files import DataFile
from speaq.text.files.examples import Answer, Parallel, Question
from speaq.text.units import units

_RATIO = 4.0
"""A translation is this many times longer or shorter than is usual in the file."""
_WORDS = 12
"""The longer side of such a pair has at least as many words; short ones vary."""


def check_questions(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield questions whose answers are not where they are said to be, or missing."""
    ids: dict[str, Question] = {}
    for data in files:
        for example in data.examples:
            if not isinstance(example, Question):
                continue
            yield from _answers(example)
            first = ids.setdefault(example.id, example) if example.id else example
            if first is not example:
                yield found(
                    "repeated-id",
                    example,
                    f"id '{example.id}' is that of {first.place}.",
                    f"编号“{example.id}”与 {first.place} 相同。",
                    others=(first.place,),
                    mended=replace(example, id=f"{example.id}-{example.place.row}"),
                )


def _answers(example: Question) -> Iterator[Finding]:
    if example.impossible and example.answers:
        yield found(
            "needless-answer",
            example,
            f"said to have no answer, but has '{shortened(example.answers[0].text)}'.",
            f"标为不可回答，却有答案“{shortened(example.answers[0].text)}”。",
            mended=replace(example, answers=()),
        )
    elif not example.impossible and not example.answers:
        yield found(
            "no-answer",
            example,
            "there is no answer, and the file does not say that there is none.",
            "没有答案，文件也未标明不可回答。",
        )
    for answer in example.answers:
        if example.context[answer.start : answer.start + len(answer.text)] == answer.text:
            continue
        yield _offset(example, answer)
        return


def _offset(example: Question, answer: Answer) -> Finding:
    stands = example.context[answer.start : answer.start + len(answer.text)]
    right = repaired_answer(example.context, answer)
    en = f"at {answer.start} stands '{shortened(stands)}', not '{shortened(answer.text)}'"
    zh = f"{answer.start} 处是“{shortened(stands)}”，而非“{shortened(answer.text)}”"
    repaired = [repaired_answer(example.context, each) for each in example.answers]
    kept = tuple(each for each in repaired if each is not None)
    # An answer that stands nowhere is left out; a question with no other answer with it.
    mended = replace(example, answers=tuple(dict.fromkeys(kept))) if kept else None
    if right is not None:
        en, zh = f"{en}; it is at {right.start}.", f"{zh}；实际在 {right.start}。"
    else:
        en, zh = f"{en}, which is nowhere.", f"{zh}，且全文没有。"
    return found("answer-offset", example, en, zh, mended=mended)


def repaired_answer(context: str, answer: Answer) -> Answer | None:
    """The answer at the nearest place where it stands, None if it stands nowhere.

    Blanks around it, and what kind of blank parts its words, do not count.
    """
    if answer.text and context.startswith(answer.text, max(0, answer.start)):
        return answer
    words = answer.text.strip()
    place = nearest(context, words, answer.start)
    if place >= 0:
        return Answer(words, place)
    return _loosely(context, words, answer.start)


def _loosely(context: str, words: str, start: int) -> Answer | None:
    """The answer where the context has it with other blanks or another case."""
    kept = [(place, letter) for place, letter in enumerate(context) if not letter.isspace()]
    bare = "".join(words.split())
    dense = "".join(letter for _, letter in kept)
    for text, wanted in ((dense, bare), (dense.lower(), bare.lower())):
        # A letter whose small form is two would move all places behind it.
        if len(text) != len(kept):
            continue
        near = sum(place < start for place, _ in kept)
        place = nearest(text, wanted, near)
        if place >= 0:
            first, last = kept[place][0], kept[place + len(wanted) - 1][0]
            return Answer(context[first : last + 1], first)
    return None


def check_parallel(files: Sequence[DataFile], settings: DoctorSettings) -> Iterator[Finding]:
    """Yield pairs that are no translations of each other."""
    for data in files:
        pairs = [each for each in data.examples if isinstance(each, Parallel)]
        whole = [each for each in pairs if each.source.strip() and each.target.strip()]
        usual = median(map(_ratio, whole)) if whole else 0.0
        for example in whole:
            if _is_copy(example, pairs):
                yield found(
                    "untranslated",
                    example,
                    f"both sides are '{shortened(example.source)}'.",
                    f"两侧都是“{shortened(example.source)}”。",
                )
            elif _is_odd(example, usual):
                yield found(
                    "length-ratio",
                    example,
                    f"{len(units(example.source))} words against {len(units(example.target))}: "
                    f"'{shortened(example.source)}', '{shortened(example.target)}'.",
                    f"词（字）数 {len(units(example.source))} 对 {len(units(example.target))}："
                    f"“{shortened(example.source)}”“{shortened(example.target)}”。",
                )


def _is_copy(example: Parallel, pairs: Sequence[Parallel]) -> bool:
    """Whether both sides are the same sentence; a name or a number may well be."""
    return folded(example.source) == folded(example.target) and len(units(example.source)) > 2


def _ratio(example: Parallel) -> float:
    """How much longer the target is, as a logarithm."""
    return math.log((1 + len(units(example.target))) / (1 + len(units(example.source))))


def _is_odd(example: Parallel, usual: float) -> bool:
    longer = max(len(units(example.source)), len(units(example.target)))
    return longer >= _WORDS and abs(_ratio(example) - usual) > math.log(_RATIO)
