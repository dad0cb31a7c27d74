"""The search on disk: what is done, what comes next, whose trial is whose."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from speaq.core.errors import SettingsError, StorageError
from speaq.training.tuning import (
    Command,
    GoalSettings,
    PruningSettings,
    SamplingSettings,
    look,
)
from speaq.training.tuning import ledger as ledgers
from speaq.training.tuning.ledger import Ledger
from speaq.training.tuning.outcome import Outcome
from speaq.training.tuning.search import identity_of

Toy = Callable[..., Command]
LOSS = GoalSettings("loss")


def opened(folder: Path, command: Command, goal: GoalSettings = LOSS, **sampling: Any) -> Ledger:
    chosen, pruning = SamplingSettings(**sampling), PruningSettings()
    identity = identity_of(command, goal, chosen, pruning)
    return Ledger(folder, identity, goal, chosen, pruning, command.space)


def quadratic(ledger: Ledger, limit: int, stop: set[int] | None = None) -> list[float]:
    """Trials whose value is (x - 3)², without processes; those in `stop` are interrupted once."""
    drawn = []
    stop = set(stop or ())
    while (trial := ledger.claim(limit, None)) is not None:
        if len(drawn) in stop:
            stop.remove(len(drawn))
            ledger.finish(trial, Outcome("failed", "interrupted"))
            continue
        drawn.append(trial.params["x"])
        ledger.finish(trial, Outcome("complete", values=((trial.params["x"] - 3) ** 2,)))
    return drawn


@pytest.mark.parametrize(
    ("method", "storage"), [("bayes", "journal"), ("gp", "journal"), ("random", "sqlite")]
)
def test_a_search_that_was_stopped_chooses_what_it_would_have_chosen(
    toy: Toy, tmp_path: Path, method: str, storage: str
) -> None:
    count = {"bayes": 14, "gp": 7, "random": 6}[method]
    settings = {"method": method, "storage": storage, "startup": 5}
    whole = quadratic(opened(tmp_path / "a", toy(), **settings), count)
    first = quadratic(opened(tmp_path / "b", toy(), **settings), 4, stop={0, 3})
    rest = quadratic(opened(tmp_path / "b", toy(), **settings), count, stop={1})
    assert first + rest == whole
    assert len(set(whole)) == count
    if method != "random":
        assert min((x - 3) ** 2 for x in whole) < 0.3


def test_a_grid_is_covered_once_also_when_it_was_stopped(toy: Toy, tmp_path: Path) -> None:
    ledger = opened(tmp_path / "a", toy(), method="grid", points=6)
    assert sorted(quadratic(ledger, 6, stop={0, 2, 5})) == [0, 2, 4, 6, 8, 10]
    again = opened(tmp_path / "a", toy(), method="grid", points=6)
    assert again.claim(6, None) is None


def test_the_best_is_found_within_limits_and_by_direction(toy: Toy, tmp_path: Path) -> None:
    ledger = opened(tmp_path, toy(), replace(LOSS, direction="maximize"), method="random")
    for value, excess in ((1.0, -1.0), (3.0, 0.5), (2.0, 0.0)):
        trial = ledger.claim(None, None)
        assert trial is not None
        ledger.finish(trial, Outcome("complete", values=(value,), excess={"model": excess}))
    assert [trial.value for trial in ledger.ranked()] == [2.0, 1.0]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["best"] for row in rows] == [1.0, 1.0, 2.0]


def test_two_processes_keep_the_number_of_trials_and_take_up_only_what_the_dead_left(
    toy: Toy, tmp_path: Path
) -> None:
    one, two = (opened(tmp_path, toy(), method="random") for _ in range(2))
    with one.joined(), two.joined():
        mine, theirs = one.claim(2, None), two.claim(2, None)
        assert mine is not None and theirs is not None
        assert mine.params["x"] != theirs.params["x"]
        assert one.claim(2, None) is two.claim(2, None) is None
    # Both have left their trials behind; a third finds each once.
    three = opened(tmp_path, toy(), method="random")
    with three.joined():
        taken = [three.claim(2, None) for _ in range(2)]
        assert all(each is not None for each in taken)
        assert {each.params["x"] for each in taken if each} == {
            mine.params["x"],
            theirs.params["x"],
        }
        assert {each.user_attrs["folder"] for each in taken if each} == {
            "trial-0000",
            "trial-0001",
        }
        assert three.claim(2, None) is None


def test_a_trial_that_kills_its_process_is_not_begun_for_ever(toy: Toy, tmp_path: Path) -> None:
    for _ in range(ledgers.ATTEMPTS):
        ledger = opened(tmp_path, toy(), method="random")
        with ledger.joined():
            trial = ledger.claim(1, None)
            assert trial is not None and trial.user_attrs["folder"] == "trial-0000"
    last = opened(tmp_path, toy(), method="random")
    assert last.claim(1, None) is None
    [only] = last.trials()
    assert only.state == TrialState.FAIL


def test_pauses_do_not_count_and_processes_side_by_side_count_once(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(ledgers.time, "time", lambda: now[0])
    one, two = (opened(tmp_path, toy(), method="random") for _ in range(2))
    with one.joined(), two.joined():
        first = one.claim(None, 5)
        now[0] += 60
        second = two.claim(None, 5)
        now[0] += 60
        assert first is not None and second is not None
        one.finish(first, Outcome("complete", values=(1.0,), seconds=120))
        now[0] += 60
        two.finish(second, Outcome("failed", "interrupted"))
    assert one.seconds() == 180
    now[0] += 10_000
    assert one.seconds() == 180
    assert one.deadline(5) == now[0] + 120
    # 120 seconds are left, and no trial was ever done in less.
    assert one.claim(None, 5) is None
    taken = one.claim(None, 5.1)
    assert taken is not None and taken.user_attrs["continues"] == 1
    now[0] += 30
    assert one.seconds() == 210


def test_a_short_trial_beside_a_long_one_takes_no_time_of_its_own(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(ledgers.time, "time", lambda: now[0])
    ledger = opened(tmp_path, toy(), method="random")
    with ledger.joined():
        long = ledger.claim(None, None)
        now[0] += 1
        short = ledger.claim(None, None)
        now[0] += 10
        assert long is not None and short is not None
        ledger.finish(short, Outcome("complete", values=(1.0,)))
        now[0] += 10
        third = ledger.claim(None, None)
        now[0] += 10
        ledger.finish(long, Outcome("complete", values=(1.0,)))
        now[0] += 10
        assert third is not None
        ledger.finish(third, Outcome("complete", values=(1.0,)))
    assert ledger.seconds() == 41


def test_a_missing_package_is_named_with_its_extra(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "speaq.training.tuning.sampling", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r"optuna.*speaq\[tune\]"):
        opened(tmp_path / "no", toy())
    assert not (tmp_path / "no").exists()


def test_a_folder_holds_one_search(toy: Toy, tmp_path: Path) -> None:
    opened(tmp_path, toy())
    opened(tmp_path, toy())
    with pytest.raises(SettingsError, match="other settings"):
        opened(tmp_path, toy(), method="random")
    with pytest.raises(SettingsError, match="not a search folder"):
        look(tmp_path / "else")


def test_a_record_that_was_cut_off_is_mended_and_a_damaged_one_refused(
    toy: Toy, tmp_path: Path
) -> None:
    quadratic(opened(tmp_path, toy(), method="random"), 3)
    record = tmp_path / "study.journal"
    whole = record.read_bytes()
    record.write_bytes(whole + b'{"op_code":4,"work')
    assert len(opened(tmp_path, toy(), method="random").trials()) == 3
    lines = record.read_bytes()
    assert lines.startswith(whole)
    assert all(json.loads(line) for line in lines.splitlines())
    before = record.read_bytes()
    assert len(look(tmp_path).rows) == 3
    assert record.read_bytes() == before
    record.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(StorageError, match="damaged"):
        opened(tmp_path, toy(), method="random")
