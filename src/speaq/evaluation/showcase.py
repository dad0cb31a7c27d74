"""The loop from end to end, as `speaq demo` and `benchmarks/steering.py` run it.

Every step leaves its result in the folder and is skipped where that result is already there, so
an interrupted showcase continues. Replies are judged by the rubric of `environments.raters`.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from speaq.core.errors import SettingsError
from speaq.core.files import write_text
from speaq.core.language import say as in_language
from speaq.core.seeds import generator
from speaq.environments.collecting import collect
from speaq.environments.raters import rated, rubric_reward
from speaq.evaluation.gate import gate
from speaq.evaluation.measure import Measured, measure
from speaq.evaluation.report import GateReport
from speaq.evaluation.table import plot_arms, table
from speaq.experience.episode import Episode
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding
from speaq.models.language_model import LanguageModel
from speaq.models.sources import load
from speaq.models.versions import Registry
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings

DECODING = Decoding(temperature=0.8, max_new_tokens=32)
BETAS = (2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass
class Showcase:
    """Settings and steps of one run of the loop."""

    folder: Path
    source: str
    logged: int
    replies: int
    measured: int
    noise: float
    seed: int
    say: Callable[[str], Any]
    """Where one line about each step goes."""

    def __post_init__(self) -> None:
        if not 5 <= self.logged <= len(self.prompts) - 5:
            raise SettingsError(
                f"logged = {self.logged} must leave at least 5 of {len(self.prompts)} prompts for "
                "measuring, and hold at least 5.",
                f"logged = {self.logged}：{len(self.prompts)} 个提示中，"
                "日志与测量各至少需要 5 个。",
            )

    @cached_property
    def prompts(self) -> list[str]:
        """The built-in prompts, shuffled by the seed: the first are logged, the rest unseen."""
        text = files("speaq.environments").joinpath("prompts.txt").read_text(encoding="utf-8")
        lines = text.splitlines()
        return [lines[i] for i in generator(self.seed, "prompts").permutation(len(lines))]

    @cached_property
    def base(self) -> LanguageModel:
        """The model to start from."""
        self.say(
            in_language(f"1/7  the starter model, {self.source}", f"1/7  初始模型 {self.source}")
        )
        return load(self.source, head="tied")

    @property
    def beta(self) -> float:
        """The β the gate chose."""
        return self._report().best_beta

    def run(self) -> str:
        """Take every step that is still to be taken, and return the table."""
        log = self.log()
        self.learn(log)
        self.fold()
        self.clone(log)
        return self.compare()

    def log(self) -> list[Episode]:
        """Sample replies from the base model, rate them, and keep both in the store."""
        self.base  # noqa: B018  the first step says so first
        self.say(in_language("2/7  a log of rated replies", "2/7  带评分的回复日志"))
        with ExperienceStore(self.folder / "experience.sqlite") as store:
            collect(
                self.base.for_batches(),
                self.prompts[: self.logged],
                store,
                samples=self.replies,
                decoding=DECODING,
                seed=self.seed,
            )
            for episode in rated(store.episodes(), noise=self.noise, seed=self.seed):
                store.add_feedback(episode.id, episode.feedback[-1])
            return sorted(store.episodes(), key=lambda episode: episode.id)

    def learn(self, log: list[Episode]) -> None:
        """Learn advantages from the log, and ask the gate about a grid of β."""
        self.say(in_language("3/7  learning the value function", "3/7  学习价值函数"))
        if (self.folder / "guided").exists():
            return
        start = time.perf_counter()
        settings = LearnSettings(temperature=DECODING.temperature)
        path = self.folder / "runs" / "dae"
        run = learn(self.base, log, "dae", settings=settings, folder=path, seed=self.seed)
        self.say(in_language("4/7  asking the gate", "4/7  闸门评估"))
        report = gate(
            run.model,
            log,
            BETAS,
            decoding=DECODING,
            folder=path / "features",
            seed=self.seed,
        )
        self.say(str(report))
        report.save(self.folder)
        self._note("learn", time.perf_counter() - start)
        run.model.save(self.folder / "guided")

    def fold(self) -> None:
        """Fold at the gate's β, and put the version live if the gate allows."""
        self.say(
            in_language(f"5/7  folding at β = {self.beta:g}", f"5/7  以 β = {self.beta:g} 合并")
        )
        folder = self.folder / "folded"
        if not folder.exists():
            load(self.folder / "guided").fold(self.beta).save(folder)
        registry = Registry(self.folder / "registry")
        if not registry.versions():
            registry.add(folder, self._report().to_dict())
        if registry.live() is None and self.beta > 0:
            registry.promote(registry.versions()[0])

    def clone(self, log: list[Episode]) -> None:
        """The baseline: imitate the best fifth of the log, with LoRA."""
        self.say(in_language("6/7  the baseline, filtered cloning", "6/7  基线：筛选克隆"))
        if (self.folder / "cloned").exists():
            return
        start = time.perf_counter()
        path = self.folder / "runs" / "filtered-bc"
        run = learn(self.base, log, "filtered-bc", folder=path, seed=self.seed)
        self._note("clone", time.perf_counter() - start)
        run.model.save(self.folder / "cloned")

    def compare(self) -> str:
        """Measure all four on prompts that were not logged, and draw the table."""
        self.say(in_language("7/7  measuring on unseen prompts", "7/7  在未见过的提示上测量"))
        seconds = self._notes()
        guided = self._measure("guided", "guided", self.beta)
        rows = {
            "base": (self._measure("base", None, 0.0), 0.0),
            "filtered cloning": (
                self._measure("filtered cloning", "cloned", 0.0),
                seconds["clone"],
            ),
            f"guided, β = {self.beta:g}": (guided, seconds["learn"]),
            f"folded, β = {self.beta:g}": (
                self._measure("folded", "folded", 0.0),
                seconds["learn"],
            ),
        }
        self._describe({name: row for name, (row, _) in rows.items()})
        report = self._report()
        plot_arms({name: row for name, (row, _) in rows.items()}, self.folder / "plots")
        return table(rows, report)

    def _describe(self, rows: dict[str, Measured]) -> None:
        """Write what was measured into the folded model's facts and card."""
        metrics = {
            f"reward on unseen prompts, {name}": {
                "value": row.reward,
                "low": row.low,
                "high": row.high,
            }
            for name, row in rows.items()
        }
        folder = self.folder / "folded"
        model = load(folder)
        if model.facts.get("metrics") != metrics:
            model.facts["metrics"] = metrics
            model.save(folder)

    def _measure(self, name: str, folder: str | None, beta: float) -> Measured:
        """One row, from its file if it is there."""
        file = self.folder / "measured" / f"{name}.json"
        if not file.exists():
            model = self.base if folder is None else load(self.folder / folder)
            measured, episodes = measure(
                model,
                self.prompts[self.logged :],
                rubric_reward,
                base=model if name == "guided" else self.base,
                samples=self.measured,
                decoding=DECODING,
                beta=beta,
                seed=self.seed + 1,
                title=name,
            )
            replies = [{"prompt": each.prompt, "reply": each.reply} for each in episodes]
            record = {"measured": asdict(measured), "replies": replies}
            write_text(file, json.dumps(record, indent=1, ensure_ascii=False))
        return Measured(**json.loads(file.read_text(encoding="utf-8"))["measured"])

    def _report(self) -> GateReport:
        text = (self.folder / "gate.json").read_text(encoding="utf-8")
        return GateReport.from_dict(json.loads(text))

    def _notes(self) -> dict[str, float]:
        file = self.folder / "seconds.json"
        notes: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
        return notes

    def _note(self, step: str, seconds: float) -> None:
        write_text(self.folder / "seconds.json", json.dumps({**self._notes(), step: seconds}))
