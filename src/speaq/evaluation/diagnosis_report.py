"""A diagnosis as files and pictures: numbers, one figure, and the credit as a page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speaq.core.files import replacing_file, write_text
from speaq.core.language import say
from speaq.evaluation.credit import page
from speaq.evaluation.diagnosis import Diagnosis, Guided
from speaq.evaluation.diagnostics import Bin

_BLUE, _ORANGE, _GREY = "#1f5fa8", "#c05020", "#9a9a9a"


def save(found: Diagnosis, folder: Path | str) -> None:
    """Write `diagnosis.json`, `plots/diagnosis.png` and `plots/credit.html` into `folder`."""
    folder = Path(folder)
    text = json.dumps(found.to_dict(), indent=2, ensure_ascii=False)
    write_text(folder / "diagnosis.json", text)
    plot(found, folder / "plots" / "diagnosis.png")
    write_text(folder / "plots" / "credit.html", page(found.credit, _largest(found)))


def _largest(found: Diagnosis) -> float:
    return found.policies[-1].beta


def summary(found: Diagnosis) -> str:
    """The figures in words, in the person's language; one line each."""
    lines = [_calibrated(found)]
    if found.lag is not None:
        lines.append(
            say(
                f"target network: {found.lag.distance:.3g} behind, {found.lag.share:.0%} of the "
                "spread of Q",
                f"目标网络：落后 {found.lag.distance:.3g}，为 Q 离散程度的 {found.lag.share:.0%}",
            )
        )
    lines.append(
        say(
            f"actions: {found.distinct} different tokens logged, as many as {found.effective:.0f} "
            "equally frequent ones",
            f"动作：日志含 {found.distinct} 种词元，相当于 {found.effective:.0f} 种等频词元",
        )
    )
    lines += [_guided(row) for row in found.policies]
    if found.refused is not None:
        lines.append(say(*found.refused))
    return "\n".join(lines)


def _calibrated(found: Diagnosis) -> str:
    c = found.calibration
    if c is None:
        return say(
            f"what {found.algorithm} learns is no prediction of returns; nothing to calibrate",
            f"{found.algorithm} 学到的不是对回报的预测，无从校准",
        )
    return say(
        f"Q against returns, {found.tokens} tokens of {found.episodes} episodes: slope "
        f"{c.slope:.2f}, correlation {c.correlation:.2f}, R² {c.explained:.2f}, over-estimation "
        f"{c.gap:+.3g} ± {c.gap_error:.2g}",
        f"Q 与回报（{found.episodes} 个片段的 {found.tokens} 个词元）：斜率 {c.slope:.2f}，"
        f"相关 {c.correlation:.2f}，R² {c.explained:.2f}，高估 {c.gap:+.3g} ± {c.gap_error:.2g}",
    )


def _guided(row: Guided) -> str:
    e = row.estimate
    told = ("", "")
    if e is not None:
        interval = f"{e.predicted:.3f} [{e.low:.3f}, {e.high:.3f}]"
        told = f"reward {interval}, KL {e.kl:.2f}, ", f"奖励 {interval}，KL {e.kl:.2f}，"
    return say(
        f"beta {row.beta:g}: {told[0]}entropy {row.entropy:.2f} ({row.effective:.1f} tokens), "
        f"{row.covered:.0%} of its choices logged",
        f"beta {row.beta:g}：{told[1]}熵 {row.entropy:.2f}（{row.effective:.1f} 个词元），"
        f"其选择有 {row.covered:.0%} 见于日志",
    )


def plot(found: Diagnosis, path: Path) -> None:
    """Calibration by value and by place, reward against KL, and entropy with coverage over β."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    value, place, front, spread = figure.subplots(2, 2).flat
    _by_value(value, found.by_value)
    _by_place(place, found)
    _front(front, found.policies)
    _spread(spread, found)
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def _by_value(axis: Any, bins: Sequence[Bin]) -> None:
    axis.set_title("calibration: dashed if predictions are right", fontsize=9, loc="left")
    axis.set_xlabel("predicted, Q(s, a)")
    axis.set_ylabel("received, with standard error")
    if not bins:
        _nothing(axis)
        return
    ends = [each.predicted for each in bins] + [each.received for each in bins]
    line = [min(ends), max(ends)]
    axis.plot(line, line, color=_GREY, ls="--", lw=1)
    _points(axis, [each.predicted for each in bins], bins, _BLUE)
    axis.grid(alpha=0.25)


def _by_place(axis: Any, found: Diagnosis) -> None:
    axis.set_title("by place in the reply", fontsize=9, loc="left")
    axis.set_xlabel("action tokens before")
    if not found.by_place:
        _nothing(axis)
        return
    middles = [(each.low + each.high) / 2 for each in found.by_place]
    predicted = [each.predicted for each in found.by_place]
    axis.plot(middles, predicted, "s--", color=_ORANGE, label="predicted", markersize=4)
    _points(axis, middles, found.by_place, _BLUE)
    axis.plot([], [], "o", color=_BLUE, label="received")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.25)


def _points(axis: Any, where: Sequence[float], bins: Sequence[Bin], colour: str) -> None:
    received, errors = [each.received for each in bins], [each.error for each in bins]
    axis.errorbar(where, received, yerr=errors, fmt="o", capsize=3, color=colour, markersize=4)


def _nothing(axis: Any, why: str = "no predictions of returns") -> None:
    axis.text(0.5, 0.5, why, ha="center", transform=axis.transAxes)


def _front(axis: Any, policies: Sequence[Guided]) -> None:
    rows = [row.estimate for row in policies if row.estimate is not None]
    if not rows:
        _nothing(axis, "the log cannot tell")
    for e in rows:
        bounds = [[max(0.0, e.predicted - e.low)], [max(0.0, e.high - e.predicted)]]
        axis.errorbar(e.kl, e.predicted, yerr=bounds, fmt="o", capsize=3, color=_BLUE, markersize=4)
        axis.annotate(
            f"{e.beta:g}", (e.kl, e.high), (0, 3), textcoords="offset points", ha="center",
            fontsize=8, color="#555555",
        )  # fmt: skip
    axis.plot([e.kl for e in rows], [e.predicted for e in rows], color=_BLUE, lw=0.8)
    axis.margins(y=0.12)  # room for the numbers
    axis.set_title("reward the gate predicts; numbers: β", fontsize=9, loc="left")
    axis.set_xlabel("KL from the base model, nats per episode")
    axis.grid(alpha=0.25)


def _spread(axis: Any, found: Diagnosis) -> None:
    names = [f"{row.beta:g}" for row in found.policies]
    axis.plot(names, [row.effective for row in found.policies], "o-", color=_BLUE)
    axis.set_ylabel("exp(entropy), tokens a place", color=_BLUE)
    axis.set_ylim(0, 1.1 * max(row.effective for row in found.policies))
    other = axis.twinx()
    other.plot(names, [row.covered for row in found.policies], "s--", color=_ORANGE, markersize=4)
    other.set_ylim(0, 1.1)
    other.set_ylabel("share on tokens ever logged", color=_ORANGE)
    axis.set_title("choice left, and how much of it the log knows", fontsize=9, loc="left")
    axis.set_xlabel("β")
    axis.grid(alpha=0.25)
