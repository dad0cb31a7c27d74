"""Generation: a small storyteller whose continuations are rated for their manners.

The 260,000-parameter model of TinyStories continues first sentences with 24 tokens; `manners` of
`speaq.environments.raters` (friendly words, short sentences, a finished end) rates them with a
noise of 0.1. Score: the rubric itself, in [0, 1], on first sentences the log does not have.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

from five.bases import storyteller
from five.texts import Task, compare
from speaq.core.seeds import generator
from speaq.environments.raters import rubric
from speaq.models.decoding import Decoding

WHO = ("girl", "boy", "dog", "cat", "bird", "bear", "bunny", "mouse", "man", "frog")
NAMES = ("Lily", "Tom", "Ben", "Mia", "Max", "Sue", "Sam", "Lucy")
PROMPTS, SAMPLES, TESTS, PLAYS = 40, 16, 40, 4


def rows(root: Path, cache: Path, seed: int, tell: Callable[[dict[str, Any]], None]) -> None:
    """All rows of one seed."""
    begun = [
        f"Once upon a time, there was a little {who} named {name}."
        for who, name in product(WHO, NAMES)
    ]
    order = generator(seed, "prompts").permutation(len(begun))
    chosen = [begun[place] for place in order]
    task = Task(
        application="generation",
        model=storyteller(root),
        prompts=chosen[:PROMPTS],
        tests=chosen[PROMPTS : PROMPTS + TESTS],
        score=lambda prompt, reply: rubric(reply),
        samples=SAMPLES,
        plays=PLAYS,
        noise=0.1,
        decoding=Decoding(max_new_tokens=24),
    )
    compare(task, seed, tell)
