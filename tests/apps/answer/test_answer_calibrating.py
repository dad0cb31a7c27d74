"""Knowing when to keep silent, and measuring it."""

import json
from pathlib import Path

import numpy as np
import pytest

from speaq.apps.answer import deciding
from speaq.apps.answer.calibrating import (
    Asked,
    Judged,
    auroc,
    calibrate,
    fitted,
    is_right,
    rate,
    read_asked,
    threshold_at,
)
from speaq.apps.answer.deciding import SIGNS, fit, open_decider
from speaq.apps.answer.domain import Domain
from speaq.apps.answer.evaluating import Finding, answering, finding
from speaq.core.errors import DataError, EvidenceError


def judged(rows: int, seed: int, noise: float) -> Judged:
    """Examples of which the first sign says, with some noise, whether they have an answer."""
    stream = np.random.default_rng(seed)
    answerable = stream.random(rows) < 0.5
    signs = stream.normal(size=(rows, len(SIGNS)))
    signs[:, 0] = answerable + noise * stream.normal(size=rows)
    return Judged(signs, answerable, answerable, ("",) * rows)


def test_the_threshold_keeps_its_coverage_on_examples_it_has_not_seen() -> None:
    decider, report = fitted(judged(400, 0, 0.3), coverage=0.9)
    assert report.coverage.low < 0.9 < report.coverage.high
    assert report.false_answers.value < 0.1 and report.auroc > 0.95
    fresh = judged(2000, 1, 0.3)
    sure = np.array([decider.probability(row) for row in fresh.signs])
    answered = sure >= decider.threshold
    assert answered[fresh.answerable].mean() == pytest.approx(0.9, abs=0.03)
    assert answered[~fresh.answerable].mean() == pytest.approx(report.false_answers.value, abs=0.04)


def test_signs_that_say_nothing_are_reported_as_such() -> None:
    _, report = fitted(judged(400, 0, 1e6), coverage=0.9)
    assert report.auroc_low < 0.5 < report.auroc_high
    assert report.false_answers.high > 0.8


def test_the_regression_is_at_the_optimum_of_its_likelihood() -> None:
    data = judged(300, 3, 1.0)
    weights = fit(data.signs, data.right, ridge=1e-6)
    p = 1 / (1 + np.exp(-(data.signs @ weights[:-1] + weights[-1])))
    assert np.abs(data.signs.T @ (p - data.right)).max() < 1e-3
    assert p.mean() == pytest.approx(data.right.mean(), abs=1e-6)


def test_a_sign_that_never_changes_has_no_weight() -> None:
    data = judged(100, 0, 0.5)
    data.signs[:, 3] = 7.0
    assert fit(data.signs, data.right)[3] == 0


def test_wilson_interval() -> None:
    found = rate(9, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.9, 0.596, 0.982)
    assert rate(0, 0)[1:3] == (0.0, 1.0)


def test_auroc_counts_ties_half() -> None:
    sure, held = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert auroc(sure, held) == (1 + 1 + 0.5 + 1) / 4


def test_threshold_at_coverage() -> None:
    assert threshold_at(np.arange(10) / 10, 0.9) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "wanted", "right"),
    [
        ("It was built in 1998 by Anna.", ("1998",), True),
        ("The Anna Keller house", ("Anna Keller",), True),
        ("保修期是三年。", ("三年",), True),
        ("It was built in 19981.", ("1998",), False),
        ("anything", (), False),
        ("", ("1998",), False),
    ],
)
def test_what_counts_as_right(text: str, wanted: tuple[str, ...], right: bool) -> None:
    assert is_right(text, wanted) == right


EXAMPLES = [
    ("When was the pump built?", "1998"),
    ("Who built the pump P-7?", "Anna Keller"),
    ("How often must the filter be changed?", "six months"),
    ("专业版的保修期多长？", "三年"),
    ("基础版的价格是多少？", "两千元"),
    ("Who won the world cup in Spain?", ""),
    ("What is the speed of light?", ""),
    ("明天的天气怎么样？", ""),
    ("谁写了红楼梦？", ""),
    ("Where do penguins sleep in winter?", ""),
]


def test_calibrated_on_a_table_of_ones_own(indexed: Path, tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    rows = [{"question": q, "answer": a} for q, a in EXAMPLES * 6]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    domain = Domain(indexed)
    decider, report = calibrate(domain, read_asked(file), 0.9)
    assert report.false_answers.value == 0 and report.coverage.value >= 0.8
    deciding.save(decider, indexed, report.facts())
    assert open_decider(indexed) == decider and decider.fitted == 60
    domain.refresh()
    measures = answering(domain, read_asked(file))
    assert measures["coverage"] >= 0.8 and measures["false_answer_rate"] == 0


def test_few_examples_or_of_one_kind_are_refused(indexed: Path) -> None:
    domain = Domain(indexed)
    with pytest.raises(EvidenceError, match="49 examples"):
        calibrate(domain, [Asked("a", ("b",))] * 49)
    with pytest.raises(EvidenceError, match="0 of them without an answer"):
        calibrate(domain, [Asked("a", ("b",))] * 60)


def test_a_table_without_questions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("asked,answer\nx,y\n")
    with pytest.raises(DataError, match=r"a\.csv, row 2, field 'question'.*asked, answer"):
        read_asked(tmp_path / "a.csv")


def test_squad_is_read(tmp_path: Path) -> None:
    answers = [{"text": "1998", "answer_start": 9}]
    asked = [
        {"id": "1", "question": "When?", "answers": answers, "is_impossible": False},
        {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
    ]
    paragraph = {"context": "Built in 1998.", "qas": asked}
    file = tmp_path / "squad.json"
    file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]}))
    assert read_asked(file) == [Asked("When?", ("1998",)), Asked("Why?", ())]


def test_ranks_become_measures() -> None:
    measures = Finding((1, 2, 0, 7)).measures()
    assert measures["recall@1"] == 0.25 and measures["recall@5"] == 0.5
    assert measures["recall@10"] == 0.75
    assert measures["mrr@10"] == pytest.approx((1 + 1 / 2 + 1 / 7) / 4)
    assert measures["ndcg@10"] == pytest.approx((1 + 1 / np.log2(3) + 1 / 3) / 4)


def test_finding_asks_for_the_passage_with_the_answer(indexed: Path) -> None:
    examples = [Asked(q, (a,)) for q, a in EXAMPLES if a]
    assert finding(Domain(indexed), examples, "bm25").measures()["recall@1"] == 1.0
