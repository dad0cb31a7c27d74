"""Does a translator learn from a log of its own rated samples, and does it beat the usual ways?

    python benchmarks/translation_feedback.py --model runs/translate/model --seeds 0 --json FILE

A trained German–English model draws one translation of each of `--log-size` training sentences at
`--temperature`; each is rated by its sentence-chrF (0 to 1), and that is all that anything below
learns from. Judged on the sentences of test2016 that none of it saw. Methods:

    base               the model as it was
    q-learning         `speaq learn` (dae, frozen trunk) on the log; β by the gate; folded
    filtered-cloning   `speaq learn` (filtered-bc) on the log, on all weights, as many minutes
    minimum-risk       no training: of `--candidates` samples the one likest to the others by chrF
                       (Kumar and Byrne 2004), which costs at every translation

Each is read by two decodings: `beam` (4), as the application translates, and `sample`, one draw at
`--temperature`, the policy that the log speaks of. `gain` is the mean difference of sentence-chrF
to the base model on the same sentences with the same decoding, with a 95 % bootstrap interval over
sentences. `seconds` are the processor's on one thread, else the wall's, of sampling the log and
learning; of minimum-risk, what it adds to translating the test set.
"""

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import parser, present, write
from translation import PLACES, READERS, ROOT

import speaq
from speaq.apps.translate.model.translator import Translator
from speaq.apps.translate.training.measures import corpus_measures, sentence_chrf
from speaq.apps.translate.training.parallel import Pair
from speaq.apps.translate.training.run import clock
from speaq.apps.translate.training.samples import rated_samples
from speaq.core.devices import threads
from speaq.core.seeds import generator
from speaq.evaluation.measure import interval
from speaq.experience.episode import Episode
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.student import LearnSettings
from speaq.training.loop import LoopSettings

METHODS = ("base", "q-learning", "filtered-cloning", "minimum-risk")
LONGEST = 64
BETAS = (0.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
REHEARSED = 10


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--model", required=True, help="a folder trained on multi30k")
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--log-size", type=int, default=5000)
    arguments.add_argument("--held", type=int, default=1000)
    arguments.add_argument("--temperature", type=float, default=1.0, help="of all samples")
    arguments.add_argument("--candidates", type=int, default=8)
    arguments.add_argument("--steps", type=int, default=400)
    arguments.add_argument("--head-lr", type=float, default=1e-3)
    arguments.add_argument("--ridge", type=float, default=1.0)
    arguments.add_argument("--minutes", type=float, default=10.0, help="at most, of any method")
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    chosen = arguments.parse_args()
    torch.set_num_threads(threads())
    if not present(chosen.root, {"multi30k": PLACES["multi30k"]}):
        return
    training, _, test = READERS["multi30k"](chosen.root)
    rows: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        order = generator(seed, "log").permutation(len(training))[: chosen.log_size]
        logged = [training[place] for place in order.tolist()]
        rows += one_seed(seed, logged, test[: chosen.held], chosen)
    write(chosen, rows)


def one_seed(
    seed: int, logged: Sequence[Pair], held: Sequence[Pair], chosen: argparse.Namespace
) -> list[dict[str, Any]]:
    model = speaq.load(chosen.model)
    drawn = Decoding(temperature=chosen.temperature, max_new_tokens=LONGEST)
    begun = clock()
    log = rated_samples(model, logged, 1, drawn, seed=seed)
    sampled = clock() - begun
    mean = np.mean([float(each.feedback[0].value) for each in log])
    print(f"log: {len(log)} samples, chrF {100 * mean:.2f}, {sampled:.0f} s", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    before: dict[str, list[float]] = {}
    learning = 0.0
    with tempfile.TemporaryDirectory() as place:
        for method in chosen.methods:
            folder, facts = Path(place) / method, {}
            begun = clock()
            if method == "q-learning":
                found, facts = learnt(model, log, drawn, chosen, folder, seed)
                learning = clock() - begun
            elif method == "filtered-cloning":
                found = cloned(model, log, learning or chosen.minutes * 60, folder, seed)
            else:
                found = model
            seconds = 0.0 if method == "base" else sampled + clock() - begun
            if method == "minimum-risk":
                begun = clock()
                said = {"beam": minimum_risk(model, held, chosen.candidates, drawn, seed)}
                seconds = clock() - begun
            else:
                said = {
                    name: decode(found, held, drawn, seed) for name, decode in DECODINGS.items()
                }
            for name, texts in said.items():
                row = {"seed": seed, "method": method, "decoding": name}
                rows.append({**row, **judged(texts, held, before, name), **facts})
                rows[-1]["seconds"] = seconds
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def learnt(
    model: LanguageModel,
    log: Sequence[Episode],
    drawn: Decoding,
    chosen: argparse.Namespace,
    folder: Path,
    seed: int,
) -> tuple[LanguageModel, dict[str, Any]]:
    """The model folded with what it learnt, at the β that the gate likes best."""
    run = speaq.learn(
        model,
        log,
        "dae",
        options={"ridge": chosen.ridge},
        settings=LearnSettings(temperature=chosen.temperature),
        head=HeadSettings(kind="tied"),
        loop=LoopSettings(
            steps=chosen.steps,
            batch_size=64,
            head_lr=chosen.head_lr,
            value_lr=1e-3,
            schedule="cosine",
            warmup=20,
            checkpoint_every=chosen.steps,
        ),
        folder=folder,
        seed=seed,
    )
    report = speaq.gate(
        run.model, log, betas=BETAS, decoding=drawn, folder=folder / "features", seed=seed
    )
    print(report, file=sys.stderr)
    best = report.row(report.best_beta).estimate
    facts = {"beta_chosen": report.best_beta, "predicted_gain": 100 * best.gain}
    return run.model.fold(beta=report.best_beta), facts


def cloned(
    model: LanguageModel, log: Sequence[Episode], seconds: float, folder: Path, seed: int
) -> LanguageModel:
    """Filtered cloning on all weights in as many steps as fit."""

    def run(steps: int, place: Path) -> LanguageModel:
        loop = LoopSettings(
            steps=steps,
            batch_size=32,
            lr=2e-4,
            schedule="cosine",
            warmup=min(20, steps),
            checkpoint_every=steps,
        )
        settings = LearnSettings(trunk="full")
        return speaq.learn(
            model, log, "filtered-bc", settings=settings, loop=loop, folder=place, seed=seed
        ).model

    begun = clock()
    run(REHEARSED, folder / "rehearsal")
    spent = clock() - begun
    return run(max(REHEARSED, int(REHEARSED * (seconds - spent) / spent)), folder / "run")


def by_beam(model: LanguageModel, held: Sequence[Pair], drawn: Decoding, seed: int) -> list[str]:
    with tempfile.TemporaryDirectory() as place:
        plain = copy.copy(model)
        plain.head = None
        plain.save(Path(place) / "model")
        translator = Translator.open(str(Path(place) / "model"))
        found = translator.translate([pair.source for pair in held])
    return [best.text for best, *_ in found]


def by_sample(model: LanguageModel, held: Sequence[Pair], drawn: Decoding, seed: int) -> list[str]:
    episodes = rated_samples(model, held, 1, drawn, seed=seed + 1000)
    return [each.reply.strip() for each in episodes]


DECODINGS: dict[str, Callable[[LanguageModel, Sequence[Pair], Decoding, int], list[str]]] = {
    "beam": by_beam,
    "sample": by_sample,
}


def minimum_risk(
    model: LanguageModel, held: Sequence[Pair], candidates: int, drawn: Decoding, seed: int
) -> list[str]:
    """Of each sentence's samples the one with the highest mean chrF against the others."""
    episodes = rated_samples(model, held, candidates, drawn, seed=seed + 2000)
    texts = [each.reply.strip() for each in episodes]
    chosen = []
    for start in range(0, len(texts), candidates):
        some = texts[start : start + candidates]
        scores = [
            np.mean(sentence_chrf([one] * (candidates - 1), some[:n] + some[n + 1 :]))
            for n, one in enumerate(some)
        ]
        chosen.append(some[int(np.argmax(scores))])
    return chosen


def judged(
    texts: Sequence[str], held: Sequence[Pair], before: dict[str, list[float]], name: str
) -> dict[str, Any]:
    """Corpus measures, and the gain over the base model sentence by sentence."""
    wanted = [pair.target for pair in held]
    measures = corpus_measures(texts, wanted, held[0].languages[1])
    scores = sentence_chrf(texts, wanted)
    base = before.setdefault(name, scores)
    gains = np.array(scores) - np.array(base)
    low, high = interval(gains, [str(n) for n in range(len(gains))])
    return {**measures, "gain": float(gains.mean()), "gain_low": low, "gain_high": high}


if __name__ == "__main__":
    main()
