"""What every benchmark shares: --seeds and --json, the machine, a table with intervals."""

import argparse
import json
import math
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from speaq.core.files import write_text

PLACES = ("json", "folder", "cache", "peer_python")
"""Options that say where files go: they are this machine's affair and change no figure."""

CASES = ("beta", "degree", "length", "steps")
"""Numbers that say which case a row is of, rather than what was measured."""

T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t for 95 %, by degrees of freedom from 1."""


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options every benchmark has: `--seeds 0 1 2 --json FILE`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--json", type=Path, help="where to write settings, machine and rows")
    return made


def present(root: Path, places: Mapping[str, str]) -> list[str]:
    """The names whose place below `root` is there; of the others it is said that they are not."""
    found = []
    for name, place in places.items():
        if (root / place).exists():
            found.append(name)
        else:
            print(f"skipped: {root / place} is not here; name its folder by --root")
    return found


def clock(threads: int) -> Callable[[], float]:
    """What to take seconds with: on one thread the CPU's own, which a busy machine does not
    stretch as it does those on the wall; on several the wall's, as waiting threads may spin."""
    return time.process_time if threads == 1 else time.perf_counter


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "numpy")},
    }


def write(arguments: argparse.Namespace, rows: Sequence[dict[str, Any]]) -> None:
    """Print the rows, then means with 95 % intervals over seeds; write `--json` if asked."""
    _table(rows)
    means = summary(rows)
    if means:
        print()
        _table(means)
    if arguments.json is not None:
        settings = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(arguments).items()
            if name not in PLACES
        }
        record = {"settings": settings, "machine": machine(), "results": list(rows)}
        write_text(arguments.json, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows alike in every text and in `CASES` belong together; their numbers are averaged."""
    groups = defaultdict(list)
    for row in rows:
        key = tuple((n, v) for n, v in row.items() if isinstance(v, str) or n in CASES)
        groups[key].append(row)
    made = []
    for key, members in groups.items():
        if len(members) > 1:
            numbers = [n for n in members[0] if n != "seed" and n not in dict(key)]
            made.append({**dict(key), **{n: _interval([m[n] for m in members]) for n in numbers}})
    return made


def _interval(values: Sequence[Any]) -> str:
    count = len(values)
    t = T95[count - 2] if count - 2 < len(T95) else 1.96
    return f"{mean(values):.4g} ± {t * stdev(values) / math.sqrt(count):.2g}"


def _table(rows: Sequence[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names] + [[_cell(row.get(name, "")) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    sys.stdout.flush()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
