"""Translation: a small translator's own samples, rated by chrF against what a person wrote.

`bases.translator` draws several translations of short German sentences of Multi30k's training
part; each is rated by its sentence chrF, a hundredth of it. Score: mean sentence chrF, 0 to 100, on
the short sentences of the 2016 test part, drawn as the log was.
"""

from collections.abc import Callable
from functools import cache as kept
from pathlib import Path
from typing import Any

from five.bases import pairs, translator
from five.texts import Task, compare
from speaq.core.seeds import generator
from speaq.models.decoding import Decoding

PROMPTS, SAMPLES, TESTS, PLAYS = 100, 8, 100, 2


def rows(root: Path, cache: Path, seed: int, tell: Callable[[dict[str, Any]], None]) -> None:
    """All rows of one seed."""
    from sacrebleu.metrics.chrf import CHRF

    chrf = CHRF()
    training, tests = pairs(root, "train"), pairs(root, "test_2016_flickr")
    wanted = dict([*training, *tests])
    order = generator(seed, "prompts").permutation(len(training))[:PROMPTS]

    @kept
    def score(german: str, english: str) -> float:
        return float(chrf.sentence_score(english, [wanted[german]]).score) / 100

    def hundredfold(found: dict[str, Any]) -> None:
        tell({**found, **{name: 100 * found[name] for name in ("score", "low", "high")}})

    task = Task(
        application="translation",
        model=translator(root, cache),
        prompts=list(dict.fromkeys(training[place][0] for place in order)),
        tests=list(dict.fromkeys(german for german, _ in tests))[:TESTS],
        score=score,
        samples=SAMPLES,
        plays=PLAYS,
        noise=0.0,
        decoding=Decoding(max_new_tokens=24),
    )
    compare(task, seed, hundredfold)
