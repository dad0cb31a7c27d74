"""Keywords stand in the text whatever the model would have written, and the log is exact."""

import dataclasses

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.write.application import Writing
from speaq.apps.write.keywords import Keywords, counts, holds
from speaq.apps.write.request import WriteRequest
from speaq.core.errors import SettingsError
from speaq.models.constrained import Draft, draw_constrained
from speaq.models.decoding import Decoding, log_probabilities
from speaq.models.head import HeadSettings
from speaq.models.sources import load
from speaq.models.token_bytes import TokenBytes

WORDS = st.lists(
    st.sampled_from(["moon", "a", "art", "artist", "C++", "图书馆", "月", "月亮", "über", "42"]),
    min_size=1,
    max_size=3,
    unique=True,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORDS, st.integers(0, 1000), st.sampled_from([0.0, 1.0, 3.0]), st.booleans())
def test_every_keyword_stands_in_the_text(chosen, seed, temperature, polish):
    request = WriteRequest(
        topic="a 春", keywords=tuple(chosen), length=8, seed=seed, temperature=temperature,
        polish=polish,
    )  # fmt: skip
    answer = answered(_WRITING, request)
    assert holds(chosen, answer.text), (chosen, answer.text)
    assert answer.details["keywords"] == counts(chosen, answer.text)


_WRITING = Writing(load("new:tiny"))


def test_words_are_words_of_their_own():
    assert counts(["art", "月"], "The artist, ART and art-lovers 月光") == {"art": 2, "月": 1}
    assert counts(["a"], "an apple") == {"a": 0}


def test_keywords_hold_under_a_bound_on_guidance_that_forbids_them():
    model = load("new:tiny").with_head(HeadSettings(kind="linear"))
    torch.nn.init.normal_(model.head.table, std=2.0)
    spelling = TokenBytes(model)
    rule = Keywords(model, spelling, ["moon"], 20)
    draft = Draft(spelling, 20)
    decoding = Decoding(support=0.99, top_k=1, max_new_tokens=20)
    list(draw_constrained(model, (1, 2), decoding, [rule], draft, beta=3.0))
    assert holds(["moon"], draft.text)


@pytest.mark.parametrize(
    ("keywords", "length", "said"),
    [(("many", "other", "words"), 2, "3 words"), (("extraordinarily" * 40,), 1, "tokens")],
)
def test_what_cannot_be_is_said(writing, keywords, length, said):
    with pytest.raises(SettingsError, match=said) as caught:
        answered(writing, WriteRequest(topic="x", keywords=keywords, length=length))
    assert "关键词" in caught.value.zh


def test_a_character_without_a_token_is_said(characters):
    with pytest.raises(SettingsError, match="cannot be written") as caught:
        answered(Writing(characters), WriteRequest(topic="春", keywords=("图书馆",)))
    assert "写不出" in caught.value.zh


def test_log_probabilities_are_those_of_the_ruled_distribution():
    """Drawn again by hand: the rule applied to the model's own logits, token by token."""
    model, room = _WRITING.language_model, 40
    spelling = _WRITING.spelling
    prefix = (104, 105)
    decoding = Decoding(temperature=0.9, top_p=0.9, max_new_tokens=room)
    draft = Draft(spelling, room)
    rule = Keywords(model, spelling, ["moon"], room)
    drawn = list(draw_constrained(model, prefix, decoding, [rule], draft, seed=5))
    again = Draft(spelling, room)
    for token in drawn:
        ids = torch.tensor([[*prefix, *again.token_ids]])
        with torch.no_grad():
            logits = model.output_layer(model.hidden_states(ids))[0, -1].float()
        allowed = spelling.whole(again.pending).clone()
        allowed[model.end_id] = not again.pending
        ruled = rule.apply(again, logits.masked_fill(~allowed, -torch.inf))
        expected = log_probabilities(ruled[None], decoding)[0, token.token_id]
        assert token.logprob == pytest.approx(float(expected), abs=1e-3)
        again.add(token.token_id)


def test_the_end_waits_for_the_keywords():
    """A model that always wants to end still writes them."""
    model = load("new:tiny")
    with torch.no_grad():
        model.output_table[model.end_id] = 50 * model.output_table.mean(0)
    spelling = TokenBytes(model)
    rule = Keywords(model, spelling, ["sea", "sun"], 60)

    class Eager:
        def apply(self, draft, logits):
            logits[model.end_id] = 40.0
            return logits

    draft = Draft(spelling, 60)
    drawn = list(draw_constrained(model, (1,), Decoding(max_new_tokens=60), [Eager(), rule], draft))
    assert holds(["sea", "sun"], draft.text)
    assert drawn[-1].token_id == model.end_id
    assert len(drawn) < 60


def test_the_episode_holds_what_was_drawn(writing):
    answer = answered(writing, WriteRequest(topic="sea", keywords=("ship",), length=10, seed=1))
    action = answer.episode.actions[0]
    assert answer.episode.tokenizer == writing.language_model.tokenizer_fingerprint
    assert len(action.token_ids) == len(action.logprobs)
    assert all(p <= 0 for p in action.logprobs)
    assert holds(["ship"], writing.spelling.text(action.token_ids))
    assert answer.episode.tags["rules"] == "length,keywords"
    assert dataclasses.replace(answer.episode).reply == answer.text
