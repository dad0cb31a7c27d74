"""Exploring stays among the model's own candidates, and its propensities are exact."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import ModelError, SettingsError
from speaq.models.decoding import Decoding
from speaq.models.exploration import Exploration, exploring
from speaq.models.head import HeadSettings
from speaq.models.sampling import sample


def slow(logits, advantages, how):
    """One row at a time, by definition."""
    rows = []
    for row, liked in zip(logits.tolist(), advantages.tolist(), strict=True):
        count = min(how.top_k or len(row), len(row))
        candidates = sorted(range(len(row)), key=lambda token: -row[token])[:count]
        if how.kind == "boltzmann":
            weights = {token: np.exp(liked[token] / how.temperature) for token in candidates}
            total = sum(weights.values())
            shares = {token: weight / total for token, weight in weights.items()}
        else:
            best = max(candidates, key=lambda token: liked[token])
            shares = {token: how.epsilon / count for token in candidates}
            shares[best] += 1 - how.epsilon
        rows.append([shares.get(token, 0.0) for token in range(len(row))])
    return np.array(rows)


@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["epsilon", "boltzmann"]),
    top_k=st.integers(0, 9),
    epsilon=st.floats(0, 1),
    temperature=st.floats(0.1, 5),
)
def test_the_distribution_is_the_slow_one(seed, kind, top_k, epsilon, temperature):
    stream = torch.Generator().manual_seed(seed)
    logits, advantages = torch.randn(2, 4, 7, generator=stream)
    how = Exploration(kind, top_k=top_k, epsilon=epsilon, temperature=temperature)
    found = exploring(logits, advantages, how).exp().numpy()
    np.testing.assert_allclose(found, slow(logits, advantages, how), atol=1e-5)


def test_an_untrained_head_follows_the_model():
    logits = torch.tensor([[0.0, 2.0, 1.0]])
    how = Exploration("epsilon", top_k=2, epsilon=0.2)
    found = exploring(logits, torch.zeros(1, 3), how).exp()
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.9, 0.1]]))


def test_replies_are_drawn_from_it_with_their_propensities(tiny, with_random_head):
    model = with_random_head(tiny, HeadSettings(kind="linear"), scale=1.0)
    how = Exploration("epsilon", top_k=3, epsilon=0.5)
    prompt = model.encode("hello")
    drawn = sample(model, [prompt], 200, Decoding(max_new_tokens=1), seed=0, explore=how)
    tokens = [each.token_ids[0] for each in drawn]
    with torch.no_grad():
        hidden = model.hidden_states(torch.tensor([prompt]))[0, -1:]
        expected = exploring(
            model.output_layer(hidden), model.require_head().advantages(hidden), how
        )[0]
    for each in drawn:
        assert each.logprobs[0] == pytest.approx(float(expected[each.token_ids[0]]), abs=1e-4)
    for token in set(tokens):
        share = float(expected[token].exp())
        assert tokens.count(token) / 200 == pytest.approx(share, abs=0.12)
    assert len(set(tokens)) == 3


def test_exploring_needs_values(tiny):
    with pytest.raises(ModelError, match="no value head"):
        sample(tiny, [[1, 2]], 1, Decoding(max_new_tokens=1), seed=0, explore=Exploration())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"epsilon": 1.5}, "epsilon"), ({"temperature": 0}, "temperature"), ({"top_k": -1}, "top_k")],
)
def test_wrong_settings_are_named(wrong, named):
    with pytest.raises(SettingsError, match=f"exploration setting {named} = "):
        Exploration(**wrong)
