"""The measured figures as Markdown, from the files in benchmarks/results.

    python benchmarks/table.py
    python benchmarks/table.py --write docs/figures.md

Each file gives one table: its rows, or, where several seeds were run, means with 95 % intervals.
`--write` puts the tables between `<!-- figures -->` and `<!-- end of figures -->` of each file.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from report import summary

from speaq.core.files import write_text

HERE = Path(__file__).parent
RESULTS = HERE / "results"
START, END = "<!-- figures -->", "<!-- end of figures -->"


def command(name: str, settings: dict[str, Any]) -> str:
    """The command line that makes a result; one script may make several, `reading_chinese` say."""
    while not (HERE / f"{name}.py").exists():
        name = name.rpartition("_")[0]
    words = ["python", f"benchmarks/{name}.py"]
    for option, value in settings.items():
        flag = "--" + option.replace("_", "-")
        if value is True:
            words.append(flag)
        elif value not in (None, False, [], ""):
            values = value if isinstance(value, list) else [value]
            words += [flag, *map(str, values)]
    return shlex.join(words)


def section(name: str, record: dict[str, Any]) -> str:
    """One result: its command, its machine, its table."""
    rows = summary(record["results"]) or record["results"]
    names = list(dict.fromkeys(key for row in rows for key in row))
    machine = record["machine"]
    about = f"{machine['cores']} CPU cores, torch {machine['torch']}"
    lines = [
        f"**{name.replace('_', ' ')}** · `{command(name, record['settings'])}` · {about}",
        "",
        "| " + " | ".join(key.replace("_", " ") for key in names) + " |",
        "|" + "---|" * len(names),
        *("| " + " | ".join(cell(row.get(key, "")) for key in names) + " |" for row in rows),
    ]
    return "\n".join(lines)


def cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def put(text: str, figures: str) -> str:
    """`text` with what stands between the marks replaced."""
    before, _, rest = text.partition(START)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"the file needs the lines {START} and {END}")
    return f"{before}{START}\n\n{figures}\n\n{END}{after}"


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--write", type=Path, nargs="*", default=[])
    arguments = options.parse_args()
    found = sorted(RESULTS.glob("*.json"))
    figures = "\n\n".join(section(f.stem, json.loads(f.read_text(encoding="utf-8"))) for f in found)
    print(figures or f"no results in {RESULTS}")
    for file in arguments.write:
        write_text(file, put(file.read_text(encoding="utf-8"), figures))


if __name__ == "__main__":
    main()
