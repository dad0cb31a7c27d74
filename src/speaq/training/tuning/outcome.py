"""How a trial ended, and why."""

from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from speaq.core.language import say

State = Literal["complete", "pruned", "failed"]
Reason = Literal[
    "", "pruned", "minutes", "interrupted", "memory", "disk", "model", "crashed", "value"
]
RESUMABLE = ("minutes", "interrupted")
"""What stopped a trial through no fault of its own: it is continued."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Args:
        state: `complete` with a value; `pruned`, or above a limit; `failed`, or stopped by someone.
        reason: why not complete, or why it cannot be best.
        detail: a figure or the last thing that was said.
        values: by seed, in order.
        seconds: at work, all seeds together.
        megabytes: `memory` at its highest, `run` on disk, `model` on disk.
        excess: by limit, megabytes above it; a trial above a limit cannot be best.
    """

    state: State
    reason: Reason = ""
    detail: str = ""
    values: tuple[float, ...] = ()
    seconds: float = 0.0
    megabytes: dict[str, float] = field(default_factory=dict)
    excess: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return fmean(self.values)

    def attributes(self) -> dict[str, Any]:
        """What is recorded beside the value."""
        return {
            "reason": self.reason,
            "detail": self.detail,
            "values": list(self.values),
            "seconds": self.seconds,
            "megabytes": self.megabytes,
        }


def because(reason: str | None, detail: str) -> str:
    """A reason in the person's language; None is a process that died without a word."""
    texts = {
        None: say("its process died", "进程已终止"),
        "": "",
        "pruned": say("not worth finishing", "不值得继续"),
        "minutes": say("out of time", "时间用尽"),
        "interrupted": say("interrupted", "已中断"),
        "memory": say("too much memory", "内存超限"),
        "disk": say("too much disk", "磁盘超限"),
        "model": say("model too large", "模型过大"),
        "crashed": say("ended with an error", "出错退出"),
        "value": say("no value", "没有结果"),
    }
    return f"{texts[reason]}: {detail}" if detail else texts[reason]
