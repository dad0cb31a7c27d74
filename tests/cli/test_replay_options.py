"""Prioritised replay from the command line and from YAML."""

from collections.abc import Callable
from pathlib import Path

import pytest

from speaq.cli.learn import _options
from speaq.core.errors import SettingsError
from speaq.training.replay import ReplaySettings

Speaq = Callable[..., tuple[int, str, str]]


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    assert _options(["m", "l"]).replay == ReplaySettings()
    file = tmp_path / "settings.yaml"
    file.write_text("replay: {kind: prioritised, exponent: 0.5, correction: 0.7}\n")
    given = ["m", "l", "--config", str(file), "--replay.exponent", "0.9"]
    assert _options(given).replay == ReplaySettings("prioritised", 0.9, 0.7)
    file.write_text("replay: {kind: prioritised, exponnt: 0.5}\n")
    with pytest.raises(SettingsError, match="did you mean 'exponent'"):
        _options(["m", "l", "--config", str(file)])


def test_an_algorithm_without_errors_is_refused_in_one_sentence(
    speaq: Speaq, write_log: Callable[[str, str, int], Path], spoken: str
) -> None:
    write_log("log.csv", spoken, 12)
    code, out, err = speaq("learn", "new:tiny", "log.csv", "--replay.kind", "prioritised")
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert (
        "dae" in line
        and ("请用 kind = uniform" if spoken == "zh" else "use kind = uniform") in line
    )
    assert not Path("runs").exists()
