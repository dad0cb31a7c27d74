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
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from speaq.core import registry
from speaq.core.errors import EvidenceError, ModelError
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
from speaq.evaluation.estimate import Estimate, GateSettings, estimates
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
    """Tokens drawn from the log for what needs the whole vocabulary."""
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

    beta: float
    estimate: Estimate | None
    """What the gate predicts; None where the log cannot tell."""
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
    """Action tokens of the log."""
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
    refused: tuple[str, str] | None
    """Why the gate predicts nothing, in English and Chinese."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; infinite divergences, which it has no number for, are None."""
        record = asdict(self)
        for row in record["policies"]:
            if row["estimate"] and not np.isfinite(row["estimate"]["kl"]):
                row["estimate"]["kl"] = None
        return record


@dataclass(frozen=True)
class _Values:
    """What the head says of every token of the log; 0 on padding."""

    rewards: Floats  # (N, K)
    mask: NDArray[np.bool_]  # (N, K)
    values: Floats  # (N, K) V(s)
    advantages: Floats  # (N, K) A(s, a), centred where the algorithm centres
    late: Floats | None  # (N, K) V + A of the target network


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
        EvidenceError: every member learnt from every episode.
        ModelError: the model does not say how its head was learnt.
    """
    settings, decoding = settings or DiagnosisSettings(), decoding or Decoding()
    gate = gate or GateSettings()
    name, algorithm, meaning, temperature = _learnt(model)
    grid = sorted({0.0, *map(float, betas)})
    encoded = encode_episodes(model, episodes, reward or resolve(gate.reward))
    use = judges(model, encoded, gate.fresh)
    cache = None if run is None else Path(run) / "features"
    keep = cache if cache is not None and cache.is_dir() else None
    with cached(model, encoded, keep, temperature) as features:
        values = _values(model, _target(model, run), encoded, features, use)
        places = _drawn(encoded, settings.tokens, seed)
        entropy, covered = _look(model, encoded, features, use, places, grid, decoding)
        shown = _shown(encoded, settings.shown)
        told = credit(model, encoded, features, use, shown, grid[-1], settings.alternatives)
        rows, refused = _estimated(model, encoded, features, use, grid, decoding, gate, seed)
    calibration, by_value, by_place = _compared(
        meaning, algorithm.discount, values, [each.group for each in encoded], settings.bins
    )
    q_values = (values.values + values.advantages)[values.mask]
    counts = np.bincount(np.concatenate([each.action_tokens for each in encoded]))
    return Diagnosis(
        algorithm=name,
        episodes=len(encoded),
        tokens=int(values.mask.sum()),
        calibration=calibration,
        by_value=tuple(by_value),
        by_place=tuple(by_place),
        lag=None if values.late is None else lag(q_values, values.late[values.mask]),
        distinct=int((counts > 0).sum()),
        effective=effective_number(counts),
        policies=tuple(
            Guided(
                beta=beta,
                estimate=row,
                entropy=float(entropy[g].mean()),
                effective=float(np.exp(entropy[g].mean())),
                covered=float(covered[g].mean()),
            )
            for g, (beta, row) in enumerate(zip(grid, rows, strict=True))
        ),
        credit=tuple(told),
        refused=refused,
    )


def _estimated(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    grid: Sequence[float],
    decoding: Decoding,
    settings: GateSettings,
    seed: int,
) -> tuple[Sequence[Estimate | None], tuple[str, str] | None]:
    """The gate's estimates, or nothing and why: what the head learnt can be seen without them."""
    try:
        scores = score(model, encoded, features, use, grid, decoding)
        return estimates(scores, [each.group for each in encoded], settings, seed), None
    except EvidenceError as error:
        return [None] * len(grid), (error.en, error.zh)


def _learnt(model: LanguageModel) -> tuple[str, Algorithm, str, float | None]:
    """Which algorithm learnt the head, what its numbers stand for, and the temperature of the
    policy its advantages were centred under, if they were.

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
    centred = meaning in ("centred", "account")
    temperature = float(last["learn"]["temperature"]) if centred else None
    return last["algorithm"], algorithm, meaning, temperature


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
def _values(
    model: LanguageModel,
    late: ValueHead | None,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
) -> _Values:
    """Read the head at every token, and the target network beside it; nothing over the vocabulary.

    The mean of the members that may judge the episode.
    """
    head = model.require_head()
    device = head.output_table.device
    shape = len(encoded), max(len(each.actions) for each in encoded)
    found = _Values(
        rewards=np.zeros(shape),
        mask=np.zeros(shape, bool),
        values=np.zeros(shape),
        advantages=np.zeros(shape),
        late=None if late is None else np.zeros(shape),
    )
    for index, each in enumerate(encoded):
        part = index, slice(len(each.actions))
        states = features.states(index)[:-1].to(device)
        actions = torch.from_numpy(each.action_tokens).to(device)
        centres = None if features.centres is None else features.gather_centres([index])[0]
        taken = states, actions, None if centres is None else centres.to(device)
        weights = (use[:, index].float() / use[:, index].sum()).to(device)  # (M,)
        found.rewards[part], found.mask[part] = each.rewards, True
        found.values[part] = (weights @ head.values(states)).cpu()
        found.advantages[part] = (weights @ head.advantages_at(*taken)).cpu()
        if late is not None and found.late is not None:
            slow = late.values(states) + late.advantages_at(*taken)
            found.late[part] = (weights @ slow).cpu()
    return found


@torch.inference_mode()
def _look(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    places: Ints,
    grid: Sequence[float],
    decoding: Decoding,
) -> tuple[Floats, Floats]:
    """Entropy of each β's policy at the tokens drawn, and its share of logged ones: (G, n) each."""
    model = model.for_batches()
    head, device = model.require_head(), model.output_table.device
    known = torch.zeros(model.output_table.shape[0], device=device)
    for each in encoded:
        known[torch.from_numpy(each.action_tokens).to(device)] = 1.0
    entropies, covered = [], []
    rows = max(1, CHUNK_ELEMENTS // model.output_table.shape[0])
    with bar("diagnosis", len(places)) as running:
        for owner in np.unique(places[:, 0]):
            inside = torch.from_numpy(places[places[:, 0] == owner, 1]).to(device)
            whole = features.states(int(owner)).to(device)
            for some in torch.split(inside, rows):
                judge = use[:, owner, None].expand(-1, len(some)).to(device)
                logits = model.output_layer(whole[some].to(model.output_table.dtype)).float()
                with model.fast_products():
                    advantages = head.advantages(whole[some], judge).float()
                for g, beta in enumerate(grid):
                    guided = guide(logits, advantages, beta, decoding.support)
                    logprobs = log_probabilities(guided, decoding)
                    shares = logprobs.exp()
                    terms = shares * logprobs.masked_fill(shares == 0, 0.0)
                    entropies.append((g, -terms.sum(-1).cpu()))
                    covered.append((g, (shares @ known).cpu()))
            running.advance(len(inside))
    return _by_beta(entropies, len(grid)), _by_beta(covered, len(grid))


def _by_beta(parts: Sequence[tuple[int, Tensor]], betas: int) -> Floats:
    """Pieces (n_i,) with the number of their β -> (G, n)."""
    joined = [torch.cat([part for g, part in parts if g == each]) for each in range(betas)]
    whole: Floats = torch.stack(joined).double().numpy()
    return whole


def _compared(
    meaning: str, discount: float, found: _Values, groups: Sequence[str], bins: int
) -> tuple[Calibration | None, list[Bin], list[Bin]]:
    """Predictions against returns, overall, by value and by place."""
    if not meaning:
        return None, [], []
    mask, places = found.mask, np.broadcast_to(np.arange(found.mask.shape[1]), found.mask.shape)
    received = returns_to_go(found.rewards, discount)
    if meaning == "account":
        predicted = accounts(found.values[:, 0], found.advantages, discount)
        received = np.broadcast_to(received[:, :1], received.shape)
    else:
        predicted = found.values + found.advantages
    whose = [group for group, row in zip(groups, mask, strict=True) for _ in range(row.sum())]
    predicted, received, at = predicted[mask], received[mask], places[mask].astype(float)
    return (
        calibrate(predicted, received, whose),
        binned(predicted, predicted, received, bins),
        binned(at, predicted, received, bins),
    )
