"""Tagging schemes: round trips, impossible sequences, recognition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.text.tagging import (
    SCHEMES,
    Stretch,
    are_tags,
    convert,
    encode,
    faults,
    recognise,
    stretches,
)

LABELS = st.sampled_from(["PER", "地点", "x-y"])


@st.composite
def labelled(draw):
    """Stretches that do not overlap, and the number of tokens."""
    place, found = 0, []
    for _ in range(draw(st.integers(0, 5))):
        start = place + draw(st.integers(0, 2))
        place = start + draw(st.integers(1, 4))
        found.append(Stretch(start, place, draw(LABELS)))
    return found, place + draw(st.integers(0, 2))


@pytest.mark.parametrize("scheme", [each for each in SCHEMES if each != "IO"])
@given(labelled())
def test_what_is_written_is_read_back_and_valid(scheme, made) -> None:
    found, count = made
    tags = encode(found, count, scheme)
    assert len(tags) == count
    assert stretches(tags) == found
    assert faults(tags, scheme) == []
    assert all(convert(tags, other) == encode(found, count, other) for other in SCHEMES)


@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "E-a", "S-b", "I-b", "B-b", "L-a", "U-b"])))
def test_converting_makes_any_tags_valid(tags) -> None:
    for scheme in ("IOB2", "IOBES", "BILOU", "BMES"):
        assert faults(convert(tags, scheme), scheme) == []
        assert [tag == "O" for tag in convert(tags, scheme)] == [tag == "O" for tag in tags]


@pytest.mark.parametrize(
    ("tags", "scheme", "places"),
    [
        ("B-a I-a O I-a", "IOB2", [3]),
        ("B-a I-b", "IOB2", [1]),
        ("B-a E-a", "IOB2", [1]),
        ("I-a O B-a", "IOB1", [2]),
        ("I-a B-a", "IOB1", []),
        ("B-a I-a O", "IOBES", [1]),
        ("B-a O S-a", "IOBES", [0]),
        ("S-a E-a", "IOBES", [1]),
        ("B-a M-a E-a S-b", "BMES", []),
        ("B-a L-a U-b L-b", "BILOU", [3]),
        ("B-a", "IO", [0]),
    ],
)
def test_impossible_tags_are_named_by_place(tags, scheme, places) -> None:
    assert faults(tags.split(), scheme) == places


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["B-a I-a O", "O B-a"], "IOB2"),
        (["B-a E-a O", "O S-a"], "IOBES"),
        (["B-a L-a O", "O U-a"], "BILOU"),
        (["B-a M-a E-a", "S-a"], "BMES"),
        (["I-a I-a B-a", "O I-a"], "IOB1"),
        (["I-a I-a O", "O I-b"], "IO"),
        (["B-a I-a", "B-a", "I-a O"], "IOB2"),
        (["O O", "O"], None),
        (["NOUN VERB"], None),
    ],
)
def test_schemes_are_recognised(sentences, scheme) -> None:
    assert recognise(sentence.split() for sentence in sentences) == scheme


def test_parts_of_speech_are_no_tags() -> None:
    assert not are_tags(["NOUN", "VERB"])
    assert are_tags(["O", "B_x"])
    assert not are_tags(["O", "O"])


def test_broken_tags_are_read_as_conlleval_reads_them() -> None:
    a, b = "a", "b"
    for tags, found in {
        "B-a E-a I-a": [Stretch(0, 2, a), Stretch(2, 3, a)],
        "S-a E-a": [Stretch(0, 1, a), Stretch(1, 2, a)],
        "I-a I-b O I-b": [Stretch(0, 1, a), Stretch(1, 2, b), Stretch(3, 4, b)],
        "I-a I-a B-a": [Stretch(0, 2, a), Stretch(2, 3, a)],
    }.items():
        assert stretches(tags.split()) == found
