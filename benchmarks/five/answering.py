"""Answering by logged ratings: which of the sentences that BM25 finds answers the question.

The answerable questions of the SQuAD 2.0 part; all its sentences are searched. The log shows one
of the best eight, rank k with chances ∝ 1/k; a thumb says whether it is a sentence of the right
paragraph that holds an answer, and a tenth of the thumbs is wrong. Articles of the log are not
those of the test. Score: the share of test questions whose shown sentence answers (hit@1), the
log's in expectation. What the policies see of a candidate is in `signs`; `bm25` always shows the
best by score.
"""

import gzip
import json
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from five.choosing import best, imitated, learnt, row
from speaq.core.seeds import generator, torch_generator
from speaq.qlearning.choices import CandidateScores, ChoiceLog, Scorer
from speaq.text.sentences import sentences
from speaq.training.floors.search import index, search_terms

CANDIDATES, LOGGED, MISTAKEN = 8, 2000, 0.1
APPLICATION = "answering"
Row = dict[str, Any]


def rows(root: Path, cache: Path, seed: int, tell: Callable[[Row], None]) -> None:
    """All rows of one seed."""
    features, right, articles = material(root, cache)
    names = np.unique(articles)
    chosen = generator(seed, "articles").permutation(names)[: len(names) // 2]
    inside = np.isin(articles, chosen)
    draw = torch_generator(seed, "log")
    asked = torch.from_numpy(np.flatnonzero(inside))
    asked = asked[torch.randint(len(asked), (LOGGED,), generator=draw)]
    there = ~features.isnan().any(-1)
    ranks = 1 / torch.arange(1.0, CANDIDATES + 1)
    policy = ranks * there / (ranks * there).sum(1, keepdim=True)
    taken = torch.multinomial(policy[asked], 1, generator=draw)[:, 0]
    wrong = torch.rand(LOGGED, generator=draw) < MISTAKEN
    thumbs = (right[asked, taken] ^ wrong).float()
    log = ChoiceLog(features[asked], taken, thumbs, policy[asked, taken])
    tests = torch.from_numpy(np.flatnonzero(~inside))
    expected = (policy * right).sum(1)[tests]
    tell(row(seed, APPLICATION, "logged", expected.tolist(), 0.0))
    tell(row(seed, APPLICATION, "bm25", right[tests, 0].float().tolist(), 0.0))

    def make(start: float) -> Scorer:
        return CandidateScores(features.shape[-1], start)

    methods: dict[str, Callable[[], Callable[..., torch.Tensor]]] = {
        "cloning": lambda: imitated(log, make),
        "filtered cloning": lambda: imitated(log, make, clicked=True),
        "speaq": lambda: learnt(log, make, seed),
    }
    for method, learn in methods.items():
        begun = time.perf_counter()
        scorer = learn()
        seconds = time.perf_counter() - begun
        shown = best(scorer, features[tests])
        found = right[tests].gather(1, shown[:, None])[:, 0].float()
        tell(row(seed, APPLICATION, method, found.tolist(), seconds))


def material(root: Path, cache: Path) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Signs (Q, K, F), which candidates hold an answer (Q, K), the article of each question."""
    file = cache / "squad-sentences.npz"
    if not file.exists():
        np.savez(file, **_found(root))
    with np.load(file) as held:
        features = torch.from_numpy(held["features"])
        mean, spread = features.nanmean((0, 1)), _spread(features)
        return (features - mean) / spread, torch.from_numpy(held["right"]), held["articles"]


def _spread(features: torch.Tensor) -> torch.Tensor:
    there = features[~features.isnan().any(-1)]
    return there.std(0).clamp(min=1e-6)


def _found(root: Path) -> dict[str, np.ndarray]:
    with gzip.open(root / "squad2" / "dev-v2.0.json.gz", "rt", encoding="utf-8") as stream:
        data = json.load(stream)["data"]
    told = [
        Told(sentence, number, place)
        for number, article in enumerate(data)
        for place, paragraph in enumerate(article["paragraphs"])
        for sentence in sentences(paragraph["context"])
    ]
    engine = index([each.text for each in told])
    around: dict[tuple[int, int], set[str]] = {}
    for each in told:
        around.setdefault(each.paragraph, set()).update(each.terms)
    features, right, articles = [], [], []
    for number, article in enumerate(data):
        for place, paragraph in enumerate(article["paragraphs"]):
            for asked in paragraph["qas"]:
                if asked["is_impossible"]:
                    continue
                hits = engine.search(asked["question"], CANDIDATES)
                answers = {answer["text"] for answer in asked["answers"]}
                block = np.full((CANDIDATES, SIGNS), np.nan, np.float32)
                holds = np.zeros(CANDIDATES, bool)
                for rank, hit in enumerate(hits):
                    found = told[hit.place]
                    ratio = hit.score / hits[0].score
                    context = around[found.paragraph]
                    block[rank] = signs(asked["question"], found, context, ratio, rank)
                    here = found.paragraph == (number, place)
                    holds[rank] = here and any(answer in found.text for answer in answers)
                features.append(block)
                right.append(holds)
                articles.append(number)
    return {
        "features": np.stack(features),
        "right": np.stack(right),
        "articles": np.array(articles),
    }


class Told:
    """What is known of a sentence before anybody asks."""

    def __init__(self, text: str, article: int, paragraph: int) -> None:
        self.text = text
        self.paragraph = (article, paragraph)
        terms = search_terms(text)
        self.length = len(terms)
        self.terms = frozenset(terms)
        self.pairs = frozenset(pairwise(terms))
        self.names = frozenset(re.findall(r"(?<!^)\b[A-Z]\w+", text))
        self.numbers = frozenset(re.findall(r"\d[\d.,]*", text))


SIGNS = 9
_NUMBER = re.compile(r"\b(?:how (?:many|much|long|old|far)|when|what (?:year|percentage))\b", re.I)
_NAME = re.compile(r"\b(?:who|whom|whose|where|which|what (?:city|country|company))\b", re.I)


def signs(question: str, told: Told, context: set[str], ratio: float, rank: int) -> list[float]:
    """Of one candidate: its score beside the best one's; its rank; the share of the question's
    terms and of its pairs of terms in it, and of its terms in the paragraph; its length; whether
    a number or a name that the question lacks is there where one is asked for, or a number where
    none is."""
    terms = search_terms(question)
    known, pairs = set(terms), set(pairwise(terms))
    count = max(1, len(known))
    number = any(each not in question for each in told.numbers)
    name = any(each not in question for each in told.names)
    wants_number, wants_name = bool(_NUMBER.search(question)), bool(_NAME.search(question))
    return [
        ratio,
        1 / (1 + rank),
        len(known & told.terms) / count,
        len(pairs & told.pairs) / max(1, len(pairs)),
        len(known & context) / count,
        float(np.log(1 + told.length)),
        float(number and wants_number),
        float(name and wants_name),
        float(number and not wants_number),
    ]
