"""What one pass over the log says of each token, against the definition in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from speaq.environments.logs import generate_log
from speaq.evaluation.estimate import GateSettings
from speaq.evaluation.gate import gate
from speaq.evaluation.scoring import score
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.training.encoding import encode_episodes
from speaq.training.features import cache_features

PROMPTS = [f"Question {n}? " for n in range(6)]
DECODING = Decoding(temperature=0.9, max_new_tokens=5)
BETAS = (0.0, 0.7)


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    monkeypatch.setattr("speaq.models.language_model.batch_dtype", lambda: torch.float32)


@pytest.fixture
def model(tiny, with_random_head):
    return with_random_head(tiny, HeadSettings(members=2), scale=0.2)


def vowels(episode):
    return float(sum(map(episode.reply.count, "aeiou0123")))


@torch.no_grad()
def by_definition(model, tokens, member):
    """ln π_0, ln π_β, V and A, each over the vocabulary or one number, of one state."""
    ids = torch.tensor([tokens])
    hidden = model.hidden_states(ids)[0, -1]
    head = model.require_head()
    value = float(head.values(hidden[None])[member, 0])
    hidden = hidden.double()
    advantages = (model.output_table.double() @ (head.projection[member].double() @ hidden)).numpy()
    logits = model.causal(input_ids=ids).logits[0, -1].double().numpy()
    policies = []
    for beta in BETAS:
        raised = (logits + beta * advantages) / DECODING.temperature
        policies.append(raised - np.logaddexp.reduce(raised))
    return *policies, value, advantages


def test_a_pass_says_of_every_token_what_its_definition_says(model, tmp_path):
    episodes, _ = generate_log(model, PROMPTS, 1, DECODING, seed=1)
    encoded = encode_episodes(model, episodes, vowels)
    features = cache_features(model, encoded, tmp_path)
    use = torch.zeros(2, len(encoded), dtype=torch.bool)
    judges = [n % 2 for n in range(len(encoded))]
    use[judges, range(len(encoded))] = True
    scores = score(model, encoded, features, use, BETAS, DECODING)
    steps = scores.steps
    for i, each in enumerate(encoded):
        assert steps.mask[i].sum() == len(each.actions)
        for k, place in enumerate(each.actions):
            token = each.tokens[place]
            base, guided, value, a = by_definition(model, each.tokens[:place].tolist(), judges[i])
            centre = np.exp(base) @ a
            assert steps.log_ratios[1, i, k] == pytest.approx(guided[token] - base[token], abs=1e-3)
            assert steps.values[i, k] == pytest.approx(value, abs=1e-4)
            assert steps.advantages[i, k] == pytest.approx(a[token] - centre, abs=1e-3)
            assert steps.means[1, i, k] == pytest.approx(np.exp(guided) @ a - centre, abs=1e-3)
    assert np.abs(steps.means[0]).max() < 1e-5
    assert np.abs(steps.means[1]).max() > 0.01
    for each in (steps.values, steps.advantages, steps.rewards, *steps.log_ratios, *steps.means):
        assert (each[~steps.mask] == 0).all()
    np.testing.assert_allclose(scores.log_ratios[..., 0], steps.log_ratios.sum(-1))
    np.testing.assert_allclose(scores.rewards[:, 0], [vowels(each) for each in episodes])


def test_the_gate_is_doubly_robust_or_what_it_is_asked_for(model):
    episodes, _ = generate_log(model, PROMPTS, 8, DECODING, seed=1)
    fresh = GateSettings(fresh=True)
    robust, plain = (
        gate(model, episodes, [0.5], decoding=DECODING, reward=vowels, settings=settings)
        for settings in (fresh, replace(fresh, estimator="snips"))
    )
    assert (plain.estimator, robust.estimator) == ("snips", "dr")
    one, other = plain.row(0.5).estimate, robust.row(0.5).estimate
    assert (one.ess, one.kl) == (other.ess, other.kl)
    assert one.predicted != other.predicted
    assert one.low < other.predicted < one.high
    # At β = 0 it is the log's own policy, whatever the estimator, and gains nothing.
    mean = np.mean([vowels(each) for each in episodes])
    base = robust.row(0.0).estimate
    assert (base.gain, base.gain_low) == pytest.approx((0, 0), abs=1e-12)
    assert base.low < mean < base.high
    assert plain.row(0.0).estimate.predicted == pytest.approx(mean)


def without_propensities(episodes):
    return [
        replace(each, turns=tuple(replace(turn, logprobs=None) for turn in each.turns))
        for each in episodes
    ]


@pytest.mark.parametrize(("temperature", "how"), [(0.3, "more likely"), (3.0, "less likely")])
def test_a_log_of_unknown_origin_gives_itself_away(tiny, with_random_head, temperature, how):
    """No propensities, and drawn otherwise than the gate is told: the report says so."""
    model = with_random_head(tiny, HeadSettings(), scale=0.0)
    with torch.no_grad():  # a model that is sure of something, unlike one fresh from its seed
        model = replace(model, causal=sure(model.causal))
    drawn = replace(DECODING, temperature=temperature)
    known, _ = generate_log(model, PROMPTS, 8, drawn, seed=1)
    unknown = without_propensities(known)

    def said(episodes, decoding):
        settings = GateSettings(fresh=True)
        return gate(model, episodes, [1.0], decoding=decoding, reward=vowels, settings=settings)

    strange = said(unknown, DECODING)
    assert strange.recovered
    assert (strange.strangeness > 0) == (how == "less likely")
    assert f"{abs(strange.strangeness):.2f} nats {how}" in str(strange)
    # With propensities, or with the decoding it was drawn with, there is nothing to doubt.
    for report in (said(known, DECODING), said(unknown, drawn)):
        assert report.strangeness == 0
        assert "nats" not in str(report)


def sure(causal):
    """A copy whose logits are three times as large."""
    import copy

    copied = copy.deepcopy(causal)
    copied.get_output_embeddings().weight.mul_(3)
    return copied
