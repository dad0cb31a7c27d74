"""Rewards inside of a reply: which token gets them, under any tokenizer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from speaq.core.errors import DataError
from speaq.experience.episode import Episode, Turn
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes
from speaq.training.spelling import completing_tokens

MERGES = [("Ġ", "w"), ("a", "b"), ("ab", "c"), ("è", "°"), ("è°", "¢")]  # the last is 谢


@pytest.fixture(scope="module")
def pieces():
    """A byte-level tokenizer some of whose tokens are several characters, some part of one."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [*letters, *(one + other for one, other in MERGES)]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, MERGES))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


TEXTS = st.text(st.sampled_from("abc wd谢好👍é"), min_size=1, max_size=12)


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_the_token_that_holds_a_characters_last_byte_completes_it(pieces, text):
    ids = pieces.encode(text).ids
    ends = range(1, len(text) + 1)
    # How many bytes each token adds, counted without decoding.
    sizes = np.cumsum([len(pieces.id_to_token(i)) for i in ids])
    expected = [int((sizes < len(text[:end].encode())).sum()) for end in ends]
    assert completing_tokens(pieces.decode, ids, text, ends) == expected
    assert expected[-1] == len(ids) - 1


def test_by_hand(pieces):
    ids = pieces.encode("abc 谢好").ids
    assert [pieces.id_to_token(i) for i in ids] == ["abc", "Ġ", "è°¢", "å", "¥", "½"]
    found = completing_tokens(pieces.decode, ids, "abc 谢好", [1, 2, 3, 4, 5, 6])
    assert found == [0, 0, 0, 1, 2, 5]
    # A stored text may lack what stood around it.
    assert completing_tokens(pieces.decode, ids, "谢", [1]) == [2]
    assert completing_tokens(pieces.decode, ids, "other", [1]) is None


def one(model, *turns, **more):
    [found] = encode_episodes(
        model, [Episode((Turn("observation", "Hi "), *turns), **more)], feedback
    )
    return found


def test_chinese_of_three_tokens_a_character(tiny):
    found = one(tiny, Turn("action", "谢谢", token_rewards=((1, 0.5), (2, -2.0))))
    assert found.rewards.tolist() == [0, 0, 0.5, 0, 0, -2.0, 0]
    assert found.action_tokens[-1] == tiny.end_id  # earns nothing of what the text earned


def test_what_the_whole_reply_earns_lands_on_the_end_token(tiny):
    turn = Turn("action", "ab", reward=0.25, token_rewards=((2, 1.0), (2, 0.5), (1, -1.0)))
    found = one(tiny, turn, reward=8.0)
    assert found.rewards.tolist() == [-1.0, 1.5, 8.25]
    cut = one(tiny, turn, reward=8.0, truncated=True)
    assert cut.rewards.tolist() == [-1.0, 9.75]


def test_turns_keep_their_own(tiny):
    found = one(
        tiny,
        Turn("action", "ab", token_rewards=((1, 1.0),)),
        Turn("observation", "so"),
        Turn("action", "cd", reward=3.0),
        Turn("observation", "on"),
        Turn("action", "ef", token_rewards=((2, 2.0),)),
    )
    assert found.rewards.tolist() == [1, 0, 0, 0, 0, 3, 0, 2, 0]
    assert found.turn_ids.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@given(
    st.text(st.sampled_from("ab 谢👍"), min_size=1, max_size=6).flatmap(
        lambda text: st.tuples(
            st.just(text),
            st.lists(st.tuples(st.integers(1, len(text)), st.integers(-8, 8)), max_size=5),
        )
    ),
    st.integers(-4, 4),
)
@settings(max_examples=40, deadline=None)
def test_rewards_in_are_rewards_in_the_batch(tiny, reply, whole):
    text, parts = reply
    turn = Turn("action", text, reward=float(whole), token_rewards=tuple(parts))
    exact = Turn(
        "action", text, token_ids=(*tiny.encode(text), tiny.end_id), reward=float(whole),
        token_rewards=tuple(parts),
    )  # fmt: skip
    anew = one(tiny, turn)
    kept = one(tiny, exact, tokenizer=tiny.tokenizer_fingerprint)
    assert anew.rewards.tolist() == kept.rewards.tolist()
    assert anew.rewards.sum() == sum(value for _, value in parts) + whole
    sizes = np.arange(1, len(text.encode()) + 1)  # a token a byte
    for size, earned in zip(sizes, anew.rewards[:-1], strict=True):
        assert earned == sum(v for end, v in parts if len(text[:end].encode()) == size)
    assert anew.rewards[-1] == whole


def test_tokens_that_do_not_spell_the_text_are_refused(tiny):
    turn = Turn("action", "yes", token_ids=(100, 101), token_rewards=((1, 1.0),))
    with pytest.raises(DataError, match="do not spell its text"):
        one(tiny, turn, tokenizer=tiny.tokenizer_fingerprint)
    plain = Turn("action", "yes", token_ids=(100, 101), reward=1.0)
    assert one(tiny, plain, tokenizer=tiny.tokenizer_fingerprint).rewards.tolist() == [0, 1]
