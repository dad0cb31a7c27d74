"""Latency equals SimulEval's on one log; its logs are read and written."""

from pathlib import Path

import pytest

from speaq.apps.translate.live.latency import Instance, latency, read_log, write_log
from speaq.core.errors import DataError


def said(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WORDS = [
    Instance(
        0,
        said("ein Mann mit Hut geht heute nach Hause ."),
        said("a man with a hat goes home today ."),
        (3, 4, 5, 6, 7, 8, 9, 9, 9),
        "a man in a hat is going home today .",
    ),
    Instance(
        1,
        said("zwei Hunde spielen im Schnee ."),
        said("two dogs play in the snow ."),
        (1, 2, 3, 4, 5, 6, 6),
        "two dogs are playing in snow .",
    ),
    Instance(
        2,
        said("das Kind schläft ."),
        said("the child is asleep and it sleeps ."),
        (4,) * 8,
        "the child sleeps .",
    ),
    Instance(
        3,
        said("eine Frau liest ein Buch im Park ."),
        said("a woman reads"),
        (2, 3, 5),
        "a woman reads a book in the park .",
    ),
]
_CHARACTERS = [
    Instance(0, said("the dog runs ."), tuple("狗在跑。"), (2, 3, 4, 4), "狗在跑步。"),
    Instance(
        1,
        said("two men are talking to a woman ."),
        tuple("两个男人正在和女人说话。"),
        (3, 3, 3, 3, 4, 5, 6, 7, 7, 8, 8, 8),
        "两名男子在和一名女子交谈。",
    ),
]
# What SimulEval 1.1.4 prints for these logs: its scorers AL, LAAL, AP and DAL on `LogInstance`s of
# the file that `write_log` makes, with latency unit word and char.
_SIMULEVAL_WORD = (2.7753968253968253, 2.7753968253968253, 0.8621031746031746, 2.6020408163265305)
_SIMULEVAL_CHAR = (2.1653846153846152, 2.1653846153846152, 0.6375, 2.5)


def test_equal_to_simuleval_in_words(tmp_path: Path) -> None:
    write_log(_WORDS, tmp_path / "instances.log")
    read = read_log(tmp_path / "instances.log")
    found = latency(read)
    assert (found.al, found.laal, found.ap, found.dal) == pytest.approx(_SIMULEVAL_WORD, abs=1e-12)
    assert [each.prediction for each in read] == [each.prediction for each in _WORDS]


def test_equal_to_simuleval_in_characters(tmp_path: Path) -> None:
    write_log(_CHARACTERS, tmp_path / "instances.log", "char")
    found = latency(read_log(tmp_path / "instances.log", "char"), "char")
    assert (found.al, found.laal, found.ap, found.dal) == pytest.approx(_SIMULEVAL_CHAR, abs=1e-12)


def test_what_said_nothing_is_left_out() -> None:
    silent = Instance(9, ("x",), (), (), "y")
    assert latency([*_WORDS, silent]) == latency(_WORDS)
    with pytest.raises(DataError):
        latency([silent])


def test_a_prediction_longer_than_its_reference_lags_more_by_laal() -> None:
    found = latency([Instance(0, tuple("abcd"), tuple("uvwxyz"), (1, 2, 3, 4, 4, 4), "a b")])
    assert found.laal > found.al


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"index": 0}',
        '{"index": 0, "source": "a b", "prediction": "x y", "delays": [1]}',
        '{"index": 0, "source": "a b", "prediction": "x", "delays": [1], "source_length": 5}',
    ],
)
def test_bad_lines_are_refused_by_their_row(tmp_path: Path, line: str) -> None:
    write_log(_WORDS[:1], tmp_path / "instances.log")
    with (tmp_path / "instances.log").open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError) as refused:
        read_log(tmp_path / "instances.log")
    assert refused.value.row == 2


def test_a_log_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "instances.log").write_bytes(b"\xaa\xff")
    with pytest.raises(DataError, match="UTF-8"):
        read_log(tmp_path / "instances.log")
    with pytest.raises(DataError, match="this is a folder"):
        read_log(tmp_path)
