"""Learning by playing, on the command line."""

from collections.abc import Callable

import pytest

from speaq.models.sources import load

Speaq = Callable[..., tuple[int, str, str]]
QUICK = ("--loop.steps", 3, "--loop.batch-size", 4, "--episodes", 3, "--online.max-new-tokens", 3)


def test_a_named_environment_is_played_and_learnt(speaq: Speaq) -> None:
    code, out, err = speaq("play", "randomwalks", "--folder", "run", "--rules", "walks=20", *QUICK)
    assert code == 0, err
    assert "run" in out and "3" in out
    assert load("run/model").require_head().settings.kind == "linear"


def test_the_environments_own_log_can_be_mixed_in(speaq: Speaq) -> None:
    code, _, err = speaq(
        "play", "randomwalks", "--log", "own", "--folder", "run", "--rules", "walks=20", *QUICK
    )
    assert code == 0, err
    assert load("run/model").origin.history[-1]["episodes"] == 20 + 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rendomwalks",), "randomwalks"),
        (("randomwalks", "--rules", "wolks=3"), "wolks"),
        (("randomwalks", "--episodes", 0), "episodes = 0"),
        (("randomwalks", "--online.every", 0), "every = 0"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(
    speaq: Speaq, words: tuple[object, ...], said: str
) -> None:
    code, out, err = speaq("play", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and said in err
