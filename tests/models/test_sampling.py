import pytest
import torch

from speaq.core.errors import DataError, ModelError
from speaq.models import sampling
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.head import HeadSettings
from speaq.models.sampling import sample


@pytest.fixture
def guided(tiny, with_random_head):
    return with_random_head(tiny, HeadSettings("linear"), scale=0.2)


def next_logprobs(model, tokens, decoding, beta):
    """Slow definition: (V,) before `tokens`' continuation, from one plain forward."""
    with torch.no_grad():
        hidden = model.hidden_states(torch.tensor([tokens]))[:, -1]
        logits = model.output_layer(hidden)
        base = log_probabilities(logits, decoding)
        advantages = model.require_head().advantages(hidden)
        return log_probabilities(guide(logits, advantages, beta), decoding)[0], base[0]


@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_tokens_are_drawn_as_often_as_their_probability_says(guided, beta):
    prompt, decoding = guided.encode("Hi"), Decoding(top_k=4, max_new_tokens=1)
    logprobs, _ = next_logprobs(guided, prompt, decoding, beta)
    draws = 4000
    drawn = sample(guided, [prompt], draws, decoding, seed=0, beta=beta)
    counts = torch.bincount(torch.tensor([s.token_ids[0] for s in drawn]), minlength=258)
    expected = draws * logprobs.exp()
    possible = expected > 0
    assert counts[~possible].sum() == 0
    squares = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert squares < 16.3  # chi-square with 3 degrees of freedom, one in a thousand


@pytest.mark.parametrize("beta", [0.0, 2.0])
@pytest.mark.parametrize("decoding", [Decoding(), Decoding(0.7, 30, 0.9)])
def test_logprobs_and_kl_are_those_of_teacher_forcing(guided, beta, decoding):
    prompts = [guided.encode("One"), guided.encode("A longer prompt, 更长的提示")]
    plain = Decoding(decoding.temperature, decoding.top_k, decoding.top_p, max_new_tokens=6)
    for each in sample(guided, prompts, 3, plain, seed=1, beta=beta):
        tokens, kl = list(prompts[each.prompt]), 0.0
        for token, logprob in zip(each.token_ids, each.logprobs, strict=True):
            logprobs, base = next_logprobs(guided, tokens, decoding, beta)
            assert logprob == pytest.approx(logprobs[token].item(), abs=1e-4)
            inside = logprobs > -torch.inf
            kl += (logprobs.exp() * (logprobs - base))[inside].sum().item()
            tokens.append(token)
        assert each.kl == pytest.approx(kl if beta else 0.0, abs=1e-3)


def test_a_reply_does_not_depend_on_its_batch(guided, monkeypatch):
    prompts = [guided.encode(text) for text in ("a", "some words", "其他")]
    decoding = Decoding(max_new_tokens=10)
    together = sample(guided, prompts, 4, decoding, seed=2)
    monkeypatch.setattr(sampling, "ROWS", 5)
    apart = sample(guided, prompts, 4, decoding, seed=2)
    assert [s.token_ids for s in together] == [s.token_ids for s in apart]
    assert [s.prompt for s in together] == [0] * 4 + [1] * 4 + [2] * 4
    other = sample(guided, prompts, 4, decoding, seed=3)
    assert [s.token_ids for s in together] != [s.token_ids for s in other]


def test_more_samples_keep_the_first_ones(guided):
    decoding = Decoding(max_new_tokens=5)
    prompt = guided.encode("again")
    few = sample(guided, [prompt], 2, decoding, seed=2)
    many = sample(guided, [prompt], 6, decoding, seed=2)
    assert [s.token_ids for s in few] == [s.token_ids for s in many[:2]]


@torch.no_grad()
def test_finished_says_whether_the_end_token_came(tiny, with_random_head):
    """A head that likes the end token ends some replies early; ended replies stop there."""
    model = with_random_head(tiny, HeadSettings("linear"), scale=0.0)
    hidden = model.hidden_states(torch.tensor([tiny.encode("x")]))[0, -1]
    model.require_head().table[0, model.end_id] = hidden / hidden.square().sum() * 4
    drawn = sample(model, [model.encode("x")], 40, Decoding(max_new_tokens=6), seed=0, beta=1.0)
    assert {s.finished for s in drawn} == {True, False}
    for each in drawn:
        assert each.finished == (each.token_ids[-1] == model.end_id)
        assert model.end_id not in each.token_ids[:-1]
        assert each.finished or len(each.token_ids) == 6
        assert len(each.logprobs) == len(each.token_ids)


def test_greedy_sampling_is_greedy_generate(tiny):
    prompt = tiny.encode("Say something")
    (found,) = sample(tiny, [prompt], 1, Decoding(temperature=0, max_new_tokens=12), seed=0)
    with torch.no_grad():
        made = tiny.causal.generate(
            input_ids=torch.tensor([prompt]), max_new_tokens=12, do_sample=False
        )
    assert list(found.token_ids) == made[0, len(prompt) :].tolist()
    assert set(found.logprobs) == {0.0}


def test_a_draw_never_lands_on_an_impossible_token():
    """Also where the uniform number rounds up to 1, or is exactly 0."""
    probabilities = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]).repeat(3, 1)
    uniforms = torch.tensor([0.0, 1 - 2**-53, 0.3 - 1e-7], dtype=torch.float64)
    assert sampling._invert(probabilities, uniforms).tolist() == [1, 3, 1]


def test_guiding_without_a_head_and_empty_prompts_are_refused(tiny):
    with pytest.raises(ModelError, match="value head"):
        sample(tiny, [[1]], 1, Decoding(max_new_tokens=2), seed=0, beta=1.0)
    with pytest.raises(DataError, match="no tokens"):
        sample(tiny, [[1], []], 1, Decoding(max_new_tokens=2), seed=0)
