import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from speaq.core.errors import EvidenceError, SettingsError
from speaq.evaluation.estimate import GateSettings, Scores, Steps, estimates


def scores(log_ratios, rewards, betas=None):
    """Scores from (G, N, J) and (N, J), with no divergence."""
    log_ratios, rewards = np.asarray(log_ratios, float), np.asarray(rewards, float)
    betas = tuple(betas or map(float, range(len(log_ratios))))
    mute = Steps(log_ratios, rewards, np.ones(rewards.shape, bool), *np.zeros((2, *rewards.shape)),
                 np.zeros(log_ratios.shape))  # fmt: skip
    return Scores(betas, log_ratios, np.zeros(log_ratios.shape[:2]), rewards, mute)


def one(log_ratios, rewards, groups=None, seed=0, **named):
    """The estimate of a single β, by SNIPS if nothing else is asked for."""
    named.setdefault("estimator", "snips")
    groups = groups or [f"prompt {n}" for n in range(len(rewards))]
    return estimates(scores([log_ratios], rewards), groups, GateSettings(**named), seed)[0]


def slowly(log_ratios, rewards):
    """The definition, one number at a time: Σ_j Σ_i w_ij r_ij / Σ_i w_ij, w cumulative, clipped."""
    total = 0.0
    for j in range(len(rewards[0])):
        w = []
        for ratios in log_ratios:
            w.append(math.exp(min(4.0, sum(ratios[: j + 1]))))
        total += sum(w[i] * rewards[i][j] for i in range(len(w))) / sum(w)
    return total


LOGS = st.tuples(st.integers(5, 12), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        arrays(float, shape, elements=st.floats(-6, 6)),
        arrays(float, shape, elements=st.floats(-5, 5)),
    )
)


@settings(max_examples=60, deadline=None)
@given(LOGS)
def test_the_estimate_is_its_definition(log):
    ratios, rewards = log
    found = one(ratios, rewards, draws=10)
    assert found.predicted == pytest.approx(slowly(ratios.tolist(), rewards.tolist()), abs=1e-9)


def test_one_turn_by_hand():
    """Weights 1, 2, 4, 1, 2 and rewards 0, 1, 1, 0, 0: 6 of 10; ESS 10² / 26."""
    found = one([[math.log(w)] for w in (1, 2, 4, 1, 2)], [[0], [1], [1], [0], [0]])
    assert found.predicted == pytest.approx(0.6)
    assert found.gain == pytest.approx(0.6 - 0.4)
    assert found.ess == pytest.approx(100 / 26)


def test_two_turns_by_hand():
    """Turn 0 is weighed by its own ratio only, turn 1 by both; later luck never moves turn 0."""
    two, half = math.log(2), -math.log(2)
    ratios = [[two, two], [0, 0], [0, half], [half, 0], [0, 0]]
    rewards = [[1, 1], [0, 0], [0, 1], [1, 0], [0, 0]]
    first = (2 * 1 + 0.5 * 1) / (2 + 1 + 1 + 0.5 + 1)
    second = (4 * 1 + 0.5 * 1) / (4 + 1 + 0.5 + 0.5 + 1)
    found = one(ratios, rewards)
    assert found.predicted == pytest.approx(first + second)
    assert found.ess == pytest.approx(7**2 / (16 + 1 + 0.25 + 0.25 + 1))


@settings(max_examples=40, deadline=None)
@given(arrays(float, st.tuples(st.integers(5, 30), st.just(1)), elements=st.floats(-1e3, 1e3)))
def test_without_guidance_the_estimate_is_the_mean_of_the_log(rewards):
    found = one(np.zeros_like(rewards), rewards, draws=20)
    # Sums may be taken in another order: nothing but rounding may differ.
    assert found.predicted == pytest.approx(rewards.mean(), rel=1e-12, abs=1e-10)
    assert (found.gain, found.gain_low, found.ess) == (0, 0, len(rewards))


def test_a_turn_that_an_episode_does_not_have_earns_nothing():
    """Five episodes, one of two turns: the second turn's mean is over all five."""
    rewards = [[1, 5], [1, 0], [1, 0], [1, 0], [1, 0]]
    assert one(np.zeros((5, 2)), rewards).predicted == 2.0


def test_every_beta_meets_the_same_draws_and_the_seed_decides_them():
    ratios = np.random.default_rng(0).normal(size=(30, 1))
    rewards = np.random.default_rng(1).normal(size=(30, 1))
    groups = [f"p{n % 10}" for n in range(30)]
    twice = estimates(scores([ratios, ratios], rewards), groups, GateSettings(), 7)
    assert (twice[0].low, twice[0].gain_low) == (twice[1].low, twice[1].gain_low)
    other = estimates(scores([ratios], rewards), groups, GateSettings(), 8)[0]
    assert other.low != twice[0].low
    assert other.predicted == twice[0].predicted


def test_a_higher_level_gives_a_wider_interval():
    rewards = np.random.default_rng(0).normal(size=(60, 1))
    narrow, wide = (one(np.zeros((60, 1)), rewards, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.predicted < narrow.high < wide.high


def test_replies_to_one_prompt_are_not_independent_evidence():
    """What a prompt earns is the same for its ten replies: ten times the replies, no narrower."""
    stream = np.random.default_rng(0)
    rewards = stream.normal(size=20).repeat(10)[:, None] + 0.01 * stream.normal(size=(200, 1))
    prompts = [f"prompt {n // 10}" for n in range(200)]
    together = one(np.zeros((200, 1)), rewards, prompts)
    apart = one(np.zeros((200, 1)), rewards)
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_groups_are_drawn_whole_and_keep_their_own_rewards():
    """Prompt A always earns 1 and B to E 0, under shuffled order: draws are multiples of 1/5."""
    names = list("ABCDEABCDE")
    rewards = [[float(name == "A")] for name in names]
    found = one(np.zeros((10, 1)), rewards, names, level=0.5)
    assert (found.low, found.predicted, found.high) == pytest.approx((0.0, 0.2, 0.4))


def test_fewer_than_five_prompts_allow_no_interval():
    with pytest.raises(EvidenceError, match="4 different prompts"):
        one(np.zeros((40, 1)), np.zeros((40, 1)), [f"p{n % 4}" for n in range(40)])


def test_a_policy_that_never_acts_as_the_log_did_has_no_evidence():
    """Weights of 0 only: an effective sample of 0 and finite figures, not 0/0."""
    found = one(np.full((6, 2), -np.inf), np.ones((6, 2)))
    assert found.ess == 0
    assert all(map(math.isfinite, (found.predicted, found.low, found.high, found.gain_low)))


@pytest.mark.parametrize("level", [0.4, 1.0, math.nan])
def test_a_level_that_is_no_confidence_is_refused(level):
    with pytest.raises(SettingsError, match="level"):
        GateSettings(level=level)


@pytest.mark.parametrize(("setting", "value"), [("estimator", "ips"), ("draws", 0)])
def test_settings_that_mean_nothing_are_refused(setting, value):
    with pytest.raises(SettingsError, match=setting):
        GateSettings(**{setting: value})


def bandit(stream, prompts, replies, tilt):
    """A log of one turn with four possible replies, and the true value of the tilted policy.

    What replies earn varies with the prompt, as does how they compare.
    """
    population = 400
    levels = stream.normal(size=(population, 1)) + 0.7 * stream.normal(size=(population, 4))
    base = softmax(stream.normal(size=(population, 4)))
    guided = softmax(np.log(base) + tilt * (levels + 0.5 * stream.normal(size=levels.shape)))
    truth = (guided * levels).sum(1).mean()

    def log(run):
        asked = run.integers(population, size=prompts).repeat(replies)
        chosen = (base[asked].cumsum(1) < run.random((len(asked), 1))).sum(1)
        ratios = np.log(guided[asked, chosen] / base[asked, chosen])
        rewards = levels[asked, chosen] + 0.5 * run.normal(size=len(asked))
        # A prompt drawn twice from the population is two prompts of the log.
        return ratios[:, None], rewards[:, None], np.arange(prompts).repeat(replies)

    return truth, log


def dialogue(stream, tilt):
    """Two turns of two actions: what the second earns depends on the first. Truth enumerated."""
    rewards = stream.normal(size=(2, 2, 2)).tolist()  # turn, first action, second action
    base, better = np.array([0.6, 0.4]), np.array([-0.5, 0.5])
    guided = softmax(np.log(base) + tilt * better)
    truth = sum(
        guided[a] * (rewards[0][a][0] + sum(guided[b] * rewards[1][a][b] for b in (0, 1)))
        for a in (0, 1)
    )

    def log(run):
        actions = (run.random((300, 2)) < base[1]).astype(int)
        ratios = np.log(guided / base)[actions]
        earned = [[rewards[0][a][0], rewards[1][a][b]] for a, b in actions]
        return ratios, np.array(earned) + run.normal(size=(300, 2)), np.arange(300)

    return truth, log


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    "problem",
    [
        lambda stream: bandit(stream, prompts=60, replies=5, tilt=0.5),
        lambda stream: bandit(stream, prompts=100, replies=1, tilt=1.0),
        lambda stream: dialogue(stream, tilt=1.0),
    ],
    ids=["prompts with replies", "one reply each", "two turns"],
)
def test_the_interval_holds_the_truth(problem):
    """Of 200 logs of a known problem, the 95 % interval holds the true value in at least 90 %."""
    truth, log = problem(np.random.default_rng(5))
    held, gains = 0, []
    for run in range(200):
        ratios, rewards, groups = log(np.random.default_rng((6, run)))
        found = one(ratios, rewards, list(map(str, groups)), seed=run, draws=300)
        held += found.low <= truth <= found.high
        gains.append(found.predicted - truth)
    assert held >= 180
    # Not by being wide: the estimates themselves surround the truth.
    assert abs(np.mean(gains)) < 0.25 * np.std(gains)


def test_the_lower_end_of_the_gain_holds_too():
    """The gain's lower bound, one-sided 97.5 %, lies above the true gain in at most 6 %."""
    stream = np.random.default_rng(2)
    truth, log = bandit(stream, prompts=60, replies=5, tilt=0.5)
    plain, _ = bandit(np.random.default_rng(2), prompts=60, replies=5, tilt=0.0)
    above = 0
    for run in range(200):
        ratios, rewards, groups = log(np.random.default_rng((7, run)))
        found = one(ratios, rewards, list(map(str, groups)), seed=run, draws=300)
        above += found.gain_low > truth - plain
    assert above <= 12


def told(stream, replies=400, tokens=6):
    """A log of replies whose every token has a known advantage, and what a head says of them.

    Half of the tokens are good ones; each earns 1 at the end, amid noise. The head knows which
    are good, on a scale of its own, and nothing of what is to come.
    """
    good = (stream.random((replies, tokens)) < 0.5).astype(float)
    rewards = np.zeros((replies, tokens))
    rewards[:, -1] = good.sum(1) + stream.normal(size=replies)
    share = 1 / (1 + math.exp(-0.8))  # of good tokens, for the candidate
    ratios = np.where(good == 1, math.log(2 * share), math.log(2 - 2 * share))
    steps = Steps(
        log_ratios=np.stack([0 * ratios, ratios]),
        rewards=rewards,
        mask=np.ones_like(rewards, bool),
        values=np.zeros_like(rewards),
        advantages=0.2 * (good - 0.5),
        means=np.stack([0 * ratios, np.full_like(ratios, 0.2 * (share - 0.5))]),
    )
    whole = steps.log_ratios.sum(2)[..., None], np.zeros((2, replies)), rewards.sum(1)[:, None]
    return tokens * share, Scores((0.0, 1.0), *whole, steps)


def test_doubly_robust_is_narrower_where_the_head_knows_something_and_holds_as_often():
    held, widths, errors = {}, {}, {}
    for run in range(100):
        truth, log = told(np.random.default_rng((3, run)))
        for name in ("snips", "dr"):
            asked = GateSettings(level=0.9, draws=200, estimator=name)
            _, found = estimates(log, list(map(str, range(400))), asked, run)
            held.setdefault(name, []).append(found.low <= truth <= found.high)
            widths.setdefault(name, []).append(found.high - found.low)
            errors.setdefault(name, []).append(found.predicted - truth)
    assert sum(held["dr"]) >= 85
    assert np.mean(widths["dr"]) < 0.7 * np.mean(widths["snips"])
    assert np.std(errors["dr"]) < 0.7 * np.std(errors["snips"])
    assert abs(np.mean(errors["dr"])) < 0.3 * np.std(errors["dr"])
