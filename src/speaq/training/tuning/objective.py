"""The value of a run folder: a figure it logged, what the gate predicts, or a user's function."""

import difflib
import json
import math
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from speaq.core import registry
from speaq.core.errors import SettingsError, SpeaqError
from speaq.core.files import write_text
from speaq.training.tuning.child import LEASHED
from speaq.training.tuning.follow import rows
from speaq.training.tuning.settings import GoalSettings

JUDGE = f"{LEASHED}; from speaq.training.tuning.objective import main; main()"


@dataclass(frozen=True)
class NoValue(Exception):  # noqa: N818  not an error of the program: a trial without a result
    """A run that left no value."""

    why: str


def require_findable(goal: GoalSettings) -> None:
    """Refuse a `module:function` whose module there is not, before any work.

    Raises:
        SettingsError: no such module.
    """
    module = goal.metric.partition(":")[0]
    if goal.by_function and find_spec(module.partition(".")[0]) is None:
        raise SettingsError(
            f"--metric {goal.metric}: there is no module '{module}' on the Python path.",
            f"--metric {goal.metric}：Python 路径中没有模块“{module}”。",
        )


def judge_command(goal: GoalSettings, run: Path, file: Path) -> list[str]:
    """The process that asks a user's function about a run folder and writes what it says."""
    return [sys.executable, "-c", JUDGE, goal.metric, str(run), str(file)]


def main() -> None:
    """The judging process: `METRIC RUN FILE`."""
    metric, run, file = sys.argv[1:]
    try:
        value = float(registry.load("objectives", metric)(Path(run)))
    except SpeaqError as error:
        print(f"speaq: {error}", file=sys.stderr)  # noqa: T201  this is a process's last word
        raise SystemExit(2) from error
    write_text(Path(file), json.dumps({"value": value}))


def value_of(goal: GoalSettings, run: Path, judged: Path) -> float:
    """The value of a run that has ended.

    Args:
        goal: what is asked.
        run: the run folder.
        judged: the file the judging process wrote, for a user's function.

    Raises:
        NoValue: there is none, or it is not finite.
        SettingsError: the run logged figures, but none of that name.
    """
    if goal.by_metrics:
        value = _logged(goal, run)
    elif goal.by_function:
        value = float(json.loads(judged.read_text(encoding="utf-8"))["value"])
    else:
        value = _predicted(goal, run / "model" / "gate.json")
    if not math.isfinite(value):
        raise NoValue(f"{goal.metric} = {value}")
    return value


def _logged(goal: GoalSettings, run: Path) -> float:
    found = rows(run)
    values = [row[goal.figure] for row in found if goal.figure in row]
    if values:
        best = max if goal.maximize else min
        return float(best(values) if goal.take == "best" else values[-1])
    names = sorted({name for row in found for name in row} - {"step"})
    near = difflib.get_close_matches(goal.figure, names, n=1)
    hint_en = f"did you mean '{near[0]}'?" if near else f"it logs {', '.join(names) or 'nothing'}."
    hint_zh = f"是否想用“{near[0]}”？" if near else f"已记录：{'、'.join(names) or '无'}。"
    raise SettingsError(
        f"--metric {goal.metric}: the run {run} logs no such figure; {hint_en} Search with another "
        "--folder.",
        f"--metric {goal.metric}：运行 {run} 未记录该指标；{hint_zh}请换一个 --folder 重新搜索。",
    )


def _predicted(goal: GoalSettings, file: Path) -> float:
    """A figure of the row of the β that the gate would promote; of β = 0 if it promotes none."""
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    rows = {row["beta"]: row for row in report["rows"]}
    return float(rows[report["best_beta"]][goal.figure])
