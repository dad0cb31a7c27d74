import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.training.supervised.calibration import (
    calibration_error,
    confidences,
    fit_temperature,
    log_softmax,
    out_of_scope_recall,
    threshold_at,
)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(true):
    stream = np.random.default_rng(0)
    logits = stream.normal(size=(20_000, 4)) * 3
    probable = np.exp(log_softmax(logits / true))
    wanted = [int(stream.choice(4, p=row)) for row in probable]
    assert fit_temperature(logits, wanted) == pytest.approx(true, rel=0.06)
    sure = confidences(logits, true)
    right = logits.argmax(1) == wanted
    assert calibration_error(sure, right) < 0.02
    assert calibration_error(confidences(logits, true / 4), right) > 0.05


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.01, 1))
def test_a_threshold_lets_the_wanted_share_pass_and_no_larger_one_does(values, coverage):
    threshold = threshold_at(np.array(values), coverage)
    assert (np.array(values) >= threshold).mean() >= coverage - 1e-9
    above = np.array(values) > threshold
    assert above.mean() < coverage


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.15, 0.15])
    right = np.array([True, False, False, False])
    assert calibration_error(confidence, right, bins=10) == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)


def test_refusals_are_counted_at_the_threshold_of_the_inside():
    inside = np.linspace(0.1, 1.0, 10)
    outside = np.array([0.05, 0.15, 0.25, 0.95])
    # 90 % of the inside pass from 0.2 on.
    assert out_of_scope_recall(inside, outside, 0.9) == pytest.approx(0.5)
