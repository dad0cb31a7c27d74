import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from speaq.core.errors import SettingsError
from speaq.models.decoding import Decoding, guide, log_probabilities


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.2, 3),
    st.integers(0, 25),
    st.floats(0.05, 1),
    st.integers(0, 10_000),
)
def test_the_distribution_is_that_of_transformers(temperature, top_k, top_p, seed):
    logits = 3 * torch.randn(4, 20, generator=torch.Generator().manual_seed(seed))
    expected = TemperatureLogitsWarper(float(temperature))(None, logits)
    if top_k:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(float(top_p))(None, expected)
    found = log_probabilities(logits, Decoding(temperature, top_k, top_p))
    torch.testing.assert_close(found.exp(), expected.softmax(-1), atol=1e-5, rtol=1e-4)


def test_temperature_zero_takes_the_best_token():
    found = log_probabilities(torch.tensor([[0.0, 3.0, 1.0]]), Decoding(temperature=0))
    assert found.tolist() == [[-math.inf, 0.0, -math.inf]]


def test_a_temperature_near_zero_is_not_nan():
    found = log_probabilities(torch.tensor([[0.0, 3.0, 1.0]]), Decoding(temperature=1e-39))
    assert found.exp().tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.5),
        ("top_p", math.nan),
        ("support", -0.1),
        ("support", 1.1),
        ("max_new_tokens", 0),
    ],
)
def test_bad_settings_are_named(name, value):
    with pytest.raises(SettingsError, match=name):
        Decoding(**{name: value})


def test_a_support_of_zero_is_not_told_and_others_are():
    assert repr(Decoding(0.8)) == "Decoding(temperature=0.8, top_k=0, top_p=1.0, max_new_tokens=64)"
    assert Decoding(support=0.1).facts() == {**Decoding().facts(), "support": 0.1}
    assert "support=0.1" in repr(Decoding(support=0.1))


def test_beta_zero_returns_the_logits_themselves():
    logits = torch.randn(2, 5)
    assert guide(logits, torch.full((2, 5), math.nan), 0.0) is logits


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 20), st.integers(0, 1000))
def test_guiding_is_the_product_of_policy_and_exponential(beta, seed):
    stream = torch.Generator().manual_seed(seed)
    logits, advantages = torch.randn(3, 6, generator=stream), torch.randn(3, 6, generator=stream)
    weights = logits.double().softmax(-1) * (beta * advantages.double()).exp()
    expected = weights / weights.sum(-1, keepdim=True)
    found = guide(logits, advantages, beta).double().softmax(-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.floats(-20, 20).filter(bool), st.floats(0.01, 1), st.integers(0, 1000))
def test_support_chooses_among_what_the_model_finds_likely(beta, support, seed):
    stream = torch.Generator().manual_seed(seed)
    logits, advantages = torch.randn(3, 6, generator=stream), torch.randn(3, 6, generator=stream)
    policy = logits.double().softmax(-1)
    weights = policy * (beta * advantages.double()).exp()
    # A token on the very threshold may fall on either side of it by rounding.
    share = policy / policy.amax(-1, keepdim=True)
    assume(((share - support).abs() > 1e-5)[share < 1].all())
    weights[share < support] = 0
    expected = weights / weights.sum(-1, keepdim=True)
    found = guide(logits, advantages, beta, support).double().softmax(-1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


def test_a_token_the_model_would_never_say_is_not_found_by_a_large_beta():
    logits, advantages = torch.tensor([[9.0, 8.0, 0.0]]), torch.tensor([[0.0, 0.5, 1.0]])
    assert guide(logits, advantages, 1e6).softmax(-1).tolist() == [[0.0, 0.0, 1.0]]
    assert guide(logits, advantages, 1e6, 0.1).softmax(-1).tolist() == [[0.0, 1.0, 0.0]]
    assert guide(logits, advantages, 0.0, 0.1) is logits


def test_large_but_finite_guidance_takes_the_best_advantage():
    found = guide(torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 1e30)
    assert found.softmax(-1).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("beta", [math.nan, math.inf, -math.inf, 1e39])
def test_a_beta_that_overflows_is_named(beta):
    with pytest.raises(SettingsError, match="beta"):
        guide(torch.zeros(1, 2), torch.tensor([[1.0, 2.0]]), beta)


def test_advantages_that_are_not_numbers_are_refused():
    with pytest.raises(SettingsError, match="beta = 2"):
        guide(torch.zeros(1, 2), torch.tensor([[math.nan, 2.0]]), 2.0)
