"""Several tasks on one trunk: each is learnt, and what it gained or lost is told."""

from dataclasses import replace

import pytest
from small_tasks import LOOP, NEW, questions, tags, texts
from transformers import AutoModel

from speaq.core.errors import SettingsError
from speaq.training.supervised.multi_task import (
    Gain,
    Together,
    TogetherSettings,
    fine_tune_together,
)
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.result import open_tuned
from speaq.training.supervised.settings import FineTuneSettings

FREE = FineTuneSettings(epochs=0, patience=0, validations=0.4)


def parts(examples):
    return Examples(examples, examples)


def test_three_tasks_share_one_trunk_and_say_what_they_gained(tmp_path):
    tasks = {"意图": parts(texts("zh")), "slots": parts(tags("en")), "read": parts(questions())}
    made = fine_tune_together(
        NEW, tasks, settings=FREE, loop=replace(LOOP, steps=90), folder=tmp_path / "run"
    )
    metrics = {gain.task: gain for gain in made.gains}
    assert metrics["意图"].together == 1.0
    assert metrics["slots"].together > 0.9
    assert metrics["read"].metric == "f1"
    for gain in made.gains:
        assert gain.gain == pytest.approx(gain.together - gain.alone)
    assert made.parameters[0] < made.parameters[1] / 2
    report = made.report()
    assert all(name in report for name in tasks)
    again = open_tuned(made.folder)
    assert [a.labels for a in again.answers(texts("zh"), "意图")] == [
        each.labels for each in texts("zh")
    ]
    assert again.measures(tags("en"), "slots")["f1"] == metrics["slots"].together
    assert AutoModel.from_pretrained(made.folder).config.model_type == "bert"


def test_single_models_may_be_left_out(tmp_path):
    tasks = {"a": parts(texts("en")), "b": parts(tags("en"))}
    made = fine_tune_together(
        NEW,
        tasks,
        settings=replace(FREE, strategy="head"),
        together=TogetherSettings(singles=False),
        loop=replace(LOOP, steps=4),
        folder=tmp_path / "run",
    )
    assert [gain.gain for gain in made.gains] == [None, None]
    assert not list((tmp_path / "run").glob("alone-*"))
    assert not list((tmp_path / "run").glob("*states*"))


def test_what_was_lost_is_said_in_both_languages(monkeypatch):
    made = Together(
        None, None, {}, [Gain("x", "f1", 0.80, 0.82), Gain("y", "f1", 0.9, 0.8)],
        parameters=(10, 20),
    )  # fmt: skip
    assert "x: f1 0.8000 together, 0.8200 alone: lost 2.00 points" in made.report()
    assert "y: f1 0.9000 together, 0.8000 alone: gained 10.00 points" in made.report()
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    assert "降低 2.00 个百分点" in made.report() and "参数 10，单独训练共需 20" in made.report()


def test_one_task_is_not_several(tmp_path):
    with pytest.raises(SettingsError, match="two or more named tasks"):
        fine_tune_together(NEW, {"a": parts(texts("en"))}, folder=tmp_path / "run")
    with pytest.raises(SettingsError, match="temperature"):
        TogetherSettings(temperature=0.5)
