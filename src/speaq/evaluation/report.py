"""What the gate says: one row and one verdict for each β, as a table, a file and a picture."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from speaq.core.files import replacing_file, write_text
from speaq.core.language import say
from speaq.evaluation.estimate import Estimate, GateSettings

Verdict = Literal["promote", "refuse", "base"]


@dataclass(frozen=True)
class BetaRow:
    """One β: its estimate, and whether the evidence suffices."""

    estimate: Estimate
    verdict: Verdict
    reason_en: str
    reason_zh: str

    @property
    def reason(self) -> str:
        """Why, in the person's language."""
        return say(self.reason_en, self.reason_zh)


@dataclass(frozen=True)
class GateReport:
    """The gate's answer for a grid of β."""

    rows: tuple[BetaRow, ...]
    episodes: int
    prompts: int
    level: float
    recovered: bool
    """Some propensities were not logged and were recomputed from the base model, which is right
    only if that model, decoded in the same way, produced the log."""
    data: str
    """Fingerprint of the log."""
    decoding: dict[str, Any]
    estimator: str = "snips"
    """How rewards were predicted; see `off_policy`."""
    strangeness: float = 0.0
    """Nats a token by which recovered propensities are not those of what wrote the log; 0 if they
    may be."""

    @property
    def best_beta(self) -> float:
        """The β with the highest lower bound among those that may be promoted; 0 if none may."""
        passed = [row.estimate for row in self.rows if row.verdict == "promote"]
        return max(passed, key=lambda e: e.low).beta if passed else 0.0

    def row(self, beta: float) -> BetaRow:
        """The row of one β of the grid."""
        return next(row for row in self.rows if row.estimate.beta == beta)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `beta, predicted, low, high, gain, gain_low, ess, kl, verdict, reason_*`.

        An infinite divergence, which JSON has no number for, is None.
        """
        rows = [
            {
                **asdict(row.estimate),
                "kl": None if math.isinf(row.estimate.kl) else row.estimate.kl,
                "verdict": row.verdict,
                "reason_en": row.reason_en,
                "reason_zh": row.reason_zh,
            }
            for row in self.rows
        ]
        return {**asdict(self), "rows": rows, "best_beta": self.best_beta}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "GateReport":
        """The report that `to_dict` described."""
        rows = tuple(
            BetaRow(
                _estimate(row),
                row["verdict"],
                row["reason_en"],
                row["reason_zh"],
            )
            for row in record["rows"]
        )
        names = {field.name for field in fields(cls)} - {"rows"}
        # A report written before there was a choice names no estimator.
        return cls(rows=rows, **{name: record[name] for name in names & record.keys()})

    def save(self, folder: Path | str) -> None:
        """Write `gate.json` and `plots/gate.png` into `folder`."""
        folder = Path(folder)
        write_text(folder / "gate.json", json.dumps(self.to_dict(), indent=2, ensure_ascii=False))
        plot_gate(self, folder / "plots" / "gate.png")

    def __str__(self) -> str:
        """A table in the person's language."""
        percent = f"{self.level:.0%}"
        head = say(
            f"{'beta':>6} {'predicted':>10} {percent + ' interval':>20} {'episodes':>9} {'KL':>7}"
            f"  estimated by {self.estimator}",
            f"{'beta':>6} {'预测':>8} {percent + ' 区间':>18} {'有效样本':>5} {'KL':>7}"
            f"  估计方法 {self.estimator}",
        )
        lines = [head]
        for row in self.rows:
            e = row.estimate
            interval = f"[{e.low:.3f}, {e.high:.3f}]"
            lines.append(
                f"{e.beta:>6g} {e.predicted:>10.3f} {interval:>20} {e.ess:>9.0f} {e.kl:>7.2f}"
                f"  {row.reason}"
            )
        return "\n".join([*lines, *self._doubts()])

    def _doubts(self) -> list[str]:
        """What cannot be estimated from this log, if anything."""
        if not self.strangeness:
            return []
        nats = abs(self.strangeness)
        less = ("less", "低") if self.strangeness > 0 else ("more", "高")
        return [
            say(
                "The log holds no propensities, and its tokens are "
                f"{nats:.2f} nats {less[0]} likely than the base model's own would be: another "
                "model or decoding wrote them. What a candidate would earn cannot be estimated "
                "from it; the figures hold for the log's replies only. Give the gate the decoding "
                "of the log, a log with propensities, or one sampled from the base model.",
                "日志没有记录概率，且其词元的对数概率比基础模型自己采样时"
                f"{less[1]} {nats:.2f} nats：它们由其他模型或解码方式写成。"
                "由此无法估计候选模型的收益，以上数字只对日志中的回复成立。"
                "请给闸门日志所用的解码设置、带概率的日志，或由基础模型采样的日志。",
            )
        ]


def _estimate(row: Mapping[str, Any]) -> Estimate:
    values = {field.name: row[field.name] for field in fields(Estimate)}
    return Estimate(**{**values, "kl": math.inf if values["kl"] is None else values["kl"]})


def judge(
    estimates: Iterable[Estimate], episodes: int, settings: GateSettings
) -> Sequence[BetaRow]:
    """A verdict for each estimate: promote where the evidence suffices, else refuse and say why."""
    needed = max(settings.least_episodes, settings.least_share * episodes)
    return [_judge(estimate, needed, settings) for estimate in estimates]


def _judge(e: Estimate, needed: float, settings: GateSettings) -> BetaRow:
    if e.beta == 0:
        return BetaRow(e, "base", "the base model", "基础模型")
    if math.isinf(e.kl):
        return BetaRow(
            e,
            "refuse",
            "not promoted: it says things that the log could not hold, because top-k or top-p cut "
            "them off; a log drawn without either can tell",
            "不予发布：它会说出日志因 top-k 或 top-p 截断而不可能包含的内容；"
            "未作截断的日志才能评估",
        )
    if e.ess < needed:
        return BetaRow(
            e,
            "refuse",
            f"not promoted: the log stands for only {e.ess:.0f} replies of this policy, "
            f"{needed:.0f} are needed",
            f"不予发布：日志只相当于该策略的 {e.ess:.0f} 条回复，至少需要 {needed:.0f} 条",
        )
    if e.gain_low <= 0:
        return BetaRow(
            e,
            "refuse",
            f"not promoted: the gain could be as low as {e.gain_low:+.3f}",
            f"不予发布：收益可能低至 {e.gain_low:+.3f}",
        )
    if e.kl > settings.most_kl:
        return BetaRow(
            e,
            "refuse",
            f"not promoted: {e.kl:.2f} nats from the base model, "
            f"at most {settings.most_kl:g} allowed",
            f"不予发布：与基础模型相距 {e.kl:.2f} nats，上限为 {settings.most_kl:g}",
        )
    return BetaRow(
        e,
        "promote",
        f"may be promoted: gain of at least {e.gain_low:+.3f}",
        f"可以发布：收益至少 {e.gain_low:+.3f}",
    )


def plot_gate(report: GateReport, path: Path) -> None:
    """Predicted reward with its interval over β, and over KL; refused β are hollow."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, name in zip(figure.subplots(1, 2, sharey=True), ("beta", "kl"), strict=True):
        for row in report.rows:
            e = row.estimate
            good = row.verdict != "refuse"
            axis.errorbar(
                vars(e)[name],
                e.predicted,
                yerr=[[max(0.0, e.predicted - e.low)], [max(0.0, e.high - e.predicted)]],
                fmt="o",
                capsize=3,
                color="#1f5fa8" if good else "#9a9a9a",
                markerfacecolor="#1f5fa8" if good else "white",
            )
            axis.annotate(
                f"{e.beta:g}", (vars(e)[name], e.high), (0, 3), textcoords="offset points",
                ha="center", fontsize=8, color="#555555",
            )  # fmt: skip
        axis.set_xlabel("β" if name == "beta" else "KL from the base model, nats per episode")
        axis.grid(alpha=0.25)
        axis.axhline(report.rows[0].estimate.predicted, color="#c05020", lw=1, ls="--")
    figure.axes[0].set_ylabel(f"predicted reward, {report.level:.0%} interval")
    figure.axes[0].set_title("numbers: β; filled: may be promoted", fontsize=9, loc="left")
    with replacing_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
