"""The gate end to end on a tiny model, against the definition spelt out in numpy."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from speaq.core.errors import DataError, EvidenceError, ModelError, SettingsError
from speaq.environments.logs import generate_log
from speaq.evaluation.estimate import GateSettings
from speaq.evaluation.gate import gate as the_gate
from speaq.evaluation.report import GateReport
from speaq.experience.episode import Episode, Turn
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.qlearning.crossfit import CrossFit

PROMPTS = [f"Question {n}? " for n in range(8)]
DECODINGS = [
    Decoding(max_new_tokens=6),
    Decoding(temperature=0.7, top_p=0.9, max_new_tokens=6),
    Decoding(temperature=1.3, top_k=40, max_new_tokens=6),
    Decoding(support=0.2, max_new_tokens=6),
]


SNIPS = GateSettings(estimator="snips")


def gate(model, episodes, betas, *, settings=SNIPS, **named):
    """By the estimator whose definition is spelt out here; see `test_scoring` for the other."""
    return the_gate(model, episodes, betas, settings=settings, **named)


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    """Which precision is fastest here is measured, and must not decide a test."""
    monkeypatch.setattr("speaq.models.language_model.batch_dtype", lambda: torch.float32)


@pytest.fixture
def model(tiny, with_random_head):
    """Two tied members that learnt from one half of the prompts each, all but their own."""
    made = with_random_head(tiny, HeadSettings(members=2), scale=0.2)
    made.facts = {"crossfit": CrossFit(folds=2).facts()}
    return made


def vowels(episode):
    """Deterministic, different for each turn, and not of mean zero."""
    return [
        1.0 + sum(map(turn.text.count, "aeiou0123")) + len(turn.text) / 7
        for turn in actions(episode)
    ]


def actions(episode):
    return [turn for turn in episode.turns if turn.role == "action"]


def sampled(model, decoding, replies=4, prompts=PROMPTS):
    return generate_log(model, prompts, replies, decoding, seed=3)[0]


def distribution(logits, decoding):
    """ln of what is drawn from: (V,) -> (V,), by the textbook."""
    logits = logits / decoding.temperature
    order = np.argsort(-logits, kind="stable")
    if decoding.top_k:
        logits[order[decoding.top_k :]] = -np.inf
    p = np.exp(logits - logits.max())
    p /= p.sum()
    if decoding.top_p < 1:
        kept, mass = [], 0.0
        for token in order:
            if mass >= decoding.top_p:
                break
            kept.append(token)
            mass += p[token]
        cut = np.ones(len(p), bool)
        cut[kept] = False
        p[cut] = 0
        p /= p.sum()
    with np.errstate(divide="ignore"):
        return np.log(p)


@torch.no_grad()
def by_definition(model, episode, member, beta, decoding):
    """(turns,) ln π_β, (turns,) ln π_0 and the KL of one episode, state by state, in float64."""
    weight = model.require_head().projection[member].double()
    table = model.output_table.double()
    tokens, per_turn, plain, kl = [], [], [], 0.0
    for turn in episode.turns:
        if turn.role == "observation":
            tokens += model.encode(turn.text)
            continue
        per_turn.append(0.0)
        plain.append(0.0)
        for token in turn.token_ids:
            ids = torch.tensor([tokens])
            hidden = model.hidden_states(ids)[0, -1].double()
            logits = model.causal(input_ids=ids).logits[0, -1].double()
            advantage = table @ (weight @ hidden)
            base = distribution(logits.numpy().copy(), decoding)
            moved = logits + beta * advantage
            if beta and decoding.support:
                policy = logits.softmax(-1)
                moved[policy < decoding.support * policy.max()] = -torch.inf
            guided = distribution(moved.numpy(), decoding)
            per_turn[-1] += guided[token]
            plain[-1] += base[token]
            p = np.exp(guided)
            kl += sum(p[a] * (guided[a] - base[a]) for a in np.flatnonzero(p))
            tokens.append(token)
    return per_turn, plain, kl


def clipped(log_ratio):
    return math.exp(min(4.0, log_ratio))


def expected(model, episodes, beta, decoding, judge, recorded=False):
    """(predicted, ESS, KL) by the definition; `judge` names the member for an episode.

    With `recorded`, the ratio's denominator is the log's own propensity; else the base policy's.
    """
    J = max(len(actions(each)) for each in episodes)
    ratios, rewards, kls = [], [], []
    for each in episodes:
        guided, base, kl = by_definition(model, each, judge(each), beta, decoding)
        if recorded:
            base = [sum(turn.logprobs) for turn in actions(each)]
        steps = [g - b for g, b in zip(guided, base, strict=True)]
        ratios.append(steps + [0.0] * (J - len(steps)))
        earned = vowels(each)
        rewards.append(earned + [0.0] * (J - len(earned)))
        kls.append(kl)
    w = [[clipped(sum(row[: j + 1])) for j in range(J)] for row in ratios]
    N = range(len(w))
    predicted = 0.0
    for j in range(J):
        predicted += sum(w[i][j] * rewards[i][j] for i in N) / sum(w[i][j] for i in N)
    last = [row[-1] for row in w]
    return predicted, sum(last) ** 2 / sum(x * x for x in last), sum(kls) / len(kls)


def stranger(episode):
    """The member that did not learn from the episode: by the fold that its prompt falls in."""
    seen = CrossFit(folds=2).seen([episode.prompt])[:, 0].tolist()
    assert sorted(seen) == [False, True]
    return seen.index(False)


def found(report, beta):
    e = report.row(beta).estimate
    return e.predicted, e.ess, e.kl


@pytest.mark.parametrize("decoding", DECODINGS, ids=["plain", "top-p", "top-k", "support"])
def test_the_gate_computes_its_definition(model, decoding):
    episodes = sampled(model, decoding)
    report = gate(model, episodes, [0, 0.05, 0.1], decoding=decoding, reward=vowels)
    for beta in (0.05, 0.1):
        wanted = expected(model, episodes, beta, decoding, stranger)
        assert found(report, beta) == pytest.approx(wanted, rel=2e-3)
    # The comparison has something to compare: guidance moves weights and members differ.
    own = expected(model, episodes, 0.1, decoding, lambda each: 1 - stranger(each))
    assert found(report, 0.1)[0] != pytest.approx(own[0], rel=3e-3)
    assert report.row(0.1).estimate.ess < 0.99 * len(episodes)
    # A candidate that cuts elsewhere than the log says things that the log could not hold.
    cuts = decoding.top_k > 0 or decoding.top_p < 1
    assert math.isinf(report.row(0.1).estimate.kl) == cuts
    assert ("could not hold" in report.row(0.1).reason_en) == cuts
    assert (report.episodes, report.prompts, report.recovered) == (32, 8, False)


def conversations(model, decoding):
    """Logs of one or two turns; the second answers another question of the person."""
    episodes = []
    for first in sampled(model, decoding, replies=2):
        # Bytes that are no text, and end tokens, are read differently as context of a later turn.
        if list(first.turns[-1].token_ids) == model.encode(first.reply):
            more = Turn("observation", " And why? ")
            text = "".join(turn.text for turn in (*first.turns, more))
            (second,) = sampled(model, decoding, 1, [text])
            first = replace(first, turns=(*first.turns, more, second.turns[-1]))
        episodes.append(first)
    return episodes


def test_turns_are_weighed_cumulatively(model):
    decoding = Decoding(max_new_tokens=4)
    episodes = conversations(model, decoding)
    assert {len(actions(each)) for each in episodes} == {1, 2}
    report = gate(model, episodes, [0.5], decoding=decoding, reward=vowels)
    wanted = expected(model, episodes, 0.5, decoding, stranger)
    assert found(report, 0.5) == pytest.approx(wanted, rel=2e-3)


def test_without_guidance_it_predicts_what_the_log_earned(model):
    episodes = sampled(model, DECODINGS[1])
    row = gate(model, episodes, [1], decoding=DECODINGS[1], reward=vowels).rows[0]
    assert row.verdict == "base"
    mean = np.mean([sum(vowels(each)) for each in episodes])
    assert row.estimate.predicted == pytest.approx(mean, rel=1e-6)  # rewards are kept in float32
    assert (row.estimate.kl, row.estimate.ess, row.estimate.gain) == (0, len(episodes), 0)


def with_propensities(episode, shift):
    turns = [
        turn
        if turn.logprobs is None
        else replace(turn, logprobs=tuple(shift(n, p) for n, p in enumerate(turn.logprobs)))
        for turn in episode.turns
    ]
    return replace(episode, turns=tuple(turns))


def test_rounding_of_propensities_changes_nothing(model):
    """A log drawn in half precision: its propensities are a little off, the same for every β."""
    decoding = DECODINGS[0]
    exact = sampled(model, decoding)
    rounded = [with_propensities(each, lambda n, p: p - 0.03 * (n % 2)) for each in exact]
    one, other = (
        gate(model, log, [0.3], decoding=decoding, reward=vowels) for log in (exact, rounded)
    )
    assert one.rows == other.rows


def test_a_log_of_another_policy_is_weighed_by_its_own_propensities(model):
    decoding = DECODINGS[0]
    episodes = [
        with_propensities(each, lambda n, p: min(0.0, p + 0.6 * math.sin(n + 9 * p)))
        for each in sampled(model, decoding)
    ]
    report = gate(model, episodes, [0.3], decoding=decoding, reward=vowels)
    for beta in (0.0, 0.3):
        wanted = expected(model, episodes, beta, decoding, stranger, recorded=True)
        assert found(report, beta) == pytest.approx(wanted, rel=2e-3)
    assert report.row(0).estimate.ess < len(episodes) - 1


def test_missing_propensities_are_recomputed_and_the_report_says_so(model):
    decoding = DECODINGS[0]
    known = sampled(model, decoding)
    unknown = [
        replace(each, turns=tuple(replace(turn, logprobs=None) for turn in each.turns))
        for each in known
    ]
    report = gate(model, unknown, [0.3], decoding=decoding, reward=vowels)
    assert report.recovered
    assert report.rows == gate(model, known, [0.3], decoding=decoding, reward=vowels).rows


def test_a_token_that_neither_policy_draws_weighs_nothing(model):
    """A log drawn without cutting, judged for a candidate that cuts: finite, and by definition."""
    narrow = Decoding(top_k=30, max_new_tokens=2)
    episodes = sampled(model, Decoding(max_new_tokens=2), replies=30)
    report = gate(model, episodes, [0.3], decoding=narrow, reward=vowels)
    wanted = expected(model, episodes, 0.3, narrow, stranger, recorded=True)
    assert found(report, 0.3) == pytest.approx(wanted, rel=2e-3)
    assert all(math.isfinite(number) for number in found(report, 0.0))


def test_a_token_that_could_not_be_drawn_needs_a_propensity(model):
    episodes = [
        replace(each, turns=tuple(replace(turn, logprobs=None) for turn in each.turns))
        for each in sampled(model, Decoding(max_new_tokens=2), replies=30)
    ]
    narrow = Decoding(top_k=30, max_new_tokens=2)
    with pytest.raises(EvidenceError, match="never draw"):
        gate(model, episodes, [0.3], decoding=narrow, reward=vowels)


def test_a_member_never_judges_what_it_learnt_from(model):
    """All prompts fall in the half that member 0 learnt from: its huge advantages are not heard."""
    split = CrossFit(folds=2)
    prompts = [p for p in (f"Q{n}? " for n in range(40)) if split.seen([p])[:, 0].tolist()[0]]
    head = model.require_head()
    with torch.no_grad():
        head.projection[0] *= 100
        head.projection[1] = 0
    episodes = sampled(model, DECODINGS[0], 2, prompts[:6])
    heard = gate(model, episodes, [1.0], decoding=DECODINGS[0], reward=vowels)
    assert heard.row(1).estimate.kl == 0
    assert heard.row(1).estimate.predicted == heard.row(0).estimate.predicted
    fresh = GateSettings(fresh=True)
    spoken = gate(model, episodes, [1.0], decoding=DECODINGS[0], reward=vowels, settings=fresh)
    assert spoken.row(1).estimate.kl > 0.1


def test_twins_of_one_member_are_kept_from_the_same_episodes(tiny, with_random_head):
    model = with_random_head(tiny, HeadSettings(members=4), scale=0.2)
    split = CrossFit(folds=2, heads_per_member=2)
    model.facts = {"crossfit": split.facts()}
    prompts = [p for p in (f"Q{n}? " for n in range(40)) if split.seen([p])[:, 0].tolist()[0]]
    with torch.no_grad():
        model.require_head().projection[2:] = 0
    episodes = sampled(model, DECODINGS[0], 2, prompts[:6])
    report = gate(model, episodes, [1.0], decoding=DECODINGS[0], reward=vowels)
    assert report.row(1).estimate.kl == 0


@pytest.mark.parametrize("facts", [{}, {"crossfit": CrossFit(folds=0).facts()}])
def test_a_head_that_learnt_from_everything_is_not_judged_on_it(model, facts):
    model.facts = facts
    episodes = sampled(model, DECODINGS[0])
    with pytest.raises(EvidenceError, match="fresh"):
        gate(model, episodes, [1], decoding=DECODINGS[0], reward=vowels)
    settings = GateSettings(fresh=True)
    report = gate(model, episodes, [1], decoding=DECODINGS[0], reward=vowels, settings=settings)
    assert report.episodes == len(episodes)


def test_too_few_prompts_are_refused(model):
    episodes = sampled(model, DECODINGS[0], 8, PROMPTS[:4])
    with pytest.raises(EvidenceError, match="4 different prompts"):
        gate(model, episodes, [1], decoding=DECODINGS[0], reward=vowels)


@pytest.mark.parametrize("beta", [-1.0, math.nan, math.inf, 1e39])
def test_a_beta_that_cannot_be_used_is_refused(model, beta):
    with pytest.raises(SettingsError, match="beta"):
        gate(model, sampled(model, DECODINGS[0], 1), [beta], reward=vowels)


def test_an_empty_log_and_a_model_without_head_are_refused(tiny, model):
    with pytest.raises(DataError, match="no episodes"):
        gate(model, [], [1])
    with pytest.raises(ModelError, match="no value head"):
        gate(tiny, sampled(tiny, DECODINGS[0], 1), [1], reward=vowels)


def test_an_episode_without_reward_is_refused(model):
    with pytest.raises(DataError, match="reward"):
        gate(model, sampled(model, DECODINGS[0], 1), [1])


def test_the_report_travels_with_the_model_and_comes_back_from_its_file(model, tmp_path):
    episodes = sampled(model, DECODINGS[0])
    report = gate(model, episodes, [0.3], decoding=DECODINGS[0], reward=vowels, folder=tmp_path)
    assert model.facts["gate"] == report.to_dict()
    report.save(tmp_path / "report")
    saved = json.loads((tmp_path / "report" / "gate.json").read_text(encoding="utf-8"))
    assert GateReport.from_dict(saved) == report
    # The hidden states stay where they were asked to, and give the same report again.
    assert list(tmp_path.glob("*.states"))
    again = gate(model, episodes, [0.3], decoding=DECODINGS[0], reward=vowels, folder=tmp_path)
    assert again == report


def test_an_episode_of_plain_text_is_judged_by_its_text(model):
    """No token ids, as imported: the reply's tokens and an end token, propensities recomputed."""
    episodes = [
        Episode((Turn("observation", prompt), Turn("action", "yes")), id=str(n), reward=float(n))
        for n, prompt in enumerate(PROMPTS)
    ]
    tokens = (*model.encode("yes"), model.end_id)
    exact = [
        replace(
            each,
            turns=(each.turns[0], replace(each.turns[1], token_ids=tokens)),
            tokenizer=model.tokenizer_fingerprint,
        )
        for each in episodes
    ]
    report = gate(model, episodes, [0.3])
    assert report.recovered
    assert report.rows == gate(model, exact, [0.3]).rows
    assert report.row(0).estimate.predicted == pytest.approx(3.5)
