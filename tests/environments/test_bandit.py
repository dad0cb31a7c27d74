"""Bandit prompts: the closed form is the optimum, and soft methods reach it to a hundredth."""

import numpy as np
import pytest
import torch
from torch import nn

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.bandit import Bandit
from speaq.experience.rewards import feedback
from speaq.models.head import HeadSettings, ValueHead
from speaq.qlearning.algorithm import View
from speaq.qlearning.qsharp import QSharp
from speaq.qlearning.shiq import ShiQ
from speaq.qlearning.soft_q import SoftQ
from speaq.qlearning.targets import target_of, update
from speaq.training.batch import collate
from speaq.training.encoding import Encoded, encode_episodes

ETA = 0.5


def test_no_policy_earns_more_after_paying_for_its_divergence():
    bandit = Bandit(seed=3)
    best = bandit.soft_policy(ETA)

    def worth(policy):
        divergence = (policy * np.log(policy / bandit.reference)).sum(1)
        return (policy * bandit.rewards).sum(1) - ETA * divergence

    np.testing.assert_allclose(worth(best), bandit.soft_values(ETA))
    stream = np.random.default_rng(0)
    for _ in range(200):
        other = best * stream.uniform(0.5, 1.5, best.shape)
        assert (worth(other / other.sum(1, keepdims=True)) <= worth(best) + 1e-12).all()


def learnt_policy(bandit, algorithm, steps=600):
    """π_β with β = 1/η after full-batch Adam on every prompt and arm once, as logits allow."""
    size = bandit.prompts
    eye = torch.eye(size)
    # A state is its prompt, one-hot; so the output table's columns are the reference's logits.
    table = torch.from_numpy(np.log(bandit.reference).T).float()
    head = ValueHead(HeadSettings(kind="linear", value_width=0), table)
    episodes = [
        Encoded(
            id=f"{prompt} {arm}",
            group=str(prompt),
            tokens=np.array([0, arm], np.int64),
            actions=np.array([1], np.int64),
            turn_ids=np.zeros(1, np.int64),
            rewards=np.array([bandit.rewards[prompt, arm]], np.float32),
            behaviour_logprobs=np.log(bandit.reference[prompt, arm : arm + 1]).astype(np.float32),
            truncated=False,
        )
        for prompt in range(size)
        for arm in range(bandit.arms)
    ]
    batch = collate(episodes, algorithm.discount, torch.ones(1, len(episodes), dtype=torch.bool))
    hidden = eye.repeat_interleave(bandit.arms, 0)[:, None].repeat(1, 2, 1)
    extra = algorithm.extra_modules(1, size)
    view = View(
        batch=batch,
        hidden=hidden,
        centres=None,
        head=head,
        target=target_of(head) if algorithm.target_every else None,
        extra=extra,
        output_table=table,
        episodes=float(len(episodes)),
        trains_policy=False,
    )
    weights = [*head.parameters(), *nn.ModuleDict(extra).parameters()]
    optimiser = torch.optim.Adam(weights, lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        algorithm.loss(view)[0].backward()
        optimiser.step()
        schedule.step()
        if view.target is not None:
            update(view.target, head, 1.0)
    with torch.no_grad():
        logits = eye @ table.T + head.member_advantages(eye, 0) / ETA
        return torch.softmax(logits, -1).numpy()


@pytest.mark.parametrize(
    "algorithm",
    [
        SoftQ(eta=ETA, ridge=0),
        ShiQ(eta=ETA, ridge=0),
        QSharp(eta=ETA, ridge=0, atoms=11),
    ],
    ids=lambda each: type(each).__name__,
)
def test_soft_methods_reach_the_closed_form(algorithm):
    bandit = Bandit(prompts=4, arms=3, seed=1)
    found = learnt_policy(bandit, algorithm)
    np.testing.assert_allclose(found, bandit.soft_policy(ETA), atol=1e-2)


def test_the_log_is_the_references():
    bandit = Bandit(prompts=3, arms=4, noise=0.2, seed=2)
    log = bandit.log(3000)
    assert np.mean([each.actions[0].reward for each in log]) == pytest.approx(
        bandit.quality, abs=0.03
    )
    for each in log[:50]:
        prompt, arm = int(each.prompt[6:]), int(each.reply[3:])
        assert np.exp(each.actions[0].logprobs[0]) == pytest.approx(bandit.reference[prompt, arm])
        gap = each.actions[0].reward - bandit.rewards[prompt, arm]
        assert abs(gap) == pytest.approx(0.2)
    assert log[:5] == Bandit(prompts=3, arms=4, noise=0.2, seed=2).log(5)


def test_a_word_that_is_no_arm_earns_nothing():
    bandit = Bandit()
    for word in ("arm99", "prompt0", "", "hello"):
        bandit.reset(seed=0)
        assert bandit.step(word)[1:4] == (0.0, True, False)
    with pytest.raises(RuntimeError, match="reset"):
        bandit.step("arm0")


def test_a_model_of_its_own_reads_the_log():
    bandit = Bandit()
    [encoded] = encode_episodes(bandit.model(), bandit.log(1), feedback)
    assert len(encoded.actions) == 2
    assert load("environments", "bandit") is Bandit
    with pytest.raises(SettingsError, match="arms = 1"):
        Bandit(arms=1)
