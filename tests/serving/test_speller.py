from hypothesis import given
from hypothesis import strategies as st

from speaq.serving.spelling import Speller

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)


def decode(ids):
    """A vocabulary of bytes."""
    return bytes(ids).decode("utf-8", "replace")


@given(texts.filter(lambda text: not text.endswith("\ufffd")))
def test_pieces_join_to_the_text_and_none_is_half_a_character(text):
    speller = Speller(decode)
    pieces = [speller.add(byte) for byte in text.encode()]
    assert "".join(pieces) == text
    assert speller.end() == ""
    assert speller.visible_tokens == len(text.encode())


def test_characters_of_several_tokens_come_out_whole():
    speller = Speller(decode)
    assert [speller.add(byte) for byte in "你🥖".encode()] == ["", "", "你", "", "", "", "🥖"]


def test_what_never_becomes_a_character_comes_out_at_the_end():
    speller = Speller(decode)
    assert [speller.add(byte) for byte in "a你".encode()[:3]] == ["a", "", ""]
    assert speller.visible_tokens == 1
    assert speller.end() == "\ufffd"
    assert speller.visible_tokens == 3


@given(texts, st.lists(st.text("ab你", min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_a_stop_string_cuts_where_it_first_appears(text, stops, data):
    text = text + data.draw(st.text("ab你", max_size=12))
    speller = Speller(decode, stops)
    given_out = ""
    for byte in text.encode():
        given_out += speller.add(byte)
        if speller.stopped_by:
            break
    given_out += speller.end()
    # The first to be complete wins, as in a reader that looks after every character.
    first = next(
        (
            text[: end + 1]
            for end in range(len(text))
            if any(text[: end + 1].endswith(stop) for stop in stops)
        ),
        None,
    )
    if first is None:
        assert (given_out, speller.stopped_by) == (text, None)
    else:
        assert given_out == min(
            (first[: first.find(stop)] for stop in stops if stop in first), key=len
        )
        assert speller.stopped_by in stops


def test_text_that_may_begin_a_stop_string_is_held_back_and_then_given():
    speller = Speller(decode, ["###"])
    assert [speller.add(byte) for byte in b"a##b#"] == ["a", "", "", "##b", ""]
    assert speller.end() == "#"


def test_tokens_of_a_stop_string_are_not_visible():
    speller = Speller(decode, ["好了"])
    for byte in "是，好了".encode():
        speller.add(byte)
    assert speller.text == "是，"
    assert speller.visible_tokens == len("是，".encode())
