"""What a value function learnt, and whether to believe it: one look at a model and a log.

Every episode is judged only by members of the ensemble that never learnt from it, as in the gate,
and reward and divergence under each β are the gate's own. What needs the whole vocabulary is read
at tokens drawn from the log.
"""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from speaq.core import registry
from speaq.core.errors import ModelError
from speaq.core.progress import bar
from speaq.core.runs import RunFolder
from speaq.core.seeds import generator
from speaq.core.settings import require
from speaq.evaluation.credit import Credit, credit
from speaq.evaluation.diagnostics import (
    Bin,
    Calibration,
    Floats,
    Ints,
    Lag,
    accounts,
    binned,
    calibrate,
    effective_number,
    lag,
    returns_to_go,
)
from speaq.evaluation.estimate import Estimate, GateSettings, Scores, estimates
from speaq.evaluation.gate import cached, judges
from speaq.evaluation.scoring import score
from speaq.experience.episode import Episode
from speaq.experience.rewards import Reward, resolve
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.head import ValueHead
from speaq.models.language_model import LanguageModel
from speaq.models.vocabulary import CHUNK_ELEMENTS
from speaq.qlearning.algorithm import Algorithm
from speaq.training.encoding import Encoded, encode_episodes
from speaq.training.features import Features


@dataclass(frozen=True)
class DiagnosisSettings:
    """What to look at."""

    tokens: int = 4000
    """Tokens drawn from the log."""
    bins: int = 8
    """Groups of tokens in each comparison of prediction and return."""
    shown: int = 6
    """Episodes whose credit is shown: the best, the worst and some in between."""
    alternatives: int = 3
    """Other tokens shown for each of their places."""

    def __post_init__(self) -> None:
        require(
            "diagnosis",
            self,
            {
                "tokens": (self.tokens >= 2, "≥ 2"),
                "bins": (self.bins >= 1, "≥ 1"),
                "shown": (self.shown >= 0, "≥ 0"),
                "alternatives": (self.alternatives >= 0, "≥ 0"),
            },
        )


@dataclass(frozen=True)
class Guided:
    """The policy under one β."""

    estimate: Estimate
    entropy: float
    """Mean over the tokens drawn, in nats."""
    effective: float
    """exp(entropy): of so many equally likely tokens a place."""
    covered: float
    """Mean share of its probability on tokens that the log took anywhere."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found."""

    algorithm: str
    episodes: int
    tokens: int
    """Tokens drawn."""
    calibration: Calibration | None
    """None where the head's numbers are no predictions of returns."""
    by_value: tuple[Bin, ...]
    """Sorted by what was predicted."""
    by_place: tuple[Bin, ...]
    """Sorted by place in the episode, in action tokens from 0."""
    lag: Lag | None
    """None without a target network, or without the run that learnt the head."""
    distinct: int
    """Different tokens the log took."""
    effective: float
    """Of so many equally frequent ones."""
    policies: tuple[Guided, ...]
    credit: tuple[Credit, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; infinite divergences, which it has no number for, are None."""
        record = asdict(self)
        for row in record["policies"]:
            if not np.isfinite(row["estimate"]["kl"]):
                row["estimate"]["kl"] = None
        return record


@dataclass
class _Looked:
    """What was read at the tokens drawn."""

    q_values: Floats  # (n,) V + A, not centred
    late: Floats | None  # (n,) the same of the target network
    entropy: Floats  # (G, n)
    covered: Floats  # (G, n)


def diagnose(  # noqa: PLR0913  the public door: every argument is a choice of the user's
    model: LanguageModel,
    episodes: Sequence[Episode],
    betas: Sequence[float] = (1, 2, 4),
    *,
    settings: DiagnosisSettings | None = None,
    decoding: Decoding | None = None,
    gate: GateSettings | None = None,
    reward: Reward | None = None,
    run: Path | str | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Look at what `model`'s head says of a log.

    Args:
        model: with a value head.
        episodes: a log of the base policy, as the gate takes it.
        betas: the grid; 0 is always included. Credit is shown at the largest.
        settings: how much to look at.
        decoding: how replies were and will be drawn.
        gate: as for the gate; with `fresh` every member judges every episode.
        reward: a function of an episode; overrides `gate.reward`.
        run: the run folder that learnt the head: its cached states, and its target network.
        seed: of the draw of tokens, and of the bootstrap.

    Raises:
        EvidenceError: every member learnt from every episode, or there are too few prompts.
        ModelError: the model does not say how its head was learnt.
    """
    settings, decoding = settings or DiagnosisSettings(), decoding or Decoding()
    gate = gate or GateSettings()
    name, algorithm, meaning = _learnt(model)
    grid = sorted({0.0, *map(float, betas)})
    encoded = encode_episodes(model, episodes, reward or resolve(gate.reward))
    use = judges(model, encoded, gate.fresh)
    late = _target(model, run)
    cache = None if run is None else Path(run) / "features"
    with cached(model, encoded, cache if cache and cache.is_dir() else None) as features:
        scores = score(model, encoded, features, use, grid, decoding)
        places = _drawn(encoded, settings.tokens, seed)
        looked = _look(model, late, encoded, features, use, places, grid, decoding)
        shown = _shown(encoded, settings.shown)
        told = credit(model, encoded, features, use, shown, grid[-1], settings.alternatives)
    groups = [each.group for each in encoded]
    calibration, by_value, by_place = _compared(
        meaning, algorithm.discount, scores, looked, places, groups, settings.bins
    )
    counts = np.bincount(np.concatenate([each.action_tokens for each in encoded]))
    rows = estimates(scores, groups, gate, seed)
    return Diagnosis(
        algorithm=name,
        episodes=len(encoded),
        tokens=len(places),
        calibration=calibration,
        by_value=tuple(by_value),
        by_place=tuple(by_place),
        lag=None if looked.late is None else lag(looked.q_values, looked.late),
        distinct=int((counts > 0).sum()),
        effective=effective_number(counts),
        policies=tuple(
            Guided(
                estimate=row,
                entropy=float(looked.entropy[g].mean()),
                effective=float(np.exp(looked.entropy[g].mean())),
                covered=float(looked.covered[g].mean()),
            )
            for g, row in enumerate(rows)
        ),
        credit=tuple(told),
    )


def _learnt(model: LanguageModel) -> tuple[str, Algorithm, str]:
    """Which algorithm learnt the head, and what its numbers stand for here.

    Raises:
        ModelError: the model's history does not say.
    """
    steps = [step for step in model.origin.history if step.get("step") == "learn"]
    if not steps or steps[-1]["algorithm"] not in registry.names("algorithms"):
        raise ModelError(
            f"{model.name} does not say which algorithm its value head was learnt with; give a "
            "model folder that speaq learn wrote.",
            f"{model.name} 没有说明其价值头由哪种算法学得；请给出 speaq learn 写出的模型目录。",
        )
    last = steps[-1]
    algorithm = cast(Algorithm, registry.load("algorithms", last["algorithm"])(**last["options"]))
    meaning = algorithm.estimates
    if last["learn"]["trunk"] != "frozen" or last["head"]["kind"] != "tied":
        # Nothing was centred, so that an account has no advantages to add up.
        meaning = {"centred": "q", "account": ""}.get(meaning, meaning)
    return last["algorithm"], algorithm, meaning


def _target(model: LanguageModel, run: Path | str | None) -> ValueHead | None:
    """The slow copy of the head as the run's last checkpoint has it, if it has one."""
    if run is None or not (Path(run) / "settings.yaml").is_file():
        return None
    found = RunFolder.reopen(run).checkpoints()
    if not found:
        return None
    prefix = "module.target."
    tensors = {
        key.removeprefix(prefix): tensor
        for key, tensor in load_file(found[-1] / "state.safetensors").items()
        if key.startswith(prefix)
    }
    if not tensors:
        return None
    head = model.require_head()
    slow = copy.deepcopy(head, {id(head.output_table): head.output_table})
    slow.load_state_dict(tensors)
    return slow.to(head.output_table.device)


def _drawn(encoded: Sequence[Encoded], tokens: int, seed: int) -> Ints:
    """Places (n, 2): an episode and one of its actions, in order, no place twice."""
    counts = np.array([len(each.actions) for each in encoded])
    total = int(counts.sum())
    drawn = np.arange(total)
    if tokens < total:
        drawn = np.sort(generator(seed, "diagnosis").choice(total, tokens, replace=False))
    starts = np.concatenate([[0], np.cumsum(counts)])
    owner = np.searchsorted(starts, drawn, side="right") - 1
    return np.stack([owner, drawn - starts[owner]], 1)


def _shown(encoded: Sequence[Encoded], count: int) -> list[int]:
    """Episodes spread evenly from the lowest return to the highest."""
    order = np.argsort([each.rewards.sum() for each in encoded], kind="stable")
    spread = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return [int(each) for each in order[spread]]


@torch.inference_mode()
def _look(
    model: LanguageModel,
    late: ValueHead | None,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    places: Ints,
    grid: Sequence[float],
    decoding: Decoding,
) -> _Looked:
    """Read values, entropies and coverage at the tokens drawn."""
    model = model.for_batches()
    head, device = model.require_head(), model.output_table.device
    known = torch.zeros(model.output_table.shape[0], device=device)
    for each in encoded:
        known[torch.from_numpy(each.action_tokens).to(device)] = 1.0
    parts: list[dict[str, Tensor]] = []
    rows = max(1, CHUNK_ELEMENTS // model.output_table.shape[0])
    with bar("diagnosis", len(places)) as running:
        for owner in np.unique(places[:, 0]):
            inside = torch.from_numpy(places[places[:, 0] == owner, 1]).to(device)
            whole = features.states(int(owner)).to(device)
            taken = torch.from_numpy(encoded[owner].action_tokens).to(device)
            for some in torch.split(inside, rows):
                judge = use[:, owner, None].expand(-1, len(some)).to(device)
                states, actions = whole[some], taken[some]
                logits = model.output_layer(states.to(model.output_table.dtype)).float()
                with model.fast_products():
                    advantages = head.advantages(states, judge).float()
                found = {"q": _q_values(head, states, actions, judge)}
                if late is not None:
                    found["late"] = _q_values(late, states, actions, judge)
                parts.append({**found, **_policies(logits, advantages, known, grid, decoding)})
            running.advance(len(inside))
    joined = {
        name: torch.cat([part[name] for part in parts], -1).cpu().double().numpy()
        for name in parts[0]
    }
    return _Looked(joined["q"], joined.get("late"), joined["entropy"], joined["covered"])


def _q_values(head: ValueHead, states: Tensor, actions: Tensor, judge: Tensor) -> Tensor:
    """V + A at the tokens taken, mean of the members that may judge: (n, D) and so on -> (n,)."""
    each = head.values(states) + head.advantages_at(states, actions)
    return (each * judge).sum(0) / judge.sum(0)


def _policies(
    logits: Tensor, advantages: Tensor, known: Tensor, grid: Sequence[float], decoding: Decoding
) -> dict[str, Tensor]:
    """Entropy and coverage of each β's policy, (G, n) each."""
    entropies, covered = [], []
    for beta in grid:
        logprobs = log_probabilities(guide(logits, advantages, beta), decoding)
        shares = logprobs.exp()
        entropies.append(-(shares * logprobs.masked_fill(shares == 0, 0.0)).sum(-1))
        covered.append(shares @ known)
    return {"entropy": torch.stack(entropies), "covered": torch.stack(covered)}


def _compared(
    meaning: str,
    discount: float,
    scores: Scores,
    looked: _Looked,
    places: Ints,
    groups: Sequence[str],
    bins: int,
) -> tuple[Calibration | None, list[Bin], list[Bin]]:
    """Predictions against returns, overall, by value and by place."""
    if not meaning:
        return None, [], []
    at = places[:, 0], places[:, 1]
    steps = scores.steps
    to_go = returns_to_go(steps.rewards, discount)
    if meaning == "account":
        advantages = np.where(steps.mask, steps.advantages, 0.0)
        predicted = accounts(steps.values[:, 0], advantages, discount)[at]
        received = to_go[places[:, 0], 0]
    else:
        centred = meaning == "centred"
        predicted = (steps.values + steps.advantages)[at] if centred else looked.q_values
        received = to_go[at]
    whose = [groups[owner] for owner in places[:, 0]]
    by_place = binned(places[:, 1].astype(float), predicted, received, bins)
    return (
        calibrate(predicted, received, whose),
        binned(predicted, predicted, received, bins),
        by_place,
    )
