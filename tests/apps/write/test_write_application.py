"""The application as a whole: what it says, records, and can learn from."""

import pytest
import torch

from speaq.apps.application import answered, open_application
from speaq.apps.write.application import Writing
from speaq.apps.write.request import WriteRequest
from speaq.core.errors import ModelError
from speaq.experience.episode import check
from speaq.models.head import HeadSettings
from speaq.models.sources import load
from speaq.training.encoding import encode_episodes


def test_it_is_found_by_its_name():
    assert isinstance(open_application("write", "new:tiny"), Writing)


def test_the_same_seed_writes_the_same_text(writing):
    request = WriteRequest(topic="rain", length=10, seed=7)
    one, other = answered(writing, request, "a"), answered(writing, request, "b")
    assert one.text == other.text
    assert one.id != other.id
    assert answered(writing, WriteRequest(topic="rain", length=10), "c").text != one.text


def test_what_is_stored_is_what_was_drawn_and_can_be_learnt_from(writing):
    answer = answered(writing, WriteRequest(topic="春雨", keywords=("月亮",), length=12, seed=2))
    episode = check(answer.episode)
    [encoded] = encode_episodes(writing.language_model, [episode], lambda _: 1.0)
    assert encoded.action_tokens.tolist() == list(episode.actions[0].token_ids)
    assert encoded.behaviour_logprobs.tolist() == pytest.approx(list(episode.actions[0].logprobs))
    assert episode.app == "write"


@pytest.mark.parametrize("kind", ["t5", "bart", "marian"])
def test_encoder_decoder_models_write_too(kind):
    writer = Writing(load(f"new:{kind}-tiny"))
    answer = answered(writer, WriteRequest(topic="sea", keywords=("ship",), length=8, seed=1))
    assert answer.details["keywords"]["ship"] >= 1


def test_an_untrained_head_changes_nothing_and_a_trained_one_does():
    model = load("new:tiny").with_head(HeadSettings(kind="mlp"))
    writer = Writing(model)
    plain, same = (
        answered(writer, WriteRequest(topic="sea", length=6, seed=1, beta=beta)) for beta in (0, 4)
    )
    assert plain.text == same.text
    assert len(plain.details["credit"]) == plain.details["tokens"]
    assert all(abs(place["advantage"]) < 1e-6 for place in plain.details["credit"])
    assert len(plain.details["credit"][0]["instead"]) == 3
    wanted = model.encode("q")[0]
    liked = 9 * torch.eye(len(model.output_table))[[wanted]]
    model.head.advantages = lambda hidden, use=None: liked
    guided = answered(writer, WriteRequest(topic="sea", length=6, seed=1, beta=4, polish=False))
    assert guided.text.count("q") > len(guided.text) / 2


def test_guidance_without_a_value_head(writing):
    with pytest.raises(ModelError, match="value head"):
        answered(writing, WriteRequest(topic="x", beta=1.0))


def test_credit_is_that_of_the_value_head():
    model = load("new:tiny").with_head(HeadSettings(kind="linear"))
    torch.nn.init.normal_(model.head.table, std=0.3)
    writer = Writing(model)
    answer = answered(writer, WriteRequest(topic="sea", length=5, seed=3))
    tokens = answer.episode.actions[0].token_ids
    [encoded] = encode_episodes(model, [answer.episode], lambda _: 0.0)
    with torch.no_grad():
        states = model.hidden_states(torch.tensor(encoded.tokens[None]))[0]
        for k in (0, len(tokens) - 1):
            state = states[encoded.actions[k] - 1][None]
            raw = model.head.advantages(state)[0]
            base = model.output_layer(state)[0].softmax(-1)
            expected = float(raw[tokens[k]] - (base * raw).sum())
            found = answer.details["credit"][k]["advantage"]
            assert found == pytest.approx(expected, abs=1e-4)


def test_stars_and_kind_are_in_the_prompt(writing):
    answer = answered(writing, WriteRequest(topic="茶杯", kind="review", stars=4, length=5, seed=0))
    assert answer.episode.prompt.startswith("★★★★☆ 茶杯")
    assert answer.details["stars"] == 4


def test_a_bigger_story_streams_in_pieces(writing):
    said = list(writing.respond(WriteRequest(topic="sea", length=20, seed=5, polish=False), "x"))
    assert "".join(said[:-1]).strip() == said[-1].text
    assert len([piece for piece in said[:-1] if piece]) > 5
