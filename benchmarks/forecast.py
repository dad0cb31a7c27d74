"""How well do forecasts hold on ETTh1, and do their bands cover what they promise?

    python benchmarks/forecast.py --json benchmarks/results/forecast.json

The standard split: 12 months to fit, 4 to choose and to measure the bands, 4 to test; values
standardised by the first part; a forecast begins at every hour of the test part, and errors are
means over all hours, steps and the seven series. `seasonal` is the day before, `linear` the
forecaster's map (look-back and ridge chosen on the 4 months, never refitted). `tokens` is the
small language model over bins, which begins a forecast every 96 hours only (`windows` says how
many there are); its rows come in twos, alone and guided by what DQN and its family learnt from its
own logged forecasts (`--algorithms`), with `linear` on the same windows beside them.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import report
import torch
from numpy.typing import NDArray

from speaq.apps.forecast.bands import calibrated, spread
from speaq.apps.forecast.measures import coverage, crps
from speaq.apps.forecast.series import read_series
from speaq.training.floors.linear import LinearMap, chosen, origins
from speaq.training.floors.series import mase, seasonal_naive

DATA = Path("../shared/data/etth/ETTh1.csv.gz")
MONTH = 30 * 24
SEASON = 24
LOOK_BACKS = (168, 336, 512, 720)
LEVEL = 0.8
Values = NDArray[np.float64]
Pairs = tuple[Values, Values]


def main() -> None:
    options = report.parser(__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--horizon", type=int, default=96)
    options.add_argument("--algorithms", nargs="*", default=[], help="for `tokens`: dqn, dae, ...")
    options.add_argument("--steps", type=int, default=600, help="of the token model")
    arguments = options.parse_args()
    torch.set_num_threads(1)
    parts = split(arguments.data)
    rows = []
    for seed in arguments.seeds:
        begun = time.process_time()
        naive = Seasonal(arguments.horizon)
        rows.append(measured(seed, "seasonal", naive, parts, begun))
        begun = time.process_time()
        known, later = [part[0] for part in parts], [part[1] for part in parts]
        linear = chosen(known, later, arguments.horizon, LOOK_BACKS)
        print(f"look-back {linear.look_back}, ridge {linear.ridge:g}")
        rows.append(measured(seed, "linear", linear, parts, begun))
        if arguments.algorithms:
            rows += of_tokens(seed, parts, linear, arguments)
    report.write(arguments, rows)


def split(file: Path) -> list[tuple[Values, Values, Values]]:
    """The three parts of each series, standardised by the first."""
    found = []
    for each in read_series(file):
        first, second, third = 12 * MONTH, 16 * MONTH, 20 * MONTH
        values = each.values
        scaled = (values - values[:first].mean()) / values[:first].std()
        found.append((scaled[:first], scaled[first:second], scaled[second:third]))
    return found


class Seasonal:
    """The day before, over and over."""

    def __init__(self, horizon: int) -> None:
        self.horizon, self.look_back = horizon, SEASON

    def ahead(self, past: Values) -> Values:
        return seasonal_naive(past, SEASON, self.horizon)


def pairs(before: Values, after: Values, look_back: int, horizon: int) -> Pairs:
    """Pasts and what followed, for every beginning in `after`."""
    found = origins(before, after, look_back, horizon)
    return np.concatenate([past for past, _ in found]), np.concatenate([then for _, then in found])


def measured(
    seed: int,
    method: str,
    model: Seasonal | LinearMap,
    parts: list[tuple[Values, Values, Values]],
    begun: float,
    stride: int = 1,
) -> dict[str, Any]:
    """One row: bands are measured on the second part, everything else on the third."""
    kept: list[tuple[Values, Values, Values, Values, Values]] = []
    scaled = []
    for first, second, third in parts:
        past, then = pairs(first, second, model.look_back, model.horizon)
        bands = calibrated(then - model.ahead(past), spread(past))
        past, then = (
            each[::stride] for each in pairs(second, third, model.look_back, model.horizon)
        )
        found = model.ahead(past)
        lower, upper = bands.around(found, past, LEVEL)
        levels, quantiles = bands.quantiles(found, past)
        scaled.append(mase(first, then, found, SEASON))
        kept.append((then, found, lower, upper, np.array(crps(then, quantiles, levels))))
    return row(seed, method, kept, float(np.mean(scaled)), begun)


def row(
    seed: int, method: str, kept: list[tuple[Values, ...]], scaled: float, begun: float
) -> dict[str, Any]:
    then, found, lower, upper, ranked = (np.stack(each) for each in zip(*kept, strict=True))
    return {
        "seed": seed,
        "method": method,
        "mse": float(np.square(then - found).mean()),
        "mae": float(np.abs(then - found).mean()),
        "coverage80": coverage(then, lower, upper),
        "mase": scaled,
        "crps": float(ranked.mean()),
        "windows": then.shape[0] * then.shape[1],
        "seconds": time.process_time() - begun,
    }


def of_tokens(
    seed: int,
    parts: list[tuple[Values, Values, Values]],
    linear: LinearMap,
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """The token model alone, then guided by each algorithm's values, on the same beginnings."""
    from dataclasses import replace

    from speaq.apps.forecast.teaching import logged
    from speaq.apps.forecast.tokens import TokenSettings, default_loop, train_tokens
    from speaq.evaluation.gate import gate
    from speaq.qlearning.learn import learn
    from speaq.training.loop import LoopSettings

    begun = time.process_time()
    rows = [measured(seed, "linear, same windows", linear, parts, begun, arguments.horizon)]
    settings = TokenSettings()
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        loop = replace(default_loop(), steps=arguments.steps)
        known = [part[0] for part in parts]
        model = train_tokens(known, arguments.horizon, Path(folder) / "t", settings, loop, seed)
        rows.append(sampled(seed, "tokens", model, parts, begun, arguments.horizon, 0.0))
        log = list(logged(model, [part[1] for part in parts], 4, 24, seed=seed))
        for name in arguments.algorithms:
            begun = time.process_time()
            run = learn(
                model,
                log,
                name,
                folder=Path(folder) / name,
                seed=seed,
                loop=LoopSettings(steps=200, batch_size=32),
            )
            found = gate(run.model, log, betas=[0, 0.5, 1, 2, 4], seed=seed)
            beta = found.best_beta
            print(f"{name}: beta {beta:g}")
            rows.append(
                sampled(seed, f"tokens, {name}", run.model, parts, begun, arguments.horizon, beta)
            )
    return rows


def sampled(
    seed: int,
    method: str,
    model: Any,
    parts: list[tuple[Values, Values, Values]],
    begun: float,
    horizon: int,
    beta: float,
) -> dict[str, Any]:
    """As `measured`: the mean of sampled paths, their quantiles as the band."""
    from speaq.apps.forecast.tokens import paths, settings_of

    look_back = settings_of(model)[0].look_back
    levels = tuple(float(each) for each in np.arange(0.05, 0.96, 0.05))
    kept: list[tuple[Values, ...]] = []
    scaled = []
    for first, second, third in parts:
        past, then = (each[::horizon] for each in pairs(second, third, look_back, horizon))
        drawn = paths(model, past, 20, seed=seed, beta=beta)
        found = drawn.mean(1)
        lower, upper = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
        quantiles = np.quantile(drawn, levels, axis=1)
        scaled.append(mase(first, then, found, SEASON))
        kept.append((then, found, lower, upper, np.array(crps(then, quantiles, levels))))
    return row(seed, method, kept, float(np.mean(scaled)), begun)


if __name__ == "__main__":
    main()
