"""Learning to label texts from clicks: a log of chosen labels in, an understand folder out.

An episode is one answer: its prompt is the text, its action the chosen label (or its tag `label`),
its tag `propensity` how likely that label was to be chosen, and its reward how it fared. The trunk
stays as it is; the mean of its hidden states stands for a text, and Q of every label is linear in
it, so that what is learnt is an ordinary folder of `speaq fine-tune`: most probable there is the
label that is worth most.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from speaq.core.devices import device
from speaq.core.errors import DataError
from speaq.experience.episode import Episode
from speaq.experience.records import fingerprint
from speaq.experience.rewards import action_rewards, resolve
from speaq.qlearning.choices import ChoiceLog, ChoiceSettings, Fitted, LabelScores, fit
from speaq.training.supervised.batches import by_length, collate
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.examples import Labelled
from speaq.training.supervised.heads import TextHead
from speaq.training.supervised.hidden_states import ROWS_AT_ONCE
from speaq.training.supervised.result import Skill, Tuned, save
from speaq.training.supervised.trunk import Trunk, open_trunk

LABEL, PROPENSITY = "label", "propensity"
"""Tags of an episode."""


class Labelling(NamedTuple):
    """One logged choice of a label."""

    text: str
    label: str
    reward: float
    propensity: float


@dataclass(frozen=True)
class Learnt:
    """What learning from clicks left behind."""

    model: Tuned
    fitted: Fitted
    labels: tuple[str, ...]
    folder: Path


def labellings(
    episodes: Sequence[Episode],
    reward: str | Callable[[Episode], Any] = "feedback",
    *,
    need_propensity: bool = False,
) -> list[Labelling]:
    """The logged choices of episodes.

    Args:
        episodes: the log.
        reward: name of a reward, `module:function` or a function.
        need_propensity: whether each has to say how likely its label was; else it counts as 1.

    Raises:
        DataError: no episodes, one without reward, or a propensity that is not in (0, 1].
    """
    if not episodes:
        raise DataError("the log holds no episodes.", "日志中没有任何片段。")
    judge = resolve(reward)
    return [
        Labelling(
            each.prompt,
            each.tags.get(LABEL, each.reply),
            sum(action_rewards(each, judge)),
            _propensity(each, need_propensity),
        )
        for each in episodes
    ]


def _propensity(episode: Episode, needed: bool) -> float:
    said = episode.tags.get(PROPENSITY)
    if said is None and not needed:
        return 1.0
    try:
        found = float(said or "")
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise DataError(
            f"episode {episode.id}: tag '{PROPENSITY}' is {said!r}; expected the probability in "
            "(0, 1] with which its label was chosen. The estimator direct does without.",
            f"片段 {episode.id}：标签 {PROPENSITY} 为 {said!r}；"
            "应为选中该标签的概率，在 (0, 1] 内。direct 估计不需要它。",
            field=f"tags.{PROPENSITY}",
        )
    return found


@torch.no_grad()
def text_vectors(trunk: Trunk, texts: Sequence[str]) -> Tensor:
    """The mean hidden state of each text: (N, D) float32. Long texts are cut."""
    rows, _ = Classifying(("",)).rows(trunk, [Labelled(text, ()) for text in texts])
    trunk.model.eval()
    made = torch.zeros(len(rows), trunk.size)
    for chosen in by_length([len(row.tokens) for row in rows], ROWS_AT_ONCE):
        batch = collate([rows[place] for place in chosen], trunk.padding, trunk.device)
        mask = batch.mask[:, :, None].float()
        means = (trunk.hidden(batch).float() * mask).sum(1) / mask.sum(1).clamp(min=1)
        made[chosen] = means.cpu()
    return made


def fit_labels(
    vectors: Tensor,
    logged: Sequence[Labelling],
    labels: Sequence[str],
    settings: ChoiceSettings,
    seed: int = 0,
) -> tuple[Fitted, TextHead]:
    """Q of every label from vectors (N, D) of the logged texts: as scores, and as a head.

    Rewards are put into [0, 1] by the least and the largest of the log.

    Raises:
        DataError: all choices earned the same.
    """
    rewards = torch.tensor([each.reward for each in logged], dtype=torch.float32)
    low, high = float(rewards.min()), float(rewards.max())
    size = float(vectors.norm(dim=1).mean())  # so that the prior means the same on every trunk
    place = {label: n for n, label in enumerate(labels)}
    log = ChoiceLog(
        vectors / size,
        torch.tensor([place[each.label] for each in logged]),
        (rewards - low) / (high - low) if high > low else rewards,
        torch.tensor([each.propensity for each in logged], dtype=torch.float32),
    )
    fitted = fit(
        log, lambda start: LabelScores(len(labels), vectors.shape[1], start), settings, seed
    )
    head = TextHead("mean", vectors.shape[1], len(labels), 0.0)
    assert isinstance(fitted.scorer, LabelScores)
    with torch.no_grad():
        head.out.weight.copy_(fitted.scorer.weights / size)
        head.out.bias.copy_(fitted.scorer.offsets)
    return fitted, head.eval()


def learn_labels(
    source: str | Path,
    episodes: Sequence[Episode],
    *,
    labels: Sequence[str] = (),
    settings: ChoiceSettings | None = None,
    reward: str | Callable[[Episode], Any] = "feedback",
    folder: Path | str,
    seed: int = 0,
) -> Learnt:
    """Learn from a log which label a text should be given.

    Args:
        source: of the trunk, as for `speaq fine-tune`.
        episodes: the log; see the module.
        labels: more labels, which the log never chose.
        settings: which estimator; see there.
        reward: how an episode fared.
        folder: where the model folder goes; one that is there is replaced.
        seed: of what is held out.

    Raises:
        DataError: see `labellings`; one label only; all choices earned the same.
        ModelError: no such source, or `folder` holds something else.
    """
    settings = settings or ChoiceSettings()
    needed = settings.estimator != "direct"
    logged = labellings(episodes, reward, need_propensity=needed)
    known = tuple(sorted({*labels, *(each.label for each in logged)}))
    if len(known) < 2:
        raise DataError(
            f"the log only ever chose '{known[0]}'; there is nothing to tell apart.",
            f"日志只选过“{known[0]}”，没有可区分的标签。",
            field=LABEL,
        )
    trunk = open_trunk(source, [each.text for each in logged], seed)
    trunk.model = trunk.model.to(device())
    fitted, head = fit_labels(
        text_vectors(trunk, [each.text for each in logged]), logged, known, settings, seed
    )
    earned = np.array([each.reward for each in logged])
    facts = {
        "origin": str(source),
        "metrics": {"log": {"reward": float(earned.mean()), "episodes": len(logged)}},
        "how": {
            "learnt_from": "clicks",
            "data": fingerprint(episodes),
            "seed": seed,
            "choices": json.loads(json.dumps(asdict(settings))),
            "ridge": fitted.ridge,
            "held_out_loss": fitted.loss,
        },
        "notes": [],
    }
    tuned = Tuned(trunk, {"": Skill(Classifying(known, reads="mean"), head)}, facts)
    save(tuned, folder)
    return Learnt(tuned, fitted, known, Path(folder))
