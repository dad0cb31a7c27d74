"""Does ILQL stitch shortest paths out of random walks, and does the folded file still know them?

    python benchmarks/randomwalks.py --seeds 1000 1002 1008 1011 1018 --folded --json FILE

The task, sizes and 200 steps of trlx's randomwalks, trunk and heads trained together from scratch;
100 steps are a run of their own, with a learning rate that falls within them.
What is learnt from is ten times the optimality, about the nodes a walk had to spare: with rewards
below 1 the terms that imitate drown those that learn values. (trlx divides by the standard
deviation to the same end.) Settings were chosen on seeds 1004, 1005 and 1014.

Each row is the mean optimality of `samples` walks from each of the 20 starts:

    log                  the walks learnt from
    bc, filtered-bc      cloning of all walks, or of the best fifth; sampled
    bc greedy, ...       the same, always the likeliest node
    ilql                 guided decoding, sampled from the best ten as in the reference
    ilql folded          the saved folded folder in stock `transformers`' `generate`, in a process
                         that cannot import speaq; the same ten best
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import parser, write

from speaq.core.devices import threads
from speaq.environments.randomwalks import RandomWalks
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.sampling import sample
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

ILQL = {"expectile": 0.8, "cql": 0.5, "cql_states": 0, "target_every": 5, "target_rate": 0.1}
REWARD = 10.0
TOP_K = 10

STOCK = """
import json, sys
sys.modules["speaq"] = None  # an import of it now raises
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, threads, seed, top_k, length = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(threads)
torch.manual_seed(seed)
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
starts = torch.tensor([[tokenizer.convert_tokens_to_ids(start)] for start in json.load(sys.stdin)])
with torch.no_grad():
    made = model.generate(starts, attention_mask=torch.ones_like(starts), do_sample=True,
                          top_k=top_k, max_new_tokens=length)
print(json.dumps(tokenizer.batch_decode(made, skip_special_tokens=True)))
"""


def main() -> None:
    arguments = parser(__doc__)
    arguments.set_defaults(seeds=[1000, 1002, 1008, 1011, 1018])
    arguments.add_argument("--steps", type=int, nargs="+", default=[100, 200])
    arguments.add_argument("--betas", type=float, nargs="+", default=[0.0, 1.0, 100.0])
    arguments.add_argument("--samples", type=int, default=20)
    arguments.add_argument("--head", default="linear")
    arguments.add_argument("--folded", action="store_true")
    arguments.add_argument(
        "--controls", action=argparse.BooleanOptionalAction, default=True, help="cloning"
    )
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows = []
    for seed in chosen.seeds:
        for steps in chosen.steps:
            rows += measure(seed, steps, chosen)
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    write(chosen, rows)


def measure(seed: int, steps: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one seed and one length of training."""
    environment = RandomWalks(seed)
    row = partial(measured, seed, steps)
    rows = [row("log", 0.0, [episode.reward for episode in environment.log()])]
    if chosen.controls:
        for method in ("bc", "filtered-bc"):
            cloned = trained(environment, method, steps, chosen.head)
            for name, decoding in (
                (method, Decoding(max_new_tokens=9)),
                (f"{method} greedy", Decoding(temperature=0, max_new_tokens=9)),
            ):
                earned = walked(environment, cloned, 0.0, chosen.samples, decoding)
                rows.append(row(name, 0.0, earned))
    model = trained(environment, "ilql", steps, chosen.head)
    decoding = Decoding(top_k=TOP_K, max_new_tokens=environment.longest - 1)
    for beta in chosen.betas:
        earned = walked(environment, model, beta, chosen.samples, decoding)
        rows.append(row("ilql", beta, earned))
    if chosen.folded:
        for beta in chosen.betas:
            walks = run_by_stock(model.fold(beta), environment, chosen.samples)
            earned = [environment.optimality(walk) for walk in walks]
            rows.append(row("ilql folded", beta, earned))
    return rows


def measured(
    seed: int, steps: int, method: str, beta: float, earned: Sequence[float | None]
) -> dict[str, Any]:
    """One row."""
    return {
        "seed": seed,
        "steps": steps,
        "method": method,
        "beta": beta,
        "optimality": mean(value or 0.0 for value in earned),
    }


def trained(environment: RandomWalks, method: str, steps: int, head: str) -> LanguageModel:
    """The environment's model after `steps` steps on its log."""
    with tempfile.TemporaryDirectory() as place:
        run = learn(
            environment.model(environment.seed),
            environment.log(),
            method,
            settings=LearnSettings(trunk="full"),
            options=ILQL if method == "ilql" else {},
            loop=LoopSettings(
                steps=steps,
                batch_size=100,
                schedule="cosine",
                checkpoint_every=steps,
            ),
            reward=lambda episode: REWARD * (episode.reward or 0.0),
            head=HeadSettings(kind=head),
            folder=Path(place) / "run",
            seed=environment.seed,
        )
    return run.model


def walked(
    environment: RandomWalks, model: LanguageModel, beta: float, samples: int, decoding: Decoding
) -> list[float]:
    """Optimality of `samples` walks from each start."""
    prompts = [model.encode(start) for start in environment.starts]
    drawn = sample(model, prompts, samples, decoding, seed=environment.seed, beta=beta)
    return [
        environment.optimality(environment.starts[each.prompt] + model.decode(each.token_ids))
        for each in drawn
    ]


def run_by_stock(folded: LanguageModel, environment: RandomWalks, samples: int) -> list[str]:
    """Walks of the saved model, by `generate` alone."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "folded"
        folded.save(folder)
        numbers = (threads(), environment.seed, TOP_K, environment.longest - 1)
        answer = subprocess.run(
            [sys.executable, "-c", STOCK, str(folder), *map(str, numbers)],
            input=json.dumps([start for start in environment.starts for _ in range(samples)]),
            capture_output=True,
            text=True,
            check=True,
        )
    walks: list[str] = json.loads(answer.stdout)
    return walks


if __name__ == "__main__":
    main()
