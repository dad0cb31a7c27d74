"""How long `speaq --help` takes, beside an empty Python program run in turn with it.

    python benchmarks/help_speed.py --seeds 0 1 2 --runs 20 --json FILE

One row per seed (a repetition): the fastest of `--runs` runs of each, and their ratio. A machine
that does other things slows both; the fastest run is the one it disturbed least. The target is
`help_seconds` below 0.3.
"""

import subprocess
import sys
import time

from report import parser, write

TARGET = 0.3
HELP = [sys.executable, "-c", "from speaq.cli import main; raise SystemExit(main(['--help']))"]
EMPTY = [sys.executable, "-c", "pass"]


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=20)
    arguments = options.parse_args()
    rows = []
    for seed in arguments.seeds:
        pairs = [(seconds(HELP), seconds(EMPTY)) for _ in range(arguments.runs)]
        asked, empty = (min(column) for column in zip(*pairs, strict=True))
        rows.append(
            {
                "seed": seed,
                "help_seconds": asked,
                "python_seconds": empty,
                "ratio": asked / empty,
            }
        )
    write(arguments, rows)
    print(f"target: help_seconds < {TARGET}")


if __name__ == "__main__":
    main()
