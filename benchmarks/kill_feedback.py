"""Is acknowledged feedback still there after `kill -9`, and what does that cost?

A writer process appends episodes and feedback from many threads and reports each one when the
store has acknowledged it. It is killed at a random moment; the store is reopened and every
acknowledged record must be there, once, with its content. The same is done to a control that
reports before the store has acknowledged: a harness that finds nothing lost there is blind.

Then the speed: records acknowledged per second from 16 threads that share commits, beside one
thread with a commit for each record, alternating in one run.

Not covered: loss of power. `kill -9` leaves what the operating system holds; the full sync of
every commit is for power, and is checked by reading the setting back, not by pulling a plug.
"""

import argparse
import os
import queue
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from report import parser, write

from speaq.core.progress import bar
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.store import ExperienceStore

THREADS = 16
SHORTEST, LONGEST = 0.0, 0.4
"""Seconds of writing before the kill."""


def episode(name: str) -> Episode:
    """The episode of this name: its content follows from the name, so it can be checked."""
    turns = (Turn("observation", f"问题 {name}"), Turn("action", f"reply to {name} " * 5))
    return Episode(turns, id=name, time=1.0, subject=f"person-{name}")


def event(name: str) -> Feedback:
    return Feedback("thumb", len(name) % 2 == 0, 2.0, f"user of {name}", f"key-{name}")


def write_until_killed(path: Path, prefix: str, early: bool) -> None:
    """The writer: one line per acknowledged record, `e NAME` or `f NAME`."""
    store = ExperienceStore(path)

    def say(line: str) -> None:
        # Shorter than a pipe's atomic size: lines of several threads do not mix.
        os.write(1, f"{line}\n".encode())

    def work(thread: int) -> None:
        for number in count():
            name = f"{prefix}-{thread}-{number}"
            acts: tuple[tuple[str, Callable[[], Any]], ...] = (
                (f"e {name}", lambda name=name: store.append(episode(name))),
                (f"f {name}", lambda name=name: store.add_feedback(name, event(name))),
            )
            for line, act in acts:
                if early:
                    say(line)
                act()
                if not early:
                    say(line)

    say("ready")
    for thread in range(THREADS):
        threading.Thread(target=work, args=(thread,), daemon=True).start()
    threading.Event().wait()


def one_kill(path: Path, prefix: str, early: bool, seconds: float) -> list[str]:
    """Start a writer, kill it after so many seconds of writing; what it acknowledged."""
    mode = "early" if early else "honest"
    command = [sys.executable, __file__, "--writer", str(path), prefix, mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    if process.stdout is None or process.stdout.readline() != b"ready\n":
        raise SystemExit("the writer did not start")
    lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    # The pipe is emptied while the writer writes, or it would block instead of writing.
    reader = threading.Thread(
        target=lambda stream: lines.put(stream.read().decode().splitlines()),
        args=(process.stdout,),
    )
    reader.start()
    time.sleep(seconds)
    process.kill()
    process.wait()
    reader.join()
    return lines.get()


def count_faults(path: Path, acknowledged: list[str]) -> Counter[str]:
    """How many acknowledged records are lost, there twice, or changed."""
    faults: Counter[str] = Counter()
    with sqlite3.connect(path) as connection:
        stored = Counter(name for (name,) in connection.execute("SELECT id FROM episodes"))
        said = Counter(connection.execute("SELECT episode, key FROM feedback"))
    connection.close()
    with ExperienceStore(path) as store:
        for line in acknowledged:
            kind, name = line.split(" ", 1)
            times = stored[name] if kind == "e" else said[name, f"key-{name}"]
            found = store.get(name)
            faults["lost"] += times == 0
            faults["doubled"] += times > 1
            if times and kind == "e":
                faults["changed"] += found is None or found.turns != episode(name).turns
            elif times:
                faults["changed"] += found is None or found.feedback != (event(name),)
    return faults


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return str(answer)


def kills(case: str, how_many: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill so many writers of one store, check after each and everything once more at the end."""
    early = case != "acknowledged after commit"
    path = folder / f"{seed}-{early}.db"
    # The tables are made before, so that every kill lands in writing.
    ExperienceStore(path).close()
    delays = random.Random(seed)
    everything: list[str] = []
    faults: Counter[str] = Counter()
    reopening = []
    answers = set()
    with bar(f"kill -9, {case}", how_many) as shown:
        for number in range(how_many):
            seconds = delays.uniform(SHORTEST, LONGEST)
            acknowledged = one_kill(path, f"{seed}-{number}", early, seconds)
            start = time.perf_counter()
            ExperienceStore(path).close()
            reopening.append(time.perf_counter() - start)
            faults += count_faults(path, acknowledged)
            answers.add(integrity(path))
            everything += acknowledged
            shown.advance()
    at_end = count_faults(path, everything)
    return {
        "seed": seed,
        "case": case,
        "kills": how_many,
        "acknowledged": len(everything),
        **{fault: max(faults[fault], at_end[fault]) for fault in ("lost", "doubled", "changed")},
        "integrity": " ".join(sorted(answers)),
        "reopening_ms": 1000 * max(reopening),
    }


def records_per_second(path: Path, threads: int, seconds: float) -> float:
    """Feedback events acknowledged per second by so many threads."""
    with ExperienceStore(path) as store:
        done = [0] * threads
        start = time.perf_counter()
        until = start + seconds

        def work(thread: int) -> None:
            while time.perf_counter() < until:
                store.add_feedback("e", Feedback("score", 1.0, id=f"{thread}-{done[thread]}"))
                done[thread] += 1

        workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return sum(done) / (time.perf_counter() - start)


def speed(repeats: int, seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Shared commits beside one commit for each record; the ratio of each pair of runs."""
    single, shared = [], []
    with bar("records per second", repeats) as shown:
        for number in range(repeats):
            single.append(records_per_second(folder / f"one-{seed}-{number}.db", 1, seconds))
            shared.append(records_per_second(folder / f"all-{seed}-{number}.db", THREADS, seconds))
            shown.advance()
    ratios = [many / one for many, one in zip(shared, single, strict=True)]
    return {
        "seed": seed,
        "case": f"group commit, {THREADS} threads beside 1",
        "records_per_second": median(shared),
        "single_per_second": median(single),
        "ratio": median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }


def run(arguments: argparse.Namespace) -> None:
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for seed in arguments.seeds:
            rows.append(kills("acknowledged after commit", arguments.kills, seed, Path(name)))
            rows.append(kills("control: before", arguments.controls, seed, Path(name)))
            rows.append(speed(arguments.repeats, arguments.seconds, seed, Path(name)))
    write(arguments, rows)
    if any(row["lost"] + row["doubled"] + row["changed"] for row in rows[::3]):
        raise SystemExit("acknowledged records were lost, doubled or changed")
    if not all(row["lost"] for row in rows[1::3]):
        raise SystemExit("the control lost nothing: this harness would not notice a loss")


def main() -> None:
    if sys.argv[1:2] == ["--writer"]:
        path, prefix, mode = sys.argv[2:]
        write_until_killed(Path(path), prefix, early=mode == "early")
    options = parser(__doc__)
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--controls", type=int, default=10, help="kills of the control")
    options.add_argument("--repeats", type=int, default=5, help="pairs of runs for the speed")
    options.add_argument("--seconds", type=float, default=2.0, help="of each of those runs")
    options.add_argument("--folder", help="where to put the stores; a local disk")
    run(options.parse_args())


if __name__ == "__main__":
    main()
