"""Pictures of a search: every trial across its settings, what mattered, and the way to the best."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from speaq.core.files import replacing_file
from speaq.training.tuning.report import Findings, Row, history
from speaq.training.tuning.vocabulary import Value, text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna.distributions import BaseDistribution

BLUE, GREY = "#1f5fa8", "#c8c8c8"


def plot(found: Findings) -> None:
    """Draw `plots/parallel.png`, `history.png` and, where it can be said, `importance.png`."""
    if found.best is None:
        return
    found.folder.joinpath("plots").mkdir(exist_ok=True)
    _save(found, "parallel", _parallel(found))
    _save(found, "history", _history(found))
    if found.importance:
        _save(found, "importance", _importance(found))


def _save(found: Findings, name: str, figure: "Figure") -> None:
    with replacing_file(found.folder / "plots" / f"{name}.png") as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _figure(width: float, height: float) -> "tuple[Figure, Any]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def heights(distribution: "BaseDistribution", values: Sequence[Value]) -> list[float]:
    """Where values stand on an axis from 0 to 1: choices in their order, ranges by size, or by
    ratio where they were drawn so."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(distribution, CategoricalDistribution):
        last = max(1, len(distribution.choices) - 1)
        return [distribution.choices.index(value) / last for value in values]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    scale = math.log if distribution.log else float
    low, high = scale(distribution.low), scale(distribution.high)
    return [(scale(float(value or 0)) - low) / ((high - low) or 1.0) for value in values]


def _parallel(found: Findings) -> "Figure":
    """One line per trial across its settings, ending at its value; the best one drawn over all."""
    figure, axis = _figure(1.9 * (len(found.space) + 1) + 1.5, 4)
    rows = [row for row in found.rows if row.value is not None and len(row.settings)]
    columns = [
        heights(distribution, [row.settings[name] for row in rows])
        for name, distribution in found.space.items()
    ]
    values = [float(row.value or 0.0) for row in rows]
    low, high = min(values), max(values)
    columns.append([(value - low) / ((high - low) or 1.0) for value in values])
    for index in reversed(range(len(rows))):
        goodness = columns[-1][index] if found.maximize else 1 - columns[-1][index]
        line = [column[index] for column in columns]
        axis.plot(line, color=BLUE if rows[index].within else GREY, alpha=0.15 + 0.6 * goodness**3)
    axis.plot([column[0] for column in columns], color="#d1495b", linewidth=2.2)
    _ends(axis, found, low, high)
    return figure


def _ends(axis: Any, found: Findings, low: float, high: float) -> None:
    """Label the axes: what stands at the bottom, what at the top; choices at their places."""
    from optuna.distributions import CategoricalDistribution

    for place, distribution in enumerate(found.space.values()):
        axis.axvline(place, color=GREY, linewidth=0.8)
        if isinstance(distribution, CategoricalDistribution):
            marks = list(distribution.choices)
        else:
            both = vars(distribution)
            marks = [both["low"], both["high"]]
        for mark, height in zip(marks, heights(distribution, marks), strict=True):
            _mark(axis, mark, place, height)
    last = len(found.space)
    axis.axvline(last, color=GREY, linewidth=0.8)
    for mark, height in ((low, 0.0), (high, 1.0)):
        _mark(axis, mark, last, height)
    axis.set_xticks(range(last + 1), [*found.space, found.metric])
    axis.set_yticks([])
    axis.set_xlim(-0.25, last + 0.35)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def _mark(axis: Any, value: Value, place: int, height: float) -> None:
    axis.annotate(
        f"{value:.3g}" if isinstance(value, float) else text_of(value),
        (place, height),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def _history(found: Findings) -> "Figure":
    """Values by trial and the best so far; below them, ticks for trials without a value."""
    figure, axis = _figure(6, 3.2)
    rows = history(found)
    numbers = [row["number"] for row in rows]
    axis.scatter(numbers, [row["value"] for row in rows], s=14, color=BLUE, alpha=0.6)
    axis.step(numbers, [row["best"] for row in rows], where="post", color="#d1495b")
    others: list[Row] = [row for row in found.rows if not row.within]
    for row in others:
        axis.axvline(row.number, ymax=0.03, color="#888888")
    axis.set_xlabel("trial")
    axis.set_ylabel(found.metric)
    axis.grid(alpha=0.25)
    return figure


def _importance(found: Findings) -> "Figure":
    """Which settings tell good trials from others."""
    names = list(reversed(found.importance))
    figure, axis = _figure(6, 0.9 + 0.35 * len(names))
    axis.barh(names, [found.importance[name] for name in names], color=BLUE)
    axis.set_xlabel("share (PED-ANOVA)")
    axis.set_xlim(0, 1)
    axis.grid(axis="x", alpha=0.25)
    return figure
