"""A fresh process on an index: how soon it answers, how fast, in how much memory.

Run by `retrieval.py --scale`: `python benchmarks/retrieval_restart.py INDEX QUESTIONS.json` prints
one object. It imports what a question needs, and nothing else.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

from speaq.apps.answer.documents import Part
from speaq.apps.answer.index import Index
from speaq.apps.answer.searching import Search
from speaq.apps.answer.segments import Document

NEW = "A new document about pumps. 关于水泵的新文档。" * 20


def main(folder: Path, asked: list[str]) -> dict[str, float]:
    now = time.process_time
    begun = now()
    search = Search(Index(folder))
    search.find(asked[0], 5)
    restart = now() - begun
    seconds = []
    for question in asked:
        begun = now()
        search.find(question, 5)
        seconds.append(now() - begun)
    peak = peak_megabytes()
    begun = now()
    search.index.add([(Document("new", "", ""), [Part(NEW)])])
    added = now() - begun
    begun = now()
    search.index.remove(["new"])
    return {
        "restart": restart,
        "p95_ms": float(np.percentile(seconds, 95) * 1000),
        "peak_mb": peak,
        "add": added,
        "remove": now() - begun,
    }


def peak_megabytes() -> float:
    """Of this program; getrusage would tell that of the process it was started from, too."""
    [line] = [
        line
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    questions = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps(main(Path(sys.argv[1]), questions)))
