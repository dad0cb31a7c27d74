"""Losses over choices equal their definitions, and find what a log of clicks can tell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.core.seeds import generator
from speaq.qlearning.choices import (
    CandidateScores,
    ChoiceLog,
    ChoiceSettings,
    LabelScores,
    fit,
)
from speaq.qlearning.partial_feedback import (
    inverse_weights,
    robust_targets,
    taken_loss,
    target_loss,
    values,
)

WORTH = torch.tensor([[0.9, 0.2, 0.5], [0.1, 0.7, 0.6], [0.4, 0.3, 0.8]])
"""(kinds of text, labels) how often each choice is clicked on."""
POLICY = torch.tensor([[0.1, 0.7, 0.2], [0.6, 0.2, 0.2], [0.3, 0.5, 0.2]])


def sigmoid(number):
    return 1 / (1 + math.exp(-number))


def random_log(seed, rows=20, choices=4):
    stream = generator(seed, "choices")
    return (
        torch.tensor(stream.normal(size=(rows, choices))),
        torch.tensor(stream.integers(choices, size=rows)),
        torch.tensor(stream.random(rows)),
        torch.tensor(stream.uniform(0.05, 1, rows)),
    )


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_the_choices_taken_is_its_definition(seed):
    scores, taken, rewards, propensities = random_log(seed)
    weights = inverse_weights(propensities)
    total = 0.0
    for row, (a, r) in enumerate(zip(taken.tolist(), rewards.tolist(), strict=True)):
        q = sigmoid(float(scores[row, a]))
        total -= (r * math.log(q) + (1 - r) * math.log(1 - q)) / float(propensities[row])
    expected = total / float((1 / propensities).sum())
    assert float(taken_loss(scores, taken, rewards, weights)) == pytest.approx(expected)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_loss_of_one_right_choice_is_its_definition(seed):
    scores, taken, rewards, _ = random_log(seed)
    clicks = torch.tensor([-2.0, 1.5], dtype=scores.dtype)
    low, high = sigmoid(-2.0), sigmoid(1.5)
    total = 0.0
    for row, (a, r) in enumerate(zip(taken.tolist(), rewards.tolist(), strict=True)):
        powers = [math.exp(each) for each in scores[row].tolist()]
        q = low + (high - low) * powers[a] / sum(powers)
        total -= r * math.log(q) + (1 - r) * math.log(1 - q)
    found = taken_loss(scores, taken, rewards, torch.ones(len(taken)), clicks)
    assert float(found) == pytest.approx(total / len(taken))


def test_only_the_choice_taken_gets_a_gradient():
    scores, taken, rewards, _ = random_log(3)
    scores.requires_grad_()
    taken_loss(scores, taken, rewards, torch.ones(len(taken))).backward()
    others = torch.ones_like(scores, dtype=torch.bool).scatter(1, taken[:, None], False)
    assert not scores.grad[others].any()
    assert scores.grad[~others].all()


def test_where_one_choice_is_right_a_click_lowers_the_others():
    scores = torch.zeros(1, 3, requires_grad=True)
    clicks = torch.tensor([-3.0, 3.0])
    one = torch.ones(1)
    taken_loss(scores, torch.tensor([1]), one, one, clicks).backward()
    assert scores.grad[0, 1] < 0 < scores.grad[0, 0]


def test_robust_targets_by_hand():
    foretold = torch.tensor([[0.5, 0.25], [0.4, 0.8]])
    found = robust_targets(
        foretold, torch.tensor([1, 0]), torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.2])
    )
    # 0.25 + (1 - 0.25)/0.5, and 0.4 + (0 - 0.4)/0.2; what was not taken stays.
    assert torch.allclose(found, torch.tensor([[0.5, 1.75], [-1.6, 0.8]]))
    assert foretold[0, 1] == 0.25


def test_robust_targets_are_right_on_average_whatever_was_foretold():
    stream = generator(0, "robust")
    kinds = torch.tensor(stream.integers(3, size=40_000))
    taken = torch.multinomial(POLICY[kinds], 1, generator=torch.Generator().manual_seed(0))[:, 0]
    clicked = torch.rand(len(kinds), generator=torch.Generator().manual_seed(1))
    rewards = (clicked < WORTH[kinds, taken]).float()
    wrong = torch.full((len(kinds), 3), 0.35)
    found = robust_targets(wrong, taken, rewards, POLICY[kinds, taken])
    means = torch.stack([found[kinds == kind].mean(0) for kind in range(3)])
    assert torch.allclose(means, WORTH, atol=0.06)


@pytest.mark.parametrize("clicks", [None, torch.tensor([-2.0, 2.0])])
def test_the_loss_of_targets_is_least_where_q_is_the_target(clicks):
    scores = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    clicks = None if clicks is None else clicks.double()
    target = values(torch.tensor([[1.0, -0.5, 0.3]], dtype=torch.float64), clicks)
    solver = torch.optim.LBFGS([scores], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        loss = target_loss(scores, target, clicks)
        loss.backward()
        return float(loss.detach())

    solver.step(closure)
    assert torch.allclose(values(scores.detach(), clicks), target, atol=1e-4)


def clicks_log(count, seed=0):
    """Texts of three kinds, as one-hot features, labelled by `POLICY` and clicked by `WORTH`."""
    stream = generator(seed, "clicks")
    kinds = torch.tensor(stream.integers(3, size=count))
    draw = torch.Generator().manual_seed(seed)
    taken = torch.multinomial(POLICY[kinds], 1, generator=draw)[:, 0]
    rewards = (torch.rand(count, generator=draw) < WORTH[kinds, taken]).float()
    return ChoiceLog(torch.eye(3)[kinds], taken, rewards, POLICY[kinds, taken])


@pytest.mark.parametrize("estimator", ["direct", "weighted", "robust"])
def test_every_estimator_finds_what_each_choice_is_worth(estimator):
    found = fit(
        clicks_log(30_000),
        lambda start: LabelScores(3, 3, start),
        ChoiceSettings(estimator=estimator, ridge=(0.1,)),
        seed=0,
    )
    assert torch.allclose(values(found.scores(torch.eye(3))), WORTH, atol=0.07)


def test_a_label_that_was_never_tried_stays_as_good_as_usual():
    log = clicks_log(3000)
    found = fit(log, lambda start: LabelScores(4, 3, start), ChoiceSettings(ridge=(0.1,)), seed=0)
    q = values(found.scores(torch.eye(3)))
    assert torch.allclose(q[:, 3], log.rewards.mean(), atol=1e-4)


def test_where_one_is_right_the_habits_of_clicking_are_learnt():
    stream = generator(0, "exclusive")
    kinds = torch.tensor(stream.integers(3, size=20_000))
    taken = torch.tensor(stream.integers(3, size=20_000))
    chance = torch.where(taken == kinds, 0.8, 0.15)
    rewards = torch.tensor(stream.random(20_000)).float().lt(chance).float()
    log = ChoiceLog(torch.eye(3)[kinds], taken, rewards, torch.full((20_000,), 1 / 3))
    made = ChoiceSettings(exclusive=True, ridge=(0.1,))
    found = fit(log, lambda start: LabelScores(3, 3, start), made, seed=0)
    assert found.clicks is not None
    assert values(found.scores(torch.eye(3)), found.clicks).argmax(1).tolist() == [0, 1, 2]
    learnt = values(found.scores(torch.eye(3)), found.clicks)
    assert float(learnt[0, 0]) == pytest.approx(0.8, abs=0.03)
    assert float(learnt[0, 1]) == pytest.approx(0.15, abs=0.03)


def test_candidates_are_told_by_their_features_and_absent_ones_are_never_best():
    stream = generator(0, "candidates")
    features = torch.tensor(stream.normal(size=(4000, 5, 2)), dtype=torch.float32)
    features[:, 4] = torch.nan
    taken = torch.tensor(stream.integers(4, size=4000))
    score = features[torch.arange(4000), taken] @ torch.tensor([2.0, -1.0])
    rewards = torch.tensor(stream.random(4000)).float().lt(torch.sigmoid(score)).float()
    log = ChoiceLog(features, taken, rewards, torch.full((4000,), 0.25))
    found = fit(log, lambda start: CandidateScores(2, start), ChoiceSettings(), seed=0)
    assert torch.allclose(found.scorer.weights.detach(), torch.tensor([2.0, -1.0]), atol=0.25)
    assert (found.scores(features).argmax(1) < 4).all()


def test_a_log_that_earned_the_same_everywhere_is_refused():
    log = clicks_log(50)
    same = ChoiceLog(log.features, log.taken, torch.ones(50), log.propensities)
    with pytest.raises(DataError, match="earned the same"):
        fit(same, lambda start: LabelScores(3, 3, start), ChoiceSettings(), seed=0)


@pytest.mark.parametrize(
    "wrong", [{"estimator": "best"}, {"ridge": ()}, {"ridge": (0.0,)}, {"held_out": 1.0}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(SettingsError, match="choices setting"):
        ChoiceSettings(**wrong)


def test_a_stronger_prior_is_chosen_where_features_say_nothing():
    stream = np.random.default_rng(0)
    features = torch.tensor(stream.normal(size=(200, 60)), dtype=torch.float32)
    log = ChoiceLog(
        features,
        torch.tensor(stream.integers(3, size=200)),
        torch.tensor(stream.integers(2, size=200)).float(),
        torch.full((200,), 1 / 3),
    )
    made = ChoiceSettings(ridge=(0.01, 300.0), held_out=0.3)
    assert fit(log, lambda start: LabelScores(3, 60, start), made, seed=0).ridge == 300.0
