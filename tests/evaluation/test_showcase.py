import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speaq.core.errors import SettingsError
from speaq.evaluation import showcase as module
from speaq.evaluation.showcase import Showcase
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding


def tiny_showcase(folder: Path, said: list[str]) -> Showcase:
    return Showcase(
        folder=folder,
        source="new:tiny",
        logged=12,
        replies=6,
        measured=1,
        noise=0.1,
        seed=0,
        say=said.append,
    )


def interrupted_at(call: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, but its `call`-th call is met by Ctrl-C."""
    calls = iter(range(1, 1000))

    def maybe(*args: Any, **named: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(*args, **named)

    return maybe


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODING", Decoding(temperature=0.8, max_new_tokens=4))


def test_an_interrupted_showcase_continues_and_ends_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_showcase(tmp_path / "whole", [])
    table = whole.run()

    for name, call in (("rated", 1), ("gate", 1), ("measure", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupted_at(call, vars(module)[name]))
            with pytest.raises(KeyboardInterrupt):
                tiny_showcase(tmp_path / "broken", []).run()
    again = tiny_showcase(tmp_path / "broken", []).run()

    def without_seconds(text: str) -> list[list[str]]:
        return [line.split()[:-1] for line in text.splitlines()]

    assert without_seconds(again) == without_seconds(table)
    with ExperienceStore(tmp_path / "broken" / "experience.sqlite") as store:
        assert store.count() == 12 * 6
    reports = [json.loads((tmp_path / n / "gate.json").read_text()) for n in ("whole", "broken")]
    assert reports[0]["rows"] == reports[1]["rows"]


def test_what_was_measured_stands_in_the_table_and_on_the_card(tmp_path: Path) -> None:
    said: list[str] = []
    table = tiny_showcase(tmp_path, said).run()
    assert [line.split("  ")[0] for line in table.splitlines()[2:6]] == [
        "base",
        "filtered cloning",
        "guided, β = 0",
        "folded, β = 0",
    ]
    measured = json.loads((tmp_path / "measured" / "folded.json").read_text())["measured"]
    assert f"{measured['reward']:.3f} [" in table.splitlines()[5]
    assert "filtered cloning" in (tmp_path / "folded" / "README.md").read_text()
    assert [line[0] for line in said if line[0].isdigit()] == list("1234567")
    assert (tmp_path / "plots" / "front.png").stat().st_size > 1000


def test_prompts_for_the_log_and_for_measuring_are_apart(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="logged = 79 must leave at least 5 of 80"):
        Showcase(tmp_path, "new:tiny", 79, 2, 1, 0.1, 0, print)
