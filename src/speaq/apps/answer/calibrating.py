"""When to keep silent, fitted on examples of the user's own: questions with their answers, and
questions that the documents do not answer.

What is printed was not fitted on: each fifth of the examples is judged by what the other four
taught, their threshold included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speaq.apps.answer.deciding import SIGNS, Decider, fit
from speaq.apps.answer.domain import Domain
from speaq.apps.answer.reader import Span
from speaq.apps.answer.searching import Found
from speaq.core.errors import DataError, EvidenceError
from speaq.core.language import say
from speaq.core.progress import track
from speaq.core.seeds import generator
from speaq.text.files.readers import read_rows, suffix_of
from speaq.text.files.squad import is_squad
from speaq.training.supervised.examples import Question
from speaq.training.supervised.files import read_training
from speaq.training.supervised.measures import answer_measures, plain_answer

LEAST = 50
"""Examples below which nothing is fitted."""
_FOLDS = 5
_ENOUGH = 0.5
"""F1 from which an answer is right."""


class Asked(NamedTuple):
    """A question and the answers that are right; without any, the documents do not say."""

    question: str
    answers: tuple[str, ...]


class Rate(NamedTuple):
    """A share of so many, with a 95 % interval (Wilson 1927)."""

    value: float
    low: float
    high: float
    of: int

    def __str__(self) -> str:
        return f"{self.value:.1%} [{self.low:.1%}, {self.high:.1%}] of {self.of}"


@dataclass(frozen=True)
class Report:
    """What a fitted decider does with examples that it was not fitted on."""

    coverage: Rate
    """Answered, of the questions that the documents answer."""
    false_answers: Rate
    """Answered, of the questions that they do not answer."""
    right: Rate
    """Right, of all answers given."""
    auroc: float
    """That an answerable question is surer than an unanswerable one."""
    auroc_low: float
    auroc_high: float

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        rates = {n: getattr(self, n)._asdict() for n in ("coverage", "false_answers", "right")}
        return {**rates, "auroc": [self.auroc, self.auroc_low, self.auroc_high]}


def read_asked(file: Path) -> list[Asked]:
    """Questions of a SQuAD file, or of a table with the columns question and answer; an empty
    answer says that there is none.

    Raises:
        DataError: no such file, or a row without a question.
    """
    if suffix_of(file) == ".json" and file.is_file() and _squad(file):
        found = read_training(file, "reading")
        return [
            Asked(each.question, tuple(answer.text for answer in each.answers))
            for each in found
            if isinstance(each, Question)
        ]
    made = []
    for row, record in read_rows(file):
        question = record.get("question") or record.get("问题")
        if not isinstance(question, str) or not question.strip():
            raise DataError(
                f"expected a question (columns found: {', '.join(record)}).",
                f"应有问题（现有的列：{'、'.join(record)}）。",
                file=file,
                row=row,
                field="question",
            )
        answer = record.get("answer") or record.get("答案") or ""
        answers = answer if isinstance(answer, list) else [answer]
        made.append(Asked(question, tuple(str(a) for a in answers if str(a).strip())))
    return made


def _squad(file: Path) -> bool:
    rows = list(read_rows(file))
    return len(rows) == 1 and is_squad(rows[0][1])


@dataclass(frozen=True)
class Judged:
    """Examples as a domain answers them, sure or not."""

    signs: NDArray[np.float64]
    """(N, S); zeros where nothing was found."""
    right: NDArray[np.bool_]
    """Whether the answer is right."""
    answerable: NDArray[np.bool_]
    texts: tuple[str, ...]
    """The answers."""


def judge(domain: Domain, examples: Sequence[Asked]) -> Judged:
    """Ask a domain all examples."""
    signs = np.zeros((len(examples), len(SIGNS)))
    right = np.zeros(len(examples), bool)
    texts = []
    listed = enumerate(examples)
    for n, example in track(listed, say("asking", "提问"), len(examples)):
        reading = domain.read(example.question)
        text = ""
        if reading is not None:
            signs[n] = reading.signs
            text = answer_text(reading.found[reading.place], reading.spans[reading.place])
        texts.append(text)
        right[n] = is_right(text, example.answers)
    answerable = np.array([bool(example.answers) for example in examples])
    return Judged(signs, right, answerable, tuple(texts))


def answer_text(found: Found, span: Span) -> str:
    """A span as it is read out."""
    return " ".join(found.passage.text[span.start : span.end].split())


def is_right(text: str, wanted: Sequence[str]) -> bool:
    """Whether an answer is one of those wanted, or a sentence that holds one."""
    if not text or not wanted:
        return False
    given = " ".join(plain_answer(text))
    held = any(f" {' '.join(plain_answer(each))} " in f" {given} " for each in wanted)
    return held or answer_measures([text], [list(wanted)])["f1"] >= _ENOUGH


def calibrate(
    domain: Domain, examples: Sequence[Asked], coverage: float = 0.9, seed: int = 0
) -> tuple[Decider, Report]:
    """Fit when to answer.

    Args:
        domain: whose answers are judged.
        examples: at least `LEAST`, of both kinds.
        coverage: share of the answerable questions that shall be answered.
        seed: of the folds.

    Raises:
        EvidenceError: too few examples, or all of one kind.
    """
    silent = sum(not example.answers for example in examples)
    if len(examples) < LEAST or silent < _FOLDS or len(examples) - silent < _FOLDS:
        raise EvidenceError(
            f"{len(examples)} examples, {silent} of them without an answer; at least {LEAST} are "
            f"needed, and {_FOLDS} of either kind.",
            f"共 {len(examples)} 个样本，其中 {silent} 个没有答案；至少需要 {LEAST} 个，"
            f"且两类各不少于 {_FOLDS} 个。",
        )
    return fitted(judge(domain, examples), coverage, seed)


def fitted(judged: Judged, coverage: float = 0.9, seed: int = 0) -> tuple[Decider, Report]:
    """Fit when to answer to judged examples; see `calibrate`."""
    count = len(judged.right)
    fold = generator(seed, "calibrate").permutation(count) % _FOLDS
    sure, answered = np.zeros(count), np.zeros(count, bool)
    for k in range(_FOLDS):
        taught, held = fold != k, fold == k
        weights = fit(judged.signs[taught], judged.right[taught])
        known = _probabilities(weights, judged.signs[taught])
        threshold = threshold_at(known[judged.answerable[taught]], coverage)
        sure[held] = _probabilities(weights, judged.signs[held])
        answered[held] = sure[held] >= threshold
    weights = fit(judged.signs, judged.right)
    threshold = threshold_at(_probabilities(weights, judged.signs)[judged.answerable], coverage)
    decider = Decider(tuple(weights.tolist()), threshold, count)
    return decider, report(sure, answered, judged.right, judged.answerable, seed)


def _probabilities(weights: NDArray[Any], signs: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = np.clip(signs @ weights[:-1] + weights[-1], -30, 30)
    return np.asarray(1 / (1 + np.exp(-logits)))


def threshold_at(sure: NDArray[np.float64], coverage: float) -> float:
    """The largest threshold that a share `coverage` of these passes."""
    ordered = np.sort(sure)[::-1]
    return float(ordered[max(0, int(np.ceil(coverage * len(ordered) - 1e-9)) - 1)])


def report(
    sure: NDArray[np.float64],
    answered: NDArray[np.bool_],
    right: NDArray[np.bool_],
    answerable: NDArray[np.bool_],
    seed: int,
) -> Report:
    """What decisions were worth: all (N,)."""
    value = auroc(sure, answerable)
    low, high = _interval(lambda rows: auroc(sure[rows], answerable[rows]), len(sure), seed)
    return Report(
        rate(int((answered & answerable).sum()), int(answerable.sum())),
        rate(int((answered & ~answerable).sum()), int((~answerable).sum())),
        rate(int((answered & right).sum()), int(answered.sum())),
        value,
        low,
        high,
    )


def rate(count: int, of: int) -> Rate:
    """A share with its interval."""
    if of == 0:
        return Rate(0.0, 0.0, 1.0, 0)
    z = NormalDist().inv_cdf(0.975)
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    wide = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Rate(share, max(0.0, middle - wide), min(1.0, middle + wide), of)


def auroc(sure: NDArray[np.float64], held: NDArray[np.bool_]) -> float:
    """The probability that one of those held is surer than one of the others; ties count half."""
    above, below = sure[held], np.sort(sure[~held])
    if not len(above) or not len(below):
        return 0.5
    wins = np.searchsorted(below, above, "left") + np.searchsorted(below, above, "right")
    return float(wins.mean() / (2 * len(below)))


def _interval(
    measure: Callable[[NDArray[np.intp]], float], count: int, seed: int
) -> tuple[float, float]:
    """A 95 % bootstrap interval over examples."""
    draws = generator(seed, "auroc").integers(0, count, (500, count))
    low, high = np.quantile([measure(rows) for rows in draws], [0.025, 0.975])
    return float(low), float(high)
