"""Several policies side by side: one table, one picture."""

import json
from collections.abc import Mapping
from pathlib import Path

from speaq.core.files import replacing_file
from speaq.core.language import say
from speaq.evaluation.estimate import Estimate
from speaq.evaluation.measure import Measured
from speaq.evaluation.report import GateReport


def table(rows: Mapping[str, tuple[Measured, float]], report: GateReport) -> str:
    """A text table.

    Args:
        rows: for each policy its figures and the seconds it took to make.
        report: what the gate had predicted, shown beside what is guided or folded at its β.
    """
    head = [
        say("policy", "策略"),
        say("reward [95 %]", "奖励 [95 %]"),
        say("KL, nats", "KL（nats）"),
        say("gate had predicted [95 %]", "闸门预测 [95 %]"),
        say("seconds", "秒"),
    ]
    lines = [head]
    for name, (measured, seconds) in rows.items():
        predicted = ""
        if name.startswith(("guided", "folded")) or name == "base":
            e = report.row(0.0 if name == "base" else report.best_beta).estimate
            low, high = foreseen(e, report.prompts, measured.prompts)
            predicted = f"{e.predicted:.3f} [{low:.3f}, {high:.3f}]"
        lines.append(
            [
                name,
                f"{measured.reward:.3f} [{measured.low:.3f}, {measured.high:.3f}]",
                f"{measured.kl:.2f}",
                predicted,
                f"{seconds:.0f}",
            ]
        )
    first = next(iter(rows.values()))[0]
    note = say(
        f"{first.replies} replies to {first.prompts} unseen prompts each; intervals are bootstraps "
        "over prompts. The gate's is for a measurement on as many new prompts.",
        f"每种策略对 {first.prompts} 个未见提示各采样共 {first.replies} 条回复；"
        "区间按提示自助抽样。闸门的区间针对在同样多的新提示上的一次测量。",
    )
    return f"{_aligned(lines)}\n\n{note}"


def foreseen(estimate: Estimate, logged: int, measured: int) -> tuple[float, float]:
    """The interval for the mean over `measured` new prompts, of an estimate from `logged` ones.

    An estimate's own interval is about the mean over all prompts there are. A measurement on a
    few of them has their luck on top, which is of the same kind: its variance is larger by the
    factor 1 + logged / measured.
    """
    wider = (1 + logged / measured) ** 0.5
    return (
        estimate.predicted - wider * (estimate.predicted - estimate.low),
        estimate.predicted + wider * (estimate.high - estimate.predicted),
    )


def _aligned(lines: list[list[str]]) -> str:
    widths = [max(_width(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([padded[0], "-" * _width(padded[0]), *padded[1:]])


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    from rich.cells import cell_len

    return cell_len(text)


def plot_arms(rows: Mapping[str, Measured], folder: Path) -> None:
    """Reward against KL for every policy, with intervals, as `front.png`; figures as JSON."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for name, measured in rows.items():
        bars = [[measured.reward - measured.low], [measured.high - measured.reward]]
        axis.errorbar(measured.kl, measured.reward, yerr=bars, fmt="o", capsize=3, label=name)
    axis.set_xlabel("KL from the base model, nats per reply")
    axis.set_ylabel("measured reward, 95 % interval")
    axis.grid(alpha=0.25)
    axis.legend(loc="best", fontsize=8)
    with replacing_file(folder / "front.png") as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    with replacing_file(folder / "front.json") as temporary:
        temporary.write_text(json.dumps({name: vars(row) for name, row in rows.items()}, indent=1))
