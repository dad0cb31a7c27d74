import pytest
import torch

from speaq.core.errors import ModelError
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.head import HeadSettings
from speaq.serving.generation import draw_tokens


def draw(model, prompt, decoding, **more):
    return list(
        draw_tokens(model, model.encode(prompt), decoding, **{"beta": 0, "seed": 1, **more})
    )


@pytest.mark.parametrize("beta", [0.0, 3.0])
@pytest.mark.parametrize(
    "decoding",
    [Decoding(max_new_tokens=12), Decoding(temperature=0.7, top_p=0.8, max_new_tokens=12)],
)
def test_log_probabilities_are_those_of_teacher_forcing(tiny, with_random_head, beta, decoding):
    model = with_random_head(tiny, HeadSettings("tied"))
    prompt = "你好, world"
    drawn = draw(model, prompt, decoding, beta=beta)
    ids = [one.token_id for one in drawn]
    with torch.no_grad():
        states = model.hidden_states(torch.tensor([model.encode(prompt) + ids]))[0]
        states = states[len(model.encode(prompt)) - 1 : -1]
        logits = guide(model.output_layer(states), model.head.advantages(states), beta)
        expected = log_probabilities(logits, decoding)
    found = torch.tensor([one.logprob for one in drawn])
    assert torch.allclose(found, expected[range(len(ids)), ids], atol=1e-4)


def test_the_same_seed_draws_the_same_reply_and_another_seed_another(tiny):
    settings = Decoding(max_new_tokens=16)
    first, again, other = (draw(tiny, "hi", settings, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert [one.token_id for one in first] != [one.token_id for one in other]


def test_replies_written_in_turn_equal_replies_written_alone(tiny):
    settings = Decoding(max_new_tokens=8)
    alone = [draw(tiny, prompt, settings) for prompt in ("one", "another")]
    streams = [
        draw_tokens(tiny, tiny.encode(prompt), settings, beta=0, seed=1)
        for prompt in ("one", "another")
    ]
    together = list(zip(*streams, strict=True))
    assert [list(each) for each in zip(*together, strict=True)] == alone


def test_draws_follow_the_probabilities(tiny):
    prompt = tiny.encode("a")
    settings = Decoding(temperature=0.05, max_new_tokens=1)
    first = [next(draw_tokens(tiny, prompt, settings, beta=0, seed=s, best=3)) for s in range(300)]
    likely, logprob = first[0].best[0]
    share = sum(one.token_id == likely for one in first) / len(first)
    expected = torch.tensor(logprob).exp().item()
    assert abs(share - expected) < 4 * (expected * (1 - expected) / 300) ** 0.5 + 1e-9


def test_the_best_tokens_are_those_that_could_be_drawn(tiny):
    greedy = draw(tiny, "a", Decoding(temperature=0, max_new_tokens=3), best=5)
    assert [one.best for one in greedy] == [((one.token_id, 0.0),) for one in greedy]
    free = draw(tiny, "a", Decoding(max_new_tokens=3), best=5)
    for one in free:
        values = [value for _, value in one.best]
        assert len(values) == 5
        assert values == sorted(values, reverse=True)


def test_guiding_needs_a_head(tiny):
    with pytest.raises(ModelError, match="no value head"):
        draw(tiny, "a", Decoding(), beta=1.0)
