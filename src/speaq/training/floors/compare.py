"""The classical model beside the neural one, and in plain words which of them to take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from speaq.core.errors import SettingsError
from speaq.core.language import say
from speaq.training.floors.classes import Readable, linear_machine, naive_bayes
from speaq.training.floors.compact import compact, open_compact
from speaq.training.floors.passages import best_sentences
from speaq.training.floors.tags import field
from speaq.training.floors.texts import copied, lead
from speaq.training.supervised.classifying import wanted_labels
from speaq.training.supervised.examples import Dialogue, Labelled, Question, Related, Tagged
from speaq.training.supervised.measures import (
    answer_measures,
    class_measures,
    rouge_l,
    several_measures,
    span_measures,
    text_measures,
)
from speaq.training.supervised.preparing import Examples

NAMES = {
    "naive-bayes": ("naive Bayes", "朴素贝叶斯"),
    "svm": ("linear SVM", "线性支持向量机"),
    "crf": ("conditional random field", "条件随机场"),
    "bm25-sentence": ("the sentence BM25 likes best", "BM25 选出的句子"),
    "lead-3": ("the first three sentences", "前三句"),
    "copy": ("the source itself", "原文"),
}


@dataclass(frozen=True)
class FloorRow:
    """One model's measure."""

    method: str
    metric: str
    value: float
    seconds: float
    """Of training."""
    measures: dict[str, Any]


def floors_of(examples: Examples, *, several: bool = False, seed: int = 0) -> list[FloorRow]:
    """The floors of a task, measured on its test examples, or on validation where there are none.

    Raises:
        SettingsError: the extra `classic` is missing.
        DataError: one class, tags that are not IOB2.
    """
    part = examples.test or examples.validation
    first = examples.training[0]
    if isinstance(first, Tagged):
        return [_crf(examples, cast(Sequence[Tagged], part))]
    if isinstance(first, Question):
        return [_reading(cast(Sequence[Question], part))]
    if isinstance(first, Dialogue):
        return _writing(cast(Sequence[Dialogue], part))
    return _classes(examples, cast(Sequence[Readable], part), several, seed)


def _timed(method: str, metric: str, work: Callable[[], tuple[float, dict[str, Any]]]) -> FloorRow:
    seconds, measures = work()
    return FloorRow(method, metric, float(measures[metric]), seconds, measures)


def _classes(
    examples: Examples, part: Sequence[Readable], several: bool, seed: int
) -> list[FloorRow]:
    training = cast(Sequence[Labelled | Related], examples.training)
    validation = cast(Sequence[Labelled | Related], examples.validation if examples.test else ())
    wanted = [wanted_labels(each) for each in part]

    def measured(found: Sequence[tuple[str, ...]]) -> dict[str, Any]:
        if several:
            return dict(several_measures(found, wanted))
        return dict(class_measures([each[0] for each in found], [each[0] for each in wanted]))

    def bayes() -> tuple[float, dict[str, Any]]:
        begun = time.perf_counter()
        model = naive_bayes(training)
        return time.perf_counter() - begun, measured(model.answers(part))

    def machine() -> tuple[float, dict[str, Any]]:
        begun = time.perf_counter()
        model = linear_machine(training, validation, several=several, seed=seed)
        return time.perf_counter() - begun, measured(model.answers(part))

    if several:
        return [_timed("svm", "micro_f1", machine)]
    return [_timed("naive-bayes", "accuracy", bayes), _timed("svm", "accuracy", machine)]


def compact_floor(examples: Examples, file: Path) -> FloorRow:
    """The small classifier, written to `file` and measured as it is read back.

    Raises:
        SettingsError: examples of another task.
    """
    part = cast(Sequence[Labelled], examples.test or examples.validation)
    if not all(isinstance(each, Labelled) and len(each.labels) == 1 for each in part):
        raise SettingsError(
            "the small classifier gives texts one label each; leave out --compact for other tasks.",
            "紧凑分类器只用于单标签文本分类；其他任务请去掉 --compact。",
        )
    begun = time.perf_counter()
    compact(cast(Sequence[Labelled], examples.training)).save(file)
    seconds = time.perf_counter() - begun
    found = [each[0] for each in open_compact(file).answers(part)]
    measures: dict[str, Any] = dict(class_measures(found, [each.labels[0] for each in part]))
    measures["megabytes"] = file.stat().st_size / 1e6
    return FloorRow("compact", "accuracy", measures["accuracy"], seconds, measures)


def _crf(examples: Examples, part: Sequence[Tagged]) -> FloorRow:
    begun = time.perf_counter()
    model = field(cast(Sequence[Tagged], examples.training))
    seconds = time.perf_counter() - begun
    measures: dict[str, Any] = dict(span_measures(model.answers(part), [e.tags for e in part]))
    return FloorRow("crf", "f1", measures["f1"], seconds, measures)


def _reading(part: Sequence[Question]) -> FloorRow:
    found = [each.text for each in best_sentences(part)]
    wanted = [[answer.text for answer in each.answers] for each in part]
    measures: dict[str, Any] = dict(answer_measures(found, wanted))
    return FloorRow("bm25-sentence", "f1", measures["f1"], 0.0, measures)


def _writing(part: Sequence[Dialogue]) -> list[FloorRow]:
    sources, wanted = [each.source for each in part], [each.answer for each in part]
    rows = []
    for method, found in (("lead-3", lead(sources)), ("copy", copied(sources))):
        measures = {**text_measures(found, wanted), "rouge_l": rouge_l(found, wanted)}
        rows.append(FloorRow(method, "chrf", measures["chrf"], 0.0, measures))
    return rows


def beside(neural: FloorRow, floors: Sequence[FloorRow]) -> dict[str, Any]:
    """All rows, the neural one first, and the verdict in both languages."""
    best = max(floors, key=lambda row: row.value)
    gain = neural.value - best.value
    name_en, name_zh = NAMES[best.method]
    shown = f"{neural.value:.4g}", f"{best.value:.4g}"
    if gain > 0:
        en = f"The neural model wins: {shown[0]} against {shown[1]} of {name_en}."
        zh = f"神经模型胜出：{shown[0]}，{name_zh}为 {shown[1]}。"
    else:
        en = (
            f"The neural model does not win: {shown[0]} against {shown[1]} of {name_en}, which "
            f"took {best.seconds:.3g} s. Take that one, or more data or another trunk."
        )
        zh = (
            f"神经模型没有胜出：{shown[0]}，而{name_zh}为 {shown[1]}，用时 {best.seconds:.3g} 秒。"
            "请采用后者，或增加数据、更换主干。"
        )
    return {
        "rows": [asdict(row) for row in (neural, *floors)],
        "gain": gain,
        "verdict_en": en,
        "verdict_zh": zh,
    }


def table(rows: Sequence[FloorRow]) -> str:
    """The rows as lines of text."""
    head = (say("model", "模型"), say("metric", "指标"), say("value", "数值"), say("seconds", "秒"))
    cells = [head] + [
        (row.method, row.metric, f"{row.value:.4g}", f"{row.seconds:.3g}") for row in rows
    ]
    widths = [max(len(line[n]) for line in cells) for n in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
