"""Figures are read while they are written, each step once."""

import json
from pathlib import Path

from speaq.core.runs import RunFolder
from speaq.training.tuning.follow import Follower


def test_lines_are_read_as_they_come_and_torn_ones_when_they_are_whole(tmp_path: Path) -> None:
    follower = Follower(tmp_path, "loss")
    assert follower.new() == []
    with (tmp_path / "metrics.jsonl").open("w", buffering=1) as stream:
        stream.write('{"step": 1, "loss": 0.5}\n{"step": 2, "other": 1}\n')
        assert follower.new() == [(1, 0.5)]
        assert follower.step == 2
        stream.write('{"step": 3, "lo')
        stream.flush()
        assert follower.new() == []
        stream.write('ss": 0.25}\n')
        assert follower.new() == [(3, 0.25)]
        assert follower.new() == []


def test_a_run_that_goes_back_to_its_checkpoint_is_not_heard_twice(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, {})
    follower = Follower(tmp_path, "loss")
    for step in range(1, 6):
        run.log(step, {"loss": step / 10})
    assert len(follower.new()) == 5
    run.rewind(2)
    assert follower.new() == []
    for step in range(3, 8):
        run.log(step, {"loss": step / 10})
    assert follower.new() == [(6, 0.6), (7, 0.7)]


def test_a_line_that_a_crash_cut_is_passed_over(tmp_path: Path) -> None:
    lines = [json.dumps({"step": 1, "loss": 1.0}), '{"st', json.dumps({"step": 2, "loss": 2.0})]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert Follower(tmp_path, "loss").new() == [(1, 1.0), (2, 2.0)]
