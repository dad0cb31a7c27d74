"""Learning while playing: episodes are collected as the value function improves.

The same algorithms, learner and loop as for a log; only the replay is another one. Whenever it is
due, it plays a round of episodes with the values as they are, exploring among the model's own
likely tokens, and adds them to the memory on disk. Batches are drawn from that memory, and a set
share of each from a log that was there before.

A round depends on the seed, its number and the weights at its step alone, and the memory is cut
back to what it held at the checkpoint a run is continued from. So a run that was killed goes on
with the same bits.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from speaq.core.errors import DataError, SettingsError
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.environments.environment import TextEnvironment
from speaq.environments.rollout import roll_out
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.replay_memory import ReplayMemory
from speaq.experience.rewards import feedback, resolve
from speaq.models.decoding import Decoding
from speaq.models.exploration import Exploration
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.qlearning.algorithm import Algorithm
from speaq.qlearning.crossfit import CrossFit
from speaq.qlearning.learn import Run
from speaq.qlearning.learner import Learner
from speaq.qlearning.student import (
    LearnSettings,
    algorithm_of,
    default_loop,
    finished,
    student_of,
    trunk_of,
)
from speaq.training.curves import plot_curves
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import Draw, ReplaySettings, growing, replay_of, require_errors
from speaq.training.rows import encoded_of, row_of


@dataclass(frozen=True)
class OnlineSettings:
    """How to play while learning."""

    every: int = 10
    """Steps between rounds; a round is one episode in each environment. The first is at step 0."""
    explore: str = "epsilon"
    """`epsilon`, `boltzmann`, or `guided`: draw from π_β as it would be served."""
    top_k: int = 10
    """Candidates of ε-greedy and Boltzmann: the model's own likeliest tokens; 0 takes all."""
    epsilon: float = 1.0
    """Share of uniform draws at the first step."""
    last_epsilon: float = 0.05
    """Share of uniform draws once `decay` of the steps are done; falls in a straight line."""
    decay: float = 0.5
    """Share of the steps over which ε falls."""
    temperature: float = 1.0
    """Of Boltzmann exploration, in units of reward."""
    beta: float = 1.0
    """Of the guided policy, for `guided`."""
    recent: int = 0
    """Draw from this many of the latest episodes played; 0 draws from all."""
    logged_share: float = 0.5
    """Share of each batch that comes from the log, where there is one."""
    max_new_tokens: int = 64
    """Longest reply."""
    most_turns: int = 100
    """Replies in the longest episode."""

    def __post_init__(self) -> None:
        rules = {
            "every": (self.every >= 1, "≥ 1"),
            "explore": (
                self.explore in ("epsilon", "boltzmann", "guided"),
                "epsilon / boltzmann / guided",
            ),
            "epsilon": (0 <= self.epsilon <= 1, "in [0, 1]"),
            "last_epsilon": (0 <= self.last_epsilon <= 1, "in [0, 1]"),
            "decay": (0 < self.decay <= 1, "in (0, 1]"),
            "temperature": (self.temperature > 0, "> 0"),
            "recent": (self.recent >= 0, "≥ 0"),
            "logged_share": (0 <= self.logged_share < 1, "in [0, 1)"),
            "most_turns": (self.most_turns >= 1, "≥ 1"),
        }
        require("online", self, rules)

    def exploration(self, step: int, steps: int) -> Exploration | None:
        """How to explore at `step` of `steps`; None where π_β itself is played."""
        if self.explore == "guided":
            return None
        done = min(1.0, step / (self.decay * steps))
        return Exploration(
            kind="boltzmann" if self.explore == "boltzmann" else "epsilon",
            top_k=self.top_k,
            epsilon=self.epsilon + done * (self.last_epsilon - self.epsilon),
            temperature=self.temperature,
        )


class OnlineReplay:
    """A replay that grows: plays when a round is due, and mixes what was played with a log.

    Args:
        learner: plays, and learns from its own episodes: first those of the log, then those
            played, in order.
        play: the episodes of the round at a step, encoded.
        memory: where played episodes are kept.
        settings: when to play, and what to draw.
        replay: how the log is replayed, and what was played.
        steps: of the run.
        seed: of the drawing.
    """

    def __init__(
        self,
        learner: Learner,
        play: Callable[[int], list[Encoded]],
        memory: ReplayMemory,
        settings: OnlineSettings,
        replay: ReplaySettings,
        *,
        steps: int,
        seed: int,
    ) -> None:
        self.learner, self.play, self.memory, self.settings = learner, play, memory, settings
        self.logged = len(learner.encoded)
        self.log = replay_of(replay, self.logged, steps, derive(seed, "log"))
        self.live = growing(replay, settings.recent, steps, derive(seed, "played"))
        self._played_at = -1
        memory.rewind(0)

    @property
    def played(self) -> int:
        """How many episodes were played."""
        return len(self.learner.encoded) - self.logged

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `Replay`. Plays first, if a round is due at `step` and was not played yet."""
        if step % self.settings.every == 0 and step > self._played_at:
            self._add(self.play(step))
            self._played_at = step
        if not self.played:
            raise DataError(
                "no episode could be played: every first observation fills the model's context.",
                "未能进行任何片段：每个初始观测都占满了模型的上下文。",
            )
        share = round(batch_size * self.settings.logged_share) if self.logged else 0
        old = self.log.draw(step, share) if share else Draw([])
        new = self.live.draw(step, batch_size - share)
        indices = [*old.indices, *(self.logged + place for place in new.indices)]
        if old.weights is None and new.weights is None:
            return Draw(indices)
        weights = [
            torch.ones(len(d.indices)) if d.weights is None else d.weights for d in (old, new)
        ]
        return Draw(indices, torch.cat(weights))

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Pass on to each part what concerns it."""
        places = torch.tensor(indices)
        for part, mine, first in (
            (self.log, places < self.logged, 0),
            (self.live, places >= self.logged, self.logged),
        ):
            if mine.any():
                told = None if errors is None else errors.cpu()[mine]
                part.learned((places[mine] - first).tolist(), told)

    def state(self) -> dict[str, Tensor]:
        """How much was played, when last, and what the two parts remember."""
        kept = {"played": torch.tensor([self.played, self._played_at])}
        kept |= {f"log.{name}": each for name, each in self.log.state().items()}
        return kept | {f"live.{name}": each for name, each in self.live.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Forget what was played after the checkpoint, and take up the rest."""
        played, self._played_at = state["played"].tolist()
        self.memory.rewind(played)
        fresh = [encoded_of(row) for row in self.memory.rows(range(played))]
        self.learner.extend(fresh)
        self.live.added(range(played))
        for name, part in (("log.", self.log), ("live.", self.live)):
            part.restore({k.removeprefix(name): v for k, v in state.items() if k.startswith(name)})

    def _add(self, fresh: list[Encoded]) -> None:
        first = self.played
        self.memory.append([row_of(each) for each in fresh])
        self.learner.extend(fresh)
        self.live.added(range(first, first + len(fresh)))


def learn_online(  # noqa: PLR0913  the public door: every argument is a choice of the user's
    model: LanguageModel,
    environments: Sequence[TextEnvironment],
    algorithm: str | Algorithm = "dqn",
    *,
    log: Sequence[Episode] = (),
    settings: OnlineSettings | None = None,
    learn: LearnSettings | None = None,
    options: Mapping[str, Any] | None = None,
    loop: LoopSettings | None = None,
    head: HeadSettings | None = None,
    replay: ReplaySettings | None = None,
    folder: Path | str | None = None,
    seed: int = 0,
) -> Run:
    """Learn from episodes played on the way, and from a log; `model` itself is left as it was.

    Args:
        model: the policy to improve.
        environments: one episode is played in each of them in every round.
        algorithm: an entry point of `speaq.algorithms`, or an algorithm itself.
        log: episodes that were there before; their reward is the one given by `learn`.
        settings: when and how to play, and what to draw.
        learn: trunk and reward; nothing is cross-fitted here, since fresh episodes judge better.
        options: the algorithm's settings by name.
        loop: steps, batch size, learning rates.
        head: the kind of head; None takes the model's own, or a linear one.
        replay: how log and played episodes are replayed; uniformly by default.
        folder: the run folder; the same call on the same folder continues an interrupted run.
        seed: of everything random.

    Raises:
        SettingsError: unknown or contradictory settings, or no environment.
        DataError: no episode could be played.
    """
    if not environments:
        raise SettingsError("there is no environment to play in.", "没有可供交互的环境。")
    settings, learn = settings or OnlineSettings(), learn or LearnSettings(trunk="full")
    replay = replay or ReplaySettings()
    name, chosen = algorithm_of(algorithm, options or {})
    require_errors(replay, name, chosen.gives_errors)
    trunk = "full" if learn.trunk == "auto" else trunk_of(learn.trunk, chosen)
    loop = loop or default_loop(trunk)
    head = head or (model.head.settings if model.head else HeadSettings(kind="linear"))
    path = Path(folder or Path("runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}-online")
    resolved = {
        "algorithm": name,
        "seed": seed,
        "model": model.origin.source,
        "environments": [type(each).__name__ for each in environments],
        "data": fingerprint(log) if log else "",
        "online": asdict(settings),
        "learn": {**asdict(learn), "trunk": trunk},
        "options": asdict(cast(Any, chosen)),
        "head": asdict(head),
        "loop": asdict(loop),
        "replay": asdict(replay),
    }
    run = RunFolder(path, resolved)
    split = CrossFit(folds=0, heads_per_member=chosen.heads_per_member)
    student = student_of(model, chosen, trunk, learn, head, split, seed)
    logged = encode_episodes(student, log, resolve(learn.reward)) if log else []
    learner = Learner(student, chosen, logged, None, split.seen([each.id for each in logged]))

    def play(step: int) -> list[Encoded]:
        explores = chosen.learns == "values"
        episodes = roll_out(
            student,
            environments,
            Decoding(max_new_tokens=settings.max_new_tokens),
            seed=derive(seed, "round", step),
            beta=settings.beta if explores and settings.explore == "guided" else 0.0,
            explore=settings.exploration(step, loop.steps) if explores else None,
            most_turns=settings.most_turns,
        )
        if not episodes:
            return []
        encoded = encode_episodes(student, episodes, feedback)
        returns = np.array([each.rewards.sum() for each in encoded], np.float32)
        run.log(step + 1, {"return": float(returns.mean())})
        # Where all earned the same there is nothing to select by, and it is too early to give up.
        kept = chosen.select(returns) if np.ptp(returns) > 0 else np.ones(len(returns), bool)
        return [each for each, keep in zip(encoded, kept, strict=True) if keep]

    memory = ReplayMemory(path / "played")
    source = OnlineReplay(learner, play, memory, settings, replay, steps=loop.steps, seed=seed)
    train(learner, source, loop, run, seed)
    plot_curves(run)
    return Run(finished(student, chosen, trunk, split, resolved, len(learner.encoded)), path, name)
