"""The gate for labels: a good labelling passes, a bad one does not, and predictions hold."""

import numpy as np
import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.core.seeds import generator
from speaq.evaluation.choices import gate_labels, judged_choices
from speaq.evaluation.estimate import GateSettings
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.qlearning.labelling import Labelling
from speaq.training.supervised.calibration import log_softmax
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.heads import TextHead
from speaq.training.supervised.result import Skill, Tuned
from speaq.training.supervised.trunk import open_trunk

LABELS = ("a", "b", "c")


def problem(count, seed=0):
    """Scores that know which of three labels is right, and a log that does not."""
    stream = generator(seed, "labels")
    right = stream.integers(3, size=count)
    scores = stream.normal(size=(count, 3)) * 0.5
    scores[np.arange(count), right] += 2.0
    policy = stream.dirichlet((4.0, 4.0, 4.0), size=count)
    taken = np.array([stream.choice(3, p=row) for row in policy])
    logged = [
        Labelling(f"text {n}", LABELS[a], float(a == r), float(policy[n, a]))
        for n, (a, r) in enumerate(zip(taken, right, strict=True))
    ]
    return scores, taken, logged, right


@pytest.mark.parametrize("estimator", ["dr", "snips"])
def test_predictions_hold_what_a_labelling_earns(estimator):
    scores, taken, logged, right = problem(2000)
    settings = GateSettings(estimator=estimator)
    report = judged_choices(scores, taken, logged, (1, 4), settings)
    logs_own = np.mean([each.reward for each in logged])
    assert report.row(0).estimate.predicted == pytest.approx(logs_own)
    for beta in (1, 4):
        earned = np.exp(log_softmax(beta * scores))[np.arange(2000), right].mean()
        row = report.row(beta)
        assert row.estimate.low <= earned <= row.estimate.high
        assert row.verdict == "promote"
    assert report.best_beta == 4


def test_a_labelling_that_prefers_what_is_wrong_is_refused():
    scores, taken, logged, _ = problem(800)
    report = judged_choices(-scores, taken, logged, (4,), GateSettings())
    assert report.row(4).verdict == "refuse"
    assert report.best_beta == 0


def labeller():
    trunk = open_trunk(
        "new:encoder?layers=1&hidden=16&heads=2&context=20&vocabulary=300&dropout=0", ["a b c 你"]
    )
    kind = Classifying(("left", "right"), reads="mean")
    return Tuned(trunk, {"": Skill(kind, TextHead("mean", 16, 2, 0.0).eval())}, {})


def episodes(label="left", **tags):
    return [
        Episode(
            turns=(Turn("observation", f"{text} {n}"), Turn("action", label)),
            id=f"{n}",
            time=0.0,
            feedback=(Feedback("click", bool(n % 2)),),
            tags=tags,
        )
        for n, text in enumerate(["go left", "往右走"] * 10)
    ]


def test_a_folder_is_judged_by_a_log_with_propensities():
    report = gate_labels(labeller(), episodes(propensity="0.5"))
    assert report.episodes == 20
    assert report.row(0).estimate.predicted == pytest.approx(0.5)


def test_a_log_that_cannot_judge_is_refused():
    with pytest.raises(DataError, match="propensity"):
        gate_labels(labeller(), episodes())
    with pytest.raises(SettingsError, match="does not know"):
        gate_labels(labeller(), episodes("up", propensity="0.5"))
