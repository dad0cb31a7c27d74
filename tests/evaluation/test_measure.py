import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.evaluation.estimate import Estimate
from speaq.evaluation.measure import divergence, interval, measure
from speaq.evaluation.table import foreseen
from speaq.experience.episode import Episode
from speaq.models.decoding import Decoding, log_probabilities
from speaq.models.head import HeadSettings
from speaq.models.language_model import LanguageModel
from speaq.training.encoding import encode_episodes

PROMPTS = ["how are you?", "what is rain?", "你好"]
DECODING = Decoding(temperature=0.8, max_new_tokens=6)


def vowels(episode: Episode) -> float:
    return float(sum(letter in "aeiou" for letter in episode.reply))


@pytest.fixture
def guided(tiny: LanguageModel) -> LanguageModel:
    model = LanguageModel(tiny.causal, tiny.tokenizer, tiny.origin).with_head(HeadSettings())
    head = model.require_head()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        head.projection.copy_(torch.randn(head.projection.shape, generator=generator) * 0.05)
    return model


def test_reward_is_the_mean_over_the_replies_returned(tiny: LanguageModel) -> None:
    measured, episodes = measure(
        tiny, PROMPTS, vowels, base=tiny, samples=4, decoding=DECODING, seed=1
    )
    assert measured.replies == len(episodes) == 12
    assert measured.prompts == 3
    assert measured.reward == pytest.approx(np.mean([vowels(each) for each in episodes]))
    assert measured.low <= measured.reward <= measured.high
    assert measured.kl == 0


def test_guided_and_folded_diverge_alike_from_the_base(
    tiny: LanguageModel, guided: LanguageModel
) -> None:
    settings = {"base": tiny, "samples": 4, "decoding": DECODING, "seed": 1}
    by_guiding, replies = measure(guided, PROMPTS, vowels, beta=3.0, **settings)
    by_folding, same = measure(guided.fold(3.0), PROMPTS, vowels, **settings)
    assert [each.reply for each in replies] == [each.reply for each in same]
    assert by_guiding.kl > 0.01
    assert by_folding.kl == pytest.approx(by_guiding.kl, rel=1e-3)


def test_divergence_equals_the_sum_written_out(tiny: LanguageModel, guided: LanguageModel) -> None:
    folded = guided.fold(3.0)
    _, episodes = measure(folded, PROMPTS, vowels, base=tiny, samples=2, decoding=DECODING, seed=2)
    total = 0.0
    with torch.no_grad():
        for each in encode_episodes(folded, episodes, vowels):
            tokens = torch.from_numpy(each.tokens)[None]
            for place in each.actions - 1:
                p = log_probabilities(folded.causal(tokens).logits[0, place], DECODING)
                q = log_probabilities(tiny.causal(tokens).logits[0, place], DECODING)
                total += float((p.exp() * (p - q)).sum())
    assert divergence(folded, tiny, episodes, DECODING) == pytest.approx(
        total / len(episodes), rel=1e-3
    )


@given(
    values=st.lists(st.floats(-5, 5), min_size=2, max_size=30),
    groups=st.integers(1, 6),
)
@settings(max_examples=30, deadline=None)
def test_the_interval_lies_within_the_group_means(values: list[float], groups: int) -> None:
    names = [str(i % groups) for i in range(len(values))]
    low, high = interval(np.array(values), names)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_replies_to_one_prompt_do_not_count_as_independent() -> None:
    # Ten prompts, each of whose hundred replies earn the same: as little is known as from ten.
    means = np.random.default_rng(0).normal(size=10)
    low, high = interval(np.repeat(means, 100), [str(i) for i in range(10) for _ in range(100)])
    alone_low, alone_high = interval(means, [str(i) for i in range(10)])
    assert high - low == pytest.approx(alone_high - alone_low, rel=0.05)


def test_the_foreseen_interval_covers_measurements_on_new_prompts() -> None:
    # Prompts earn N(0, 1); an estimate from 30 of them foresees the mean of 20 others.
    draws = np.random.default_rng(1).normal(size=(4000, 50))
    estimates, later = draws[:, :30].mean(1), draws[:, 30:].mean(1)
    half = 1.96 / 30**0.5
    covered = []
    for estimate, found in zip(estimates, later, strict=True):
        row = Estimate(1.0, estimate, estimate - half, estimate + half, 0, 0, 100, 0)
        low, high = foreseen(row, 30, 20)
        covered.append(low <= found <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
