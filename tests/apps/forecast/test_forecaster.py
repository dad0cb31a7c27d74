"""The linear map, its bands, the folder, and the application on top."""

import json

import numpy as np
import pytest

from speaq.apps.application import answered
from speaq.apps.forecast.application import Forecast, ForecastRequest
from speaq.apps.forecast.bands import calibrated, spread
from speaq.apps.forecast.chart import save_chart
from speaq.apps.forecast.evaluating import evaluate
from speaq.apps.forecast.foretelling import ForecastSettings, fit, open_forecaster
from speaq.apps.forecast.measures import coverage, crps, smape
from speaq.apps.forecast.series import Series
from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.training.floors.linear import chosen, fitted, origins


def wave(length: int, noise: float, seed: int = 0, size: float = 1.0) -> Series:
    steps = np.arange(length)
    stream = np.random.default_rng(seed)
    values = np.sin(2 * np.pi * steps / 12) + noise * stream.standard_normal(length)
    return Series(f"wave{seed}", 50 + size * values)


DAILY = ForecastSettings(horizon=6, season=12)


def test_what_follows_a_rule_is_foretold_exactly():
    found = fit([wave(240, 0.0)], ForecastSettings(horizon=6, season=1))
    assert found.linear is not None
    ahead = found.ahead(wave(240, 0.0).values)
    assert ahead == pytest.approx(wave(246, 0.0).values[240:], abs=0.05)


def test_the_ridge_s_weights_are_the_optimum():
    """The gradient of squared error plus ridge vanishes at the fitted weights."""
    values = wave(200, 0.5).values
    [found] = fitted([values], 3, 8, [0.1])
    windows = np.lib.stride_tricks.sliding_window_view(values, 11)
    past = windows[:, :8] - windows[:, 7:8]
    wanted = windows[:, 8:] - windows[:, 7:8]
    size = np.trace(past.T @ past) / 8
    gradient = past.T @ (past @ found.weights - wanted) + 0.1 * size * found.weights
    assert np.abs(gradient).max() < 1e-6 * np.abs(past.T @ wanted).max()


def test_the_choice_is_the_least_error_on_what_came_later():
    series = wave(300, 0.3).values
    best = chosen([series[:200]], [series[200:]], 4, [4, 12, 24], [1e-3, 1.0])

    def error(each):
        parts = origins(series[:200], series[200:], each.look_back, 4)
        return sum(float(np.square(each.ahead(past) - then).sum()) for past, then in parts)

    for look_back in (4, 12, 24):
        for other in fitted([series[:200]], 4, look_back, [1e-3, 1.0]):
            assert error(best) <= error(other) + 1e-9


def test_a_series_without_a_rule_but_its_season_falls_back_on_the_season():
    stream = np.random.default_rng(0)
    season = stream.standard_normal(40) * 10
    values = np.tile(season, 6)
    found = fit([Series("s", values)], ForecastSettings(horizon=40, season=40))
    errors = found.facts["held_out_mse"]
    assert (found.linear is None) == (errors["seasonal"] < errors["linear"])
    assert found.ahead(values) == pytest.approx(season, abs=0.2)


def test_bands_cover_what_they_promise():
    fitted_to = wave(1500, 0.5, seed=1)
    found = fit([fitted_to], DAILY)
    later = wave(6000, 0.5, seed=2)
    measures = evaluate(found, [Series("wave1", later.values)], 0.8, 0.8)["wave1"]
    assert 0.76 < measures["coverage80"] < 0.84
    assert measures["mase"] < measures["seasonal_mase"]


def test_each_series_has_bands_of_its_own():
    quiet, loud = wave(600, 0.05, seed=1), wave(600, 0.8, seed=2)
    found = fit([quiet, loud], DAILY)
    past = wave(600, 0.3, seed=3).values
    widths = [np.ptp(found.band(past, 0.8, name), axis=0).mean() for name in ("wave1", "wave2")]
    assert widths[0] < widths[1] / 2


def test_calibration_takes_the_right_order_statistic():
    errors = np.arange(1, 10.0)[:, None]
    bands = calibrated(errors, np.ones((9, 1)), [0.8])
    # ⌈(9 + 1) · 0.8⌉ = 8: the eighth smallest.
    assert bands.widths.tolist() == [[8.0]]
    lower, upper = bands.around(np.zeros((1, 1)), np.array([[-1.0, 1.0]]), 0.8)
    assert (lower.item(), upper.item()) == (-8, 8)
    assert spread(np.array([[-1.0, 1.0]])).item() == 1


def test_a_constant_series_is_foretold_as_it_is_without_a_band():
    found = fit([Series("flat", np.full(100, 7.0)), wave(100, 0.1)], DAILY)
    lower, upper = found.band(np.full(60, 7.0), 0.8)
    assert found.ahead(np.full(60, 7.0)).tolist() == pytest.approx([7.0] * 6)
    assert lower.tolist() == upper.tolist() == pytest.approx([7.0] * 6)


def test_too_short_a_series_is_told_how_long_it_must_be():
    with pytest.raises(DataError, match=r"'wave0' has 20 values; .* at least (\d+)") as refused:
        fit([wave(20, 0.1)], DAILY)
    need = int(refused.value.en.split("at least ")[1].split()[0])
    with pytest.raises(DataError):
        fit([wave(need - 1, 0.1)], DAILY)
    assert fit([wave(need, 0.1)], DAILY).ahead(wave(need, 0.1).values).shape == (6,)


def test_a_folder_foretells_the_same(tmp_path):
    found = fit([wave(240, 0.2, seed=1), wave(240, 0.2, seed=2)], DAILY)
    found.save(tmp_path / "f")
    again = open_forecaster(tmp_path / "f")
    past = wave(100, 0.2, seed=5).values
    assert again.ahead(past).tolist() == found.ahead(past).tolist()
    assert np.array_equal(again.band(past, 0.7, "wave2"), found.band(past, 0.7, "wave2"))
    assert again.name == found.name


def test_a_damaged_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(ModelError, match="no forecaster"):
        open_forecaster(tmp_path)
    (tmp_path / "forecast.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        open_forecaster(tmp_path)


def test_measures_by_hand():
    wanted, found = np.array([1.0, 2.0]), np.array([1.0, 4.0])
    assert smape(wanted, found) == pytest.approx((0 + 2 * 2 / 6) / 2)
    assert smape(np.zeros(1), np.zeros(1)) == 0
    assert coverage(wanted, np.zeros(2), np.array([1.0, 1.5])) == 0.5
    # All quantiles at one point: the score is the absolute error.
    levels = (0.1, 0.5, 0.9)
    assert crps(wanted, np.stack([found] * 3), levels) == pytest.approx(1.0)


def test_the_application_answers_with_a_table_and_an_episode():
    values = tuple(wave(240, 0.1).values)
    request = ForecastRequest(series={"北京": values}, horizon=6, season=12, levels=(0.8,))
    answer = answered(Forecast.open("fit"), request, "forecast-1")
    header, *lines = answer.text.splitlines()
    assert header == "unique_id,ds,forecast,lo-80,hi-80"
    assert len(lines) == 6 and lines[0].startswith("北京,+1,")
    assert (answer.episode.app, answer.id) == ("forecast", "forecast-1")
    assert "next 6 steps" in answer.episode.prompt
    [record] = answer.details["forecasts"]
    assert record["bands"][0]["lower"][0] < record["mean"][0] < record["bands"][0]["upper"][0]
    json.dumps(answer.details, allow_nan=False)


def test_the_chart_shows_chinese_names(tmp_path):
    request = ForecastRequest(series={"北京": tuple(wave(240, 0.1).values)}, season=12, horizon=6)
    save_chart(answered(Forecast(None), request).details["forecasts"], tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_missing_numbers_in_a_request_are_filled_and_said():
    values = [*wave(240, 0.1).values]
    values[100] = None
    request = ForecastRequest(series={"a": tuple(values)}, horizon=6, season=12)
    answer = answered(Forecast(None), request)
    assert "1 missing" in answer.details["notes"][0]["en"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"csv": "v\n1", "series": {"a": (1.0,)}}, {"csv": "v\n1", "levels": (1.5,)}],
)
def test_a_request_that_contradicts_itself_is_refused(fields):
    with pytest.raises(SettingsError):
        ForecastRequest(**fields)


def test_more_steps_than_were_fitted_are_refused():
    application = Forecast(fit([wave(240, 0.1)], DAILY))
    request = ForecastRequest(series={"a": tuple(wave(60, 0.1).values)}, horizon=7)
    with pytest.raises(SettingsError, match="fitted for 6"):
        answered(application, request)


def test_a_folder_with_other_things_is_not_replaced(tmp_path):
    mine = tmp_path / "letter.txt"
    mine.write_text("mine", encoding="utf-8")
    found = fit([wave(240, 0.2)], DAILY)
    with pytest.raises(ModelError, match="not a forecaster's folder"):
        found.save(tmp_path)
    assert mine.read_text(encoding="utf-8") == "mine"
    for _ in range(2):
        found.save(tmp_path / "new")
