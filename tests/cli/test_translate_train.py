import json
from pathlib import Path

import pytest

from speaq.cli import (
    translate_convert,
    translate_evaluate,
    translate_sample,
    translate_train,
)
from speaq.core.errors import DataError, SettingsError
from speaq.experience.store import ExperienceStore


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.tsv"
    lines = [
        f"the {thing} number {n} is here today\t今天第{n}个{other}在这里\n"
        for n in range(1, 13)
        for thing, other in (("dog", "狗"), ("cat", "猫"))
    ]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def test_a_file_becomes_a_translator_that_is_measured_and_made_fast(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["--source", "en", "--target", "zh"]
    recipe = ["--model", "tiny", "--vocabulary", "400", "--steps", "4", "--batch-tokens", "256"]
    translate_train.main([str(pairs), *words, *recipe, "--folder", str(run)])
    assert str(run / "model") in capsys.readouterr().out
    report = tmp_path / "report.json"
    translate_evaluate.main([str(run), str(pairs), *words, "--beam", "1", "--json", str(report)])
    told = capsys.readouterr().out
    assert "tok:zh" in told
    assert "24" in told
    [row] = json.loads(report.read_text(encoding="utf-8"))
    assert len(row["translations"]) == row["sentences"] == 24
    assert 0 <= row["bleu"] <= 100
    store = tmp_path / "log.sqlite"
    drawn = ["--limit", "5", "--samples", "2", "--decoding.max-new-tokens", "8"]
    translate_sample.main([str(run), str(pairs), *words, "--store", str(store), *drawn])
    assert "chrF" in capsys.readouterr().out
    with ExperienceStore(store) as kept:
        episodes = kept.episodes("learn")
    assert 0 < len(episodes) <= 10
    assert all(0 <= float(each.feedback[0].value) <= 1 for each in episodes)
    with pytest.raises(SettingsError, match="en → zh"):
        translate_sample.main([str(run), str(pairs), "--source", "fr", "--target", "zh"])
    pytest.importorskip("ctranslate2", reason="needs the extra fast")
    translate_convert.main([str(run / "model"), str(tmp_path / "fast")])
    assert (tmp_path / "fast" / "model.bin").is_file()
    assert "MB" in capsys.readouterr().out


def test_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        translate_train.main(["--folder", str(tmp_path / "run")])
    assert "句对" in error.value.zh


def test_a_finished_run_is_the_same_when_it_is_asked_for_again(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(pairs), "--source", "en", "--target", "zh", "--folder", str(tmp_path / "run")]
    recipe = ["--model", "tiny", "--vocabulary", "400", "--steps", "2", "--batch-tokens", "256"]
    translate_train.main([*words, *recipe])
    first = (tmp_path / "run" / "model" / "model.safetensors").read_bytes()
    translate_train.main([*words, *recipe])
    assert (tmp_path / "run" / "model" / "model.safetensors").read_bytes() == first
    capsys.readouterr()
