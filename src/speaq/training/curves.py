"""Learning curves as a picture: every figure a run logged, against its step."""

from itertools import chain

from speaq.core.files import replacing_file
from speaq.core.runs import RunFolder


def plot_curves(run: RunFolder) -> None:
    """Draw `plots/curves.png` from the run's metrics; nothing if none were logged."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = list(run.metrics())
    if not rows:
        return
    names = [name for name in dict.fromkeys(chain.from_iterable(rows)) if name != "step"]
    figure = Figure(figsize=(3.6 * len(names), 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axis.plot(*zip(*points, strict=True), color="#1f5fa8")
        axis.set_title(name)
        axis.set_xlabel("step")
        axis.grid(alpha=0.25)
    with replacing_file(run.plots / "curves.png") as temporary:
        figure.savefig(temporary, dpi=110, format="png")
