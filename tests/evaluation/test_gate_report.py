import json
import math
from dataclasses import replace

import pytest

from speaq.core.errors import StorageError
from speaq.core.files import digest
from speaq.evaluation.estimate import Estimate, GateSettings
from speaq.evaluation.report import GateReport, judge

GOOD = Estimate(
    beta=2.0, predicted=0.8, low=0.7, high=0.9, gain=0.3, gain_low=0.2, ess=80.0, kl=1.5
)
BASE = Estimate(
    beta=0.0, predicted=0.5, low=0.4, high=0.6, gain=0.0, gain_low=0.0, ess=200.0, kl=0.0
)


def verdict(episodes=200, settings=None, **changes):
    (row,) = judge([replace(GOOD, **changes)], episodes, settings or GateSettings())
    return row.verdict, row.reason_en


def report(*estimates):
    rows = judge(estimates, 200, GateSettings())
    return GateReport(tuple(rows), 200, 20, 0.95, True, "data", {"temperature": 1.0})


def test_enough_evidence_of_a_gain_may_be_promoted():
    assert verdict() == ("promote", "may be promoted: gain of at least +0.200")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ess": 49.9}, "stands for only 50 replies of this policy, 50 are needed"),
        ({"ess": 59.0, "episodes": 600}, "stands for only 59 replies of this policy, 60"),
        ({"gain_low": -0.01}, "gain could be as low as -0.010"),
        ({"gain_low": 0.0}, "gain could be as low as +0.000"),
        ({"kl": 1.51, "settings": GateSettings(most_kl=1.5)}, "1.51 nats"),
        ({"kl": math.inf}, "top-p cut them off"),
    ],
)
def test_thin_evidence_is_refused_with_the_reason(changes, reason):
    said, why = verdict(**changes)
    assert said == "refuse"
    assert reason in why


def test_limits_themselves_are_enough():
    settings = GateSettings(most_kl=1.5, least_share=0.4, least_episodes=80)
    assert verdict(settings=settings)[0] == "promote"


def test_the_base_model_is_neither_promoted_nor_refused():
    assert judge([replace(BASE, ess=1.0)], 200, GateSettings())[0].verdict == "base"


def test_the_best_beta_has_the_highest_lower_bound_of_those_that_pass():
    bold = replace(GOOD, beta=4.0, predicted=0.95, low=0.69)
    thin = replace(GOOD, beta=8.0, predicted=1.5, low=1.2, ess=10.0)
    assert report(BASE, GOOD, bold, thin).best_beta == 2.0
    assert report(BASE, thin).best_beta == 0.0


def test_the_file_is_plain_json_and_gives_the_report_back(tmp_path):
    whole = report(BASE, GOOD, replace(GOOD, beta=4.0, kl=math.inf))
    whole.save(tmp_path / "new" / "folder")
    file = tmp_path / "new" / "folder" / "gate.json"

    def refuse(word):
        raise AssertionError(f"{word} is no JSON number")

    saved = json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
    assert GateReport.from_dict(saved) == whole
    assert saved["best_beta"] == 2.0
    assert [row["verdict"] for row in saved["rows"]] == ["base", "promote", "refuse"]
    assert saved["rows"][1]["gain_low"] == 0.2
    picture = (tmp_path / "new" / "folder" / "plots" / "gate.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_a_report_from_before_there_was_a_choice_is_read():
    record = report(BASE, GOOD).to_dict()
    del record["estimator"]
    assert GateReport.from_dict(record) == report(BASE, GOOD)


def test_a_failed_save_leaves_the_old_files(tmp_path, monkeypatch):
    report(BASE, GOOD).save(tmp_path)
    files = [tmp_path / "gate.json", tmp_path / "plots" / "gate.png"]
    before = [digest(file.read_bytes()) for file in files]

    def full(path, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speaq.core.files._sync_file", full)
    with pytest.raises(StorageError, match=r"gate\.json"):
        report(BASE).save(tmp_path)
    assert [digest(file.read_bytes()) for file in files] == before
    everything = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(everything) == ["gate.json", "gate.png"]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("predicted", "95% interval", "the base model", "may be promoted")),
        ("zh", ("预测", "95% 区间", "基础模型", "可以发布")),
    ],
)
def test_the_table_speaks_the_language_of_the_person(monkeypatch, language, words):
    monkeypatch.setenv("SPEAQ_LANG", language)
    lines = str(report(BASE, GOOD)).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("snips")
    assert "[0.700, 0.900]" in lines[2]
    assert all(word in "\n".join(lines) for word in words)
