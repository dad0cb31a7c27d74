"""Episodes of encoder–decoder models: the prompt is the source, the reply follows the opening."""

import numpy as np
import pytest
import torch

from speaq.core.errors import DataError, ModelError
from speaq.environments.logs import generate_log
from speaq.experience.episode import Episode, Turn
from speaq.experience.rewards import feedback
from speaq.models.decoding import Decoding
from speaq.training.batch import collate
from speaq.training.encoding import encode_episodes, fingerprint
from speaq.training.features import cache_features

FAMILIES = ["t5", "t5-untied", "marian", "bart", "m2m"]


def episode(prompt, reply, **more):
    turns = (Turn("observation", prompt), Turn("action", reply))
    return Episode(turns, id="e1", time=0.0, reward=1.0, **more)


def one(model, prompt, reply, **more):
    return encode_episodes(model, [episode(prompt, reply, **more)], feedback)[0]


def test_where_the_tokens_go(two_halves):
    found = one(two_halves("m2m"), "abc", "de")
    assert found.source.tolist() == [4, 5, 6, 1]
    assert found.tokens.tolist() == [1, 3, 7, 8, 1]
    assert found.actions.tolist() == [2, 3, 4]
    assert found.action_tokens.tolist() == [7, 8, 1]
    assert found.states.tolist() == [1, 2, 3, 4]
    assert (found.prompt, found.prefix) == ((4, 5, 6, 1), (1, 3))


def test_a_decoder_alone_has_no_source(tiny):
    found = one(tiny, "abc", "de")
    assert len(found.source) == 0
    assert found.prompt == found.prefix == tuple(tiny.encode("abc"))


def test_a_raw_prompt_is_the_same_source(two_halves):
    model = two_halves("t5")
    raw = one(model, "abc", "de", tags={"prompt": "raw"})
    assert raw.source.tolist() == one(model, "abc", "de").source.tolist()


def test_sampled_tokens_come_back_as_they_were_drawn(two_halves):
    model = two_halves("marian")
    episodes, drawn = generate_log(model, ["abc", "h"], 3, Decoding(max_new_tokens=5), seed=0)
    encoded = encode_episodes(model, episodes, lambda _: 0.0)
    for found, each in zip(encoded, drawn, strict=True):
        assert tuple(found.action_tokens) == each.token_ids
        assert found.behaviour_logprobs == pytest.approx(each.logprobs)
        assert found.tokens[: found.actions[0]].tolist() == list(model.opening)


def test_several_replies_are_refused(two_halves):
    turns = (
        Turn("observation", "a"),
        Turn("action", "b"),
        Turn("observation", "c"),
        Turn("action", "d"),
    )
    with pytest.raises(ModelError, match="reads one text and writes one reply"):
        encode_episodes(two_halves("t5"), [Episode(turns, id="e", time=0.0, reward=1.0)], feedback)


def test_what_does_not_fit_is_refused_not_cut(two_halves):
    bart = two_halves("bart")
    with pytest.raises(DataError, match="41 tokens and bart"):
        one(bart, "a" * 40, "b")
    with pytest.raises(DataError, match="source of 6 tokens, more than 4"):
        encode_episodes(bart, [episode("abcde", "b")], feedback, max_tokens=4)
    with pytest.raises(DataError, match="e1 has 42 tokens"):
        one(bart, "a", "b" * 40)
    assert len(one(two_halves("t5"), "a" * 40, "b" * 40).tokens) == 42  # positions have no end


def test_the_fingerprint_tells_sources_apart(two_halves, tiny):
    model = two_halves("t5")
    found = [fingerprint([one(model, prompt, "de")]) for prompt in ("abc", "abd", "abc")]
    assert found[0] == found[2] != found[1]


def test_sources_are_padded_on_the_right(two_halves, tiny):
    model = two_halves("t5")
    rows = [one(model, "abc", "d"), one(model, "h", "de")]
    batch = collate(rows, 1.0, torch.ones(1, 2, dtype=torch.bool))
    assert batch.source.tolist() == [[4, 5, 6, 1], [11, 1, 0, 0]]
    assert batch.source_lengths.tolist() == [4, 2]
    assert batch.tokens.tolist() == [[0, 7, 1, 0], [0, 7, 8, 1]]
    none = collate([one(tiny, "abc", "d")], 1.0, torch.ones(1, 1, dtype=torch.bool))
    assert none.source.shape == (1, 0)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_cached_states_are_those_of_the_whole_model(two_halves, family, tmp_path):
    model = two_halves(family)
    prompts, replies = ["abc", "h", "abc", "gfedcba"], ["d", "abcd", "h", "ee"]
    episodes = [episode(*pair) for pair in zip(prompts, replies, strict=True)]
    encoded = encode_episodes(model, episodes, feedback)
    features = cache_features(model, encoded, tmp_path, centre_temperature=0.7)
    for index, each in enumerate(encoded):
        tokens, source = torch.from_numpy(each.tokens)[None], torch.from_numpy(each.source)[None]
        states = model.hidden_states(tokens, source=source)[0, each.states]
        torch.testing.assert_close(features.states(index), states, atol=1e-5, rtol=1e-4)
        logits = model.causal(input_ids=source, decoder_input_ids=tokens).logits[0, each.states]
        banned = torch.tensor(model.readout.banned, dtype=torch.long)
        policy = (logits.index_fill(-1, banned, -torch.inf) / 0.7).softmax(-1)
        centres = features.gather_centres([index])[0]
        torch.testing.assert_close(
            centres, (policy @ model.output_table)[:-1], atol=1e-5, rtol=1e-4
        )
    other = encode_episodes(model, [episode("abd", "d"), *episodes[1:]], feedback)
    assert cache_features(model, other, tmp_path).file != features.file
    assert np.isfinite(features.states(0).numpy()).all()
