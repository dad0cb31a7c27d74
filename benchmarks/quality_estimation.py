"""How well does the model's own estimate of a translation agree with people, without a reference?

    python benchmarks/quality_estimation.py --data en-zh en-de --seeds 0 1 2 3 4 --json FILE

MLQE-PE's direct assessments: 7,000 machine translations to learn from and 1,000 to judge by, each
with the log-probabilities of the system that made it and the mean of at least three people's
standardised scores. `pearson` is the correlation with these on the dev split. Methods:

    mean-logprob   nothing learnt: the mean log-probability of the tokens (the system's)
    regression     `apps.translate.checks.quality`: ridge on ten figures of the log-probabilities
    value-head     `speaq learn` (dae) on the frozen trunk of a small translator that learns to
                   imitate the system on the training split for `--minutes`: source read,
                   translation taken as actions, people's score as the return. The estimate is
                   V(s_0) + Σ_k A(s_k, a_k). No log-probabilities of the system are used
    both           regression with the value head's estimate as one more figure

The value head judges its own training split by members that did not see the example, so `both` is
fitted on honest estimates. WMT 2020's baseline had 0.19 (en-zh) and 0.15 (en-de) on its test split.
"""

import argparse
import csv
import io
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from report import parser, present, write

import speaq
from speaq.apps.translate.checks.quality import QualityModel, figures
from speaq.apps.translate.training.parallel import Pair, divided
from speaq.apps.translate.training.recipe import TrainSettings
from speaq.apps.translate.training.run import clock, train_translator
from speaq.core.devices import threads
from speaq.evaluation.gate import cached, judges
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.training.batch import collate
from speaq.training.encoding import encode_episodes
from speaq.training.loop import LoopSettings

ROOT = Path(__file__).parents[2] / "shared" / "data"
METHODS = ("mean-logprob", "regression", "value-head", "both")
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One translation that people judged."""

    source: str
    translation: str
    score: float
    logprobs: tuple[float, ...]


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=["en-zh", "en-de"])
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--minutes", type=float, default=3.0, help="of the imitating translator")
    arguments.add_argument("--steps", type=int, default=300, help="of the value head")
    arguments.add_argument("--head-lr", type=float, default=1e-3)
    arguments.add_argument("--ridge", type=float, default=1.0)
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    rows: list[dict[str, Any]] = []
    places = {name: f"feedback_mlqe/{name}-train.tar.gz" for name in chosen.data}
    for name in present(chosen.root, places):
        parts = [judged(chosen.root, name, part) for part in ("train", "dev")]
        for seed in chosen.seeds:
            begun = clock()
            for method, value in estimates(name, parts, chosen, seed).items():
                wanted = [each.score for each in parts[1]]
                row: dict[str, Any] = {"seed": seed, "data": name, "method": method}
                row["pearson"] = float(np.corrcoef(value, wanted)[0, 1])
                row["seconds"] = clock() - begun
                rows.append(row)
                print(row, file=sys.stderr, flush=True)
    write(chosen, rows)


def judged(root: Path, name: str, part: str) -> list[Judged]:
    pair = name.replace("-", "")
    with tarfile.open(root / "feedback_mlqe" / f"{name}-{part}.tar.gz") as archive:

        def text(path: str) -> str:
            stream = archive.extractfile(f"{name}-{part}/{path}")
            assert stream is not None
            return stream.read().decode()

        table = text(f"{part}.{pair}.df.short.tsv")
        rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
        lines = text(f"word-probas/word_probas.{part}.{pair}").splitlines()
    return [
        Judged(
            row["original"],
            row["translation"],
            float(row["z_mean"]),
            tuple(map(float, line.split())),
        )
        for row, line in zip(rows, lines, strict=True)
    ]


def estimates(
    name: str, parts: list[list[Judged]], chosen: argparse.Namespace, seed: int
) -> dict[str, Vector]:
    """What each method says of the dev split."""
    found: dict[str, Vector] = {}
    tables = [[_figures(each) for each in part] for part in parts]
    scores = [each.score for each in parts[0]]
    if "mean-logprob" in chosen.methods:
        found["mean-logprob"] = np.array([float(np.mean(each.logprobs)) for each in parts[1]])
    if "regression" in chosen.methods:
        found["regression"] = regressed(tables, scores)
    if {"value-head", "both"} & set(chosen.methods):
        values = by_value_head(name, parts, chosen, seed)
        if "value-head" in chosen.methods:
            found["value-head"] = values[1]
        if "both" in chosen.methods:
            joined = [
                [np.append(row, value) for row, value in zip(table, own, strict=True)]
                for table, own in zip(tables, values, strict=True)
            ]
            found["both"] = regressed(joined, scores)
    return found


def _figures(each: Judged) -> Vector:
    return figures(each.logprobs, len(each.source.split()))


def regressed(tables: list[list[Vector]], scores: list[float]) -> Vector:
    model = QualityModel.fit(tables[0], scores)
    return np.array([model.estimate(row) for row in tables[1]])


def by_value_head(
    name: str, parts: list[list[Judged]], chosen: argparse.Namespace, seed: int
) -> list[Vector]:
    """The value head's estimates of both splits."""
    one, other = name.split("-")
    pairs = [Pair(each.source, each.translation, (one, other)) for each in parts[0]]
    training, validation = divided(pairs, seed)
    settings = TrainSettings(minutes=chosen.minutes, longest=256)
    with tempfile.TemporaryDirectory() as place:
        made = train_translator(
            training, validation, settings, folder=Path(place) / "imitation", seed=seed
        )
        model = speaq.load(str(made.model))
        logs = [[episode_of(each, n) for n, each in enumerate(part)] for part in parts]
        run = speaq.learn(
            model,
            logs[0],
            "dae",
            options={"ridge": chosen.ridge},
            head=HeadSettings(kind="tied"),
            loop=LoopSettings(
                steps=chosen.steps,
                batch_size=64,
                head_lr=chosen.head_lr,
                value_lr=2e-3,
                schedule="cosine",
                warmup=20,
                checkpoint_every=chosen.steps,
            ),
            folder=Path(place) / "learn",
            seed=seed,
        )
        return [accounts(run.model, logs[0], False), accounts(run.model, logs[1], True)]


def episode_of(each: Judged, number: int) -> Episode:
    return Episode(
        turns=(Turn("observation", each.source), Turn("action", each.translation)),
        id=f"{number}",
        time=0.0,
        feedback=(Feedback("score", each.score, source="people"),),
    )


@torch.no_grad()
def accounts(model: LanguageModel, log: list[Episode], fresh: bool) -> Vector:
    """V(s_0) + Σ_k A(s_k, a_k) of each episode, mean over the members that may judge it."""
    encoded = encode_episodes(model, log, lambda episode: float(episode.feedback[0].value))
    use = judges(model, encoded, fresh)
    head = model.require_head()
    found = np.zeros(len(encoded))
    with cached(model, encoded, None, 1.0) as features:
        for start in range(0, len(encoded), 64):
            part = list(range(start, min(start + 64, len(encoded))))
            batch = collate([encoded[n] for n in part], 1.0, use[:, part])
            hidden, centres = features.gather(part), features.gather_centres(part)
            B, K = batch.actions.shape
            said = head.advantages_at(
                hidden[:, :-1].reshape(B * K, -1),
                batch.actions.reshape(-1),
                centres.reshape(B * K, -1),
            ).view(-1, B, K)
            sums = said.masked_fill(~batch.action_mask, 0.0).sum(-1) + head.values(hidden[:, 0])
            weight = use[:, part].float()
            found[part] = ((sums * weight).sum(0) / weight.sum(0)).numpy()
    return found


if __name__ == "__main__":
    main()
