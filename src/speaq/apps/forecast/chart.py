"""History, forecast and bands as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from speaq.apps.fonts import families, shown
from speaq.core.files import replacing_file

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

_SHOWN = 4
"""So many horizons of history stand before the forecast."""


def chart(forecasts: Sequence[dict[str, Any]]) -> "Figure":
    """A row for each series: what was, what is foretold, and the bands.

    Args:
        forecasts: records of the answer's details: `history`, `mean`, `bands`, `name`.
    """
    from matplotlib.figure import Figure

    rows = len(forecasts)
    figure = Figure(figsize=(9, 0.6 + 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for axis, each in zip(axes, forecasts, strict=True):
        steps = len(each["mean"])
        history = each["history"][-_SHOWN * steps :]
        ahead = np.arange(steps)
        axis.plot(np.arange(-len(history), 0), history, color="#444444", linewidth=1)
        for number, band in enumerate(sorted(each["bands"], key=lambda band: -band["level"])):
            label = f"{band['level']:.0%}"
            shade = 0.18 + 0.14 * number
            axis.fill_between(
                ahead, band["lower"], band["upper"], color="#1f5fa8", alpha=shade, label=label
            )
        axis.plot(ahead, each["mean"], color="#1f5fa8", linewidth=1.5)
        axis.set_title(shown(each["name"]), fontsize=10, family=families())
        axis.legend(loc="upper left", fontsize=8)
        axis.grid(alpha=0.25)
        axis.set_xticks([0, steps - 1], [each["times"][0], each["times"][-1]], fontsize=8)
    return figure


def save_chart(forecasts: Sequence[dict[str, Any]], file: "Path") -> None:
    """Write the chart as a PNG.

    Raises:
        StorageError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = chart(forecasts)
    FigureCanvasAgg(figure)
    with replacing_file(file) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
