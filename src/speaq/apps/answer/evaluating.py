"""How well a domain finds and answers, on questions in SQuAD's format or in a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from speaq.apps.answer.calibrating import Asked, answer_text
from speaq.apps.answer.domain import Domain
from speaq.apps.answer.searching import Method
from speaq.core.language import say
from speaq.core.progress import track
from speaq.training.supervised.measures import answer_measures, plain_answer

DEPTH = 10
"""Passages that MRR and nDCG look at."""


@dataclass(frozen=True)
class Finding:
    """Where the first passage that holds an answer stands, for each question; 0: not found."""

    ranks: tuple[int, ...]

    def measures(self) -> dict[str, float]:
        """Recall at 1, 5 and 10, mean reciprocal rank and nDCG at 10. One passage is wanted for
        a question, so the ideal gain is 1."""
        ranks = np.array(self.ranks)

        def recall(k: int) -> float:
            return float(((ranks > 0) & (ranks <= k)).mean())

        gains = [(1 / rank, 1 / log2(1 + rank)) if rank else (0.0, 0.0) for rank in self.ranks]
        mrr, ndcg = np.mean(gains, axis=0)
        return {
            "recall@1": recall(1),
            "recall@5": recall(5),
            "recall@10": recall(10),
            "mrr@10": float(mrr),
            "ndcg@10": float(ndcg),
        }


def finding(domain: Domain, examples: Sequence[Asked], method: Method = "auto") -> Finding:
    """Search for the questions that have an answer; a passage that holds it was wanted (Chen et
    al. 2017, section 5.1)."""
    asked = [example for example in examples if example.answers]
    ranks = []
    for example in track(asked, say("searching", "检索"), len(asked)):
        found = domain.search.find(example.question, DEPTH, method)
        texts = [f" {' '.join(plain_answer(each.passage.text))} " for each in found]
        wanted = [f" {' '.join(plain_answer(each))} " for each in example.answers]
        held = [n for n, text in enumerate(texts, 1) if any(each in text for each in wanted)]
        ranks.append(held[0] if held else 0)
    return Finding(tuple(ranks))


def answering(domain: Domain, examples: Sequence[Asked]) -> dict[str, Any]:
    """EM and F1 of the answers (SQuAD 2.0: silence is right where there is none; Chinese counts
    characters, as CMRC's script does), the share answered, and the share of false answers."""
    texts = []
    for example in track(examples, say("asking", "提问"), len(examples)):
        reading = domain.read(example.question)
        sure = reading is not None and reading.probability >= domain.decider.threshold
        text = ""
        if reading is not None and sure:
            text = answer_text(reading.found[reading.place], reading.spans[reading.place])
        texts.append(text)
    wanted = [list(example.answers) for example in examples]
    measures: dict[str, Any] = dict(answer_measures(texts, wanted))
    held = [bool(text) for text, answers in zip(texts, wanted, strict=True) if answers]
    silent = [bool(text) for text, answers in zip(texts, wanted, strict=True) if not answers]
    measures["coverage"] = float(np.mean(held)) if held else 0.0
    if silent:
        measures["false_answer_rate"] = float(np.mean(silent))
    return measures
