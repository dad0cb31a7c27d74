"""What tokens write, in bytes, whatever the tokenizer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from speaq.models.token_bytes import TokenBytes, _spelling, pending_of


@pytest.fixture(scope="module")
def spelling(request):
    from speaq.models.sources import load

    return TokenBytes(load("new:tiny"))


@given(text=st.text())
def test_the_bytes_of_a_text_are_those_of_its_tokens(spelling, text):
    clean = text.encode("utf-8", "ignore").decode()
    alphabet = {each: n for n, each in enumerate(spelling.spelt)}
    assert spelling.text([alphabet[bytes([byte])] for byte in clean.encode()]) == clean


@given(st.text(min_size=1).map(lambda text: text.encode("utf-8", "ignore")), st.data())
def test_any_beginning_of_a_text_can_go_on(spelling, data, drawn):
    cut = drawn.draw(st.integers(0, len(data)))
    pending = pending_of(data[:cut])
    assert data[:cut].endswith(pending)
    assert data[: cut - len(pending)].decode() is not None
    if cut < len(data) and (data[cut] >= 0x20 and data[cut] != 0x7F):
        assert spelling.whole(pending)[spelling.spelt.index(data[cut : cut + 1])]


def test_nothing_is_begun_that_cannot_end(spelling):
    """Every way of going on from every beginning ends in a character: also half surrogates."""
    for first in range(0xC0, 0x100):
        begun = [bytes([first])] if spelling.begins[spelling.spelt.index(bytes([first]))] else []
        while begun:
            pending = begun.pop()
            going = spelling.whole(pending).nonzero()[:, 0].tolist()
            assert going, pending
            for token in (going[0], going[-1]):
                longer = pending + spelling.spelt[token]
                if pending_of(longer):
                    begun.append(longer)
                else:
                    longer.decode()


def test_marks_of_other_vocabularies():
    def spell(decoder, token):
        core = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
        core.decoder = decoder
        return _spelling(PreTrainedTokenizerFast(tokenizer_object=core))(token)

    pieces = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    assert spell(pieces, "▁moon") == b" moon"
    assert spell(pieces, "<0xE6>") == b"\xe6"
    assert spell(decoders.Metaspace(), "▁moon") == b" moon"
    assert spell(decoders.WordPiece(), "##ing") == b"ing"
    assert spell(decoders.WordPiece(), "moon") == b" moon"
    assert spell(decoders.WordPiece(), "月") == "月".encode()
    assert spell(decoders.Fuse(), "月亮") == "月亮".encode()


def test_special_tokens_write_nothing(spelling):
    assert spelling.spelt[spelling.end_id] == b""
    assert not spelling.begins[spelling.end_id]
