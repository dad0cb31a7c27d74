"""Episodes as tokens: what is an action, what is not, and where its state stands."""

import copy

import numpy as np
import pytest

from speaq.core.errors import DataError
from speaq.experience.episode import Episode, Turn
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes, fingerprint

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def say(text, **more):
    return Turn("observation", text, **more)


def do(text, **more):
    return Turn("action", text, **more)


@pytest.fixture
def chat(tiny):
    model = copy.copy(tiny)
    model.tokenizer = copy.deepcopy(tiny.tokenizer)
    model.tokenizer.chat_template = TEMPLATE
    return model


def one(model, *turns, max_tokens=0, **more):
    more = {"reward": 1.0, **more}
    [found] = encode_episodes(
        model, [Episode(turns, id="e1", **more)], feedback, max_tokens=max_tokens
    )
    return found


def spelled(model, encoded):
    """The tokens as text, special ones included, and the text of the actions alone."""
    tokens = encoded.tokens.tolist()
    return (
        model.tokenizer.decode(tokens),
        model.tokenizer.decode([tokens[place] for place in encoded.actions]),
    )


def test_a_single_reply_without_a_template(tiny):
    found = one(tiny, say("Hi "), do("you"))
    assert found.tokens.tolist() == [*tiny.encode("Hi you"), tiny.end_id]
    assert found.actions.tolist() == [3, 4, 5, 6]
    assert found.states.tolist() == [2, 3, 4, 5, 6]
    assert found.rewards.tolist() == [0, 0, 0, 1]
    assert np.isnan(found.behaviour_logprobs).all()
    assert found.prefix == tuple(tiny.encode("Hi "))
    assert (found.id, found.group, found.truncated) == ("e1", "Hi ", False)


def test_a_chinese_reply_is_acted_byte_by_byte(tiny):
    found = one(tiny, say("好"), do("谢谢"))
    assert found.action_tokens.tolist() == [*tiny.encode("谢谢"), tiny.end_id]
    assert len(found.actions) == 7


def test_several_turns_with_a_template(chat):
    found = one(
        chat,
        say("Be kind.", speaker="system"),
        say("Hi"),
        do("yes", reward=0.5),
        say("more"),
        do("no"),
    )
    text, acted = spelled(chat, found)
    assert text == (
        "<system>Be kind.<|end|>\n<user>Hi<|end|>\n<assistant>yes<|end|>\n"
        "<user>more<|end|>\n<assistant>no<|end|>"
    )
    assert acted == "yes<|end|>no<|end|>"
    assert found.turn_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert found.rewards.tolist() == [0, 0, 0, 0.5, 0, 0, 1.0]
    # The state in which "no" begins is the last token of what came between.
    assert found.states[4] == found.actions[4] - 1 > found.actions[3]
    assert chat.tokenizer.decode(found.tokens[found.states[4]]) == ">"
    assert found.states[-1] == found.actions[-1] == len(found.tokens) - 1
    assert found.group == "Hi"


def test_exact_tokens_are_kept_where_the_tokenizer_is_the_same(tiny):
    ids, logprobs = (100, 101, tiny.end_id), (-0.5, -1.0, -0.25)
    turn = do("x", token_ids=ids, logprobs=logprobs)
    found = one(tiny, say("Hi"), turn, tokenizer=tiny.tokenizer_fingerprint)
    assert found.action_tokens.tolist() == list(ids)
    assert found.behaviour_logprobs.tolist() == list(logprobs)


def test_exact_tokens_without_an_end_get_none_added(tiny):
    turn = do("x", token_ids=(100, 101))
    found = one(tiny, say("Hi"), turn, tokenizer=tiny.tokenizer_fingerprint)
    assert found.action_tokens.tolist() == [100, 101]
    assert np.isnan(found.behaviour_logprobs).all()


def test_tokens_of_another_tokenizer_are_made_anew(tiny):
    turn = do("yes", token_ids=(100, 101), logprobs=(-1.0, -1.0))
    found = one(tiny, say("Hi"), turn, tokenizer="of somebody else")
    assert found.action_tokens.tolist() == [*tiny.encode("yes"), tiny.end_id]
    assert np.isnan(found.behaviour_logprobs).all()


def test_an_end_token_that_was_sampled_is_not_written_twice(chat):
    ended = do("ab", token_ids=(*chat.encode("ab"), chat.end_id))
    cut = do("ab", token_ids=tuple(chat.encode("ab")))
    for turn in (ended, cut):
        found = one(chat, say("Hi"), turn, say("go"), do("c"), tokenizer=chat.tokenizer_fingerprint)
        text, acted = spelled(chat, found)
        assert text == (
            "<user>Hi<|end|>\n<assistant>ab<|end|>\n<user>go<|end|>\n<assistant>c<|end|>"
        )
        assert acted == ("ab<|end|>c<|end|>" if turn is ended else "abc<|end|>")


def test_what_was_heard_last_counts_where_an_episode_was_cut_off(chat):
    """The state after the last action is then the one the next reply would have begun in."""
    turns = say("Hi"), do("yes"), say("on")
    cut, over = one(chat, *turns, truncated=True), one(chat, *turns)
    longer = one(chat, *turns, do("x"))
    first = len(cut.actions)  # of the last reply's actions
    assert cut.tokens.tolist() == longer.tokens[: longer.actions[first]].tolist()
    assert cut.states[-1] == longer.states[first] == len(cut.tokens) - 1
    assert over.states[-1] == over.actions[-1] == len(over.tokens) - 1
    np.testing.assert_array_equal(cut.actions, over.actions)


def test_a_truncated_episode_has_no_end_token_on_its_last_reply(tiny):
    found = one(tiny, say("Hi"), do("yes"), say("on"), do("no"), truncated=True)
    assert found.truncated
    assert spelled(tiny, found)[1] == "yes<|end|>no"


def test_earlier_replies_of_an_assistant_are_context_only(chat):
    found = one(chat, say("Hi"), say("old", speaker="assistant"), say("go"), do("new"))
    assert spelled(chat, found) == (
        "<user>Hi<|end|>\n<assistant>old<|end|>\n<user>go<|end|>\n<assistant>new<|end|>",
        "new<|end|>",
    )


def test_long_prompts_lose_their_oldest_tokens(tiny):
    whole = one(tiny, say("abcdefgh"), do("xyz"))
    cut = one(tiny, say("abcdefgh"), do("xyz"), max_tokens=6)
    assert cut.tokens.tolist() == whole.tokens[-6:].tolist()
    assert cut.action_tokens.tolist() == whole.action_tokens.tolist()
    assert cut.actions.tolist() == [2, 3, 4, 5]


def test_the_models_own_limit_is_the_default(tiny):
    limit = tiny.causal.config.max_position_embeddings
    found = one(tiny, say("a" * (limit + 50)), do("xyz"))
    assert len(found.tokens) == limit


@pytest.mark.parametrize("limit", [3, 4])
def test_replies_that_leave_no_room_are_refused(tiny, limit):
    with pytest.raises(DataError, match="episode e1 has 12 tokens"):
        one(tiny, say("abcdefgh"), do("xyz"), max_tokens=limit)
    assert len(one(tiny, say("abcdefgh"), do("xyz"), max_tokens=5).tokens) == 5


@pytest.mark.parametrize("limit", [0, 3, 100])
def test_a_reply_to_nothing_is_refused(tiny, limit):
    with pytest.raises(DataError, match="begins with a reply to nothing"):
        one(tiny, do("xyz"), max_tokens=limit)


def test_a_reply_without_tokens_is_refused(tiny):
    with pytest.raises(DataError, match="gives no token"):
        one(tiny, say("Hi"), do(""), truncated=True)


def test_no_reward_is_refused(tiny):
    with pytest.raises(DataError, match="no reward"):
        one(tiny, say("Hi"), do("yes"), reward=None)


def test_the_fingerprint_tells_tokens_and_places_of_action(tiny):
    base = one(tiny, say("Hi"), do("yes"))
    other = one(tiny, say("Hi"), do("yes"), reward=0.0)
    moved = one(tiny, say("Hiy"), do("es"))
    assert moved.tokens.tolist() == base.tokens.tolist()
    assert fingerprint([base]) == fingerprint([other])
    assert len({fingerprint(each) for each in ([base], [moved], [base, base])}) == 3
