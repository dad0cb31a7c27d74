"""speaq translate latency: how far simultaneous translations lag, from SimulEval's logs.

zh: 由 SimulEval 日志计算同传延迟。
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from speaq.cli.options import parse

ABOUT = (
    "AL, LAAL, AP and DAL of logs in SimulEval's form, a line each.",
    "计算 SimulEval 格式日志的 AL、LAAL、AP 与 DAL，每个日志一行。",
)


@dataclass(frozen=True)
class LatencyOf:
    """Options of `speaq translate latency`."""

    logs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of instances."""
    unit: Literal["word", "char"] = "word"
    """What the target is counted in."""


def main(args: list[str]) -> None:
    """Run the action with its command line."""
    options = parse(LatencyOf, args, "translate latency", ABOUT)
    from speaq.apps.translate.live.latency import latency, read_log

    for path in options.logs:
        found = latency(read_log(path, options.unit), options.unit)
        print(json.dumps({"log": str(path), **asdict(found)}, ensure_ascii=False))
