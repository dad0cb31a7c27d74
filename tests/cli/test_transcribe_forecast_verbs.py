"""speaq transcribe and speaq forecast from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speaq.cli.forecast import main as forecast
from speaq.cli.transcribe import main as transcribe
from speaq.core.errors import DataError, ModelError
from speaq.experience.store import ExperienceStore


@pytest.fixture
def table(tmp_path: Path) -> Path:
    days = np.arange(140)
    start = np.datetime64("2024-01-01")
    rows = [f"{start + int(day)},{20 + day % 7},{50 - day % 7}" for day in days]
    file = tmp_path / "sales.csv"
    file.write_text("\n".join(["date,店甲,店乙", *rows]), encoding="utf-8")
    return file


def test_a_table_is_forecast_drawn_and_kept(table, tmp_path, capsys):
    store, chart = tmp_path / "s.sqlite", tmp_path / "c.png"
    words = ["--horizon", "7", "--season", "7", "--store", str(store), "--chart", str(chart)]
    forecast([str(table), *words])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "unique_id,ds,forecast,lo-80,hi-80,lo-95,hi-95"
    assert lines[1].startswith("店甲,2024-05-20,20,")
    assert len(lines) == 1 + 2 * 7
    assert chart.is_file()
    with ExperienceStore(str(store)) as kept:
        assert [each.app for each in kept.iterate(None)] == ["forecast"]


def test_a_forecaster_is_fitted_measured_and_asked(table, tmp_path, capsys):
    folder = str(tmp_path / "f")
    forecast(["train", str(table), "--folder", folder, "--horizon", "7", "--season", "7"])
    forecast(["evaluate", str(table), "--model", folder])
    assert "coverage80" in capsys.readouterr().out
    forecast(["run", str(table), "--model", folder, "--columns", "店乙", "--format", "json"])
    [found] = json.loads(capsys.readouterr().out)["forecasts"]
    assert found["name"] == "店乙"
    assert found["mean"][0] == pytest.approx(50, abs=0.01)


def test_help_lists_the_actions(capsys):
    forecast([])
    transcribe(["--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("train", "evaluate", "tokens", "log"))


def test_an_engine_is_trained_heard_and_measured(tmp_path, capsys):
    lines = ["path,text"]
    for number in range(4):
        steps = np.arange(2400) / 8000
        tone = 0.5 * np.sin(2 * np.pi * (500 + 20 * number) * steps)
        soundfile.write(tmp_path / f"{number}.wav", tone, 8000)
        lines.append(f"{number}.wav,好")
    data = tmp_path / "data.csv"
    data.write_text("\n".join(lines), encoding="utf-8")
    run = tmp_path / "run"
    small = ["--acoustic.rate", "8000", "--acoustic.width", "8", "--loop.batch-size", "4"]
    steps = ["--loop.steps", "2", "--loop.checkpoint-every", "2", "--loop.warmup", "0"]
    transcribe(["train", str(data), "--folder", str(run), *small, *steps])
    capsys.readouterr()
    transcribe(["evaluate", str(data), "--model", str(run), "--no-gate"])
    assert "CER" in capsys.readouterr().out
    heard = [str(tmp_path / "0.wav"), "--model", str(run), "--no-gate"]
    transcribe([*heard, "--look", str(tmp_path / "look"), "--format", "json"])
    said = json.loads(capsys.readouterr().out)
    assert said["duration"] == 0.3
    assert (tmp_path / "look" / "0.png").is_file()


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        transcribe([str(tmp_path / "no.wav")])


def test_a_model_of_another_kind_makes_no_store(table, tmp_path):
    store = tmp_path / "log.sqlite"
    with pytest.raises(ModelError, match="not trained on series"):
        forecast(["log", "new:tiny", str(table), "--store", str(store)])
    assert not store.exists()
