"""speaq answer: ask your own documents, with the places of every word that is quoted.

zh: 就您自己的文档提问，引文均注明出处。
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from speaq.cli.actions import act
from speaq.cli.answer_options import (
    ADD,
    ASK,
    CALIBRATE,
    ENCODER,
    EVALUATE,
    INDEX,
    LIST,
    RANK,
    REMOVE,
    SEARCH,
    SET,
    Ask,
    Calibrate,
    Changed,
    Documents,
    Evaluate,
    IndexDocuments,
    Listed,
    Names,
    Rank,
    Sought,
    TuneEncoder,
)
from speaq.cli.options import parse
from speaq.core.language import say

if TYPE_CHECKING:
    from speaq.apps.answer.domain import Domain
    from speaq.apps.application import Answer


def main(args: list[str]) -> None:
    """Run the verb with its command line."""
    actions = {
        "index": (_index, INDEX),
        "add": (_add, ADD),
        "remove": (_remove, REMOVE),
        "list": (_list, LIST),
        "set": (_set, SET),
        "search": (_search, SEARCH),
        "ask": (_ask, ASK),
        "calibrate": (_calibrate, CALIBRATE),
        "evaluate": (_evaluate, EVALUATE),
        "rank": (_rank, RANK),
        "encoder": (_encoder, ENCODER),
    }
    act("answer", actions, args)


def _index(args: list[str]) -> None:
    options = parse(IndexDocuments, args, "answer index", INDEX)
    from speaq.apps.answer.building import index

    _indexed(
        options.folder, index(options.folder, options.documents, options.index, options.answer)
    )


def _add(args: list[str]) -> None:
    options = parse(Documents, args, "answer add", ADD)
    from speaq.apps.answer.building import index

    _indexed(options.folder, index(options.folder, options.documents))


def _indexed(folder: Path, counts: tuple[int, int]) -> None:
    print(
        say(
            f"{counts[0]} documents were new or changed; {folder} holds {counts[1]} passages.",
            f"{counts[0]} 个文档为新增或有改动；{folder} 现有 {counts[1]} 个段落。",
        )
    )


def _remove(args: list[str]) -> None:
    options = parse(Names, args, "answer remove", REMOVE)
    from speaq.apps.answer.index import Index

    count = Index(options.folder).remove(options.names)
    print(say(f"{count} documents were removed.", f"已删除 {count} 个文档。"))


def _list(args: list[str]) -> None:
    options = parse(Listed, args, "answer list", LIST)
    from speaq.apps.answer.index import Index

    for document in Index(options.folder).documents():
        print(f"{document.name}\t{document.language}")


def _set(args: list[str]) -> None:
    options = parse(Changed, args, "answer set", SET)
    from speaq.apps.answer import settings
    from speaq.apps.answer.index import Index

    Index(options.folder)
    given = {n: v for n, v in vars(options).items() if n != "folder" and v is not None}
    changed = replace(settings.open_settings(options.folder), **given)
    settings.save(changed, options.folder)
    print(json.dumps(vars(changed), ensure_ascii=False))


def _search(args: list[str]) -> None:
    options = parse(Sought, args, "answer search", SEARCH)
    found = _domain(options.folder).search.find(options.question, options.count, options.method)
    if not found:
        print(say("Nothing was found.", "没有找到。"))
    for number, each in enumerate(found, 1):
        scores = "  ".join(f"{name} {score:.4g}" for name, score in each.scores.items())
        place = f"{each.passage.file}:{each.passage.line}"
        print(f"{number}  {place}  {each.score:.4g}  ({scores}; {each.covered:.0%})")
        print(f"   {_short(each.passage.text)}")


def _short(text: str, most: int = 160) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else f"{plain[:most]}…"


def _ask(args: list[str]) -> None:
    options = parse(Ask, args, "answer ask", ASK)
    from contextlib import ExitStack

    from speaq.apps.answer.application import Answering, Question
    from speaq.apps.application import answered
    from speaq.experience.store import ExperienceStore

    application = Answering.open(str(options.folder))
    history: tuple[tuple[str, str], ...] = ()
    with ExitStack() as open_stores:
        kept = open_stores.enter_context(ExperienceStore(options.store)) if options.store else None
        for question in options.questions:
            made = answered(application, Question(question, options.domain, history, options.mode))
            if kept is not None:
                kept.append(made.episode)
            _print(made, options.json)
            history = (*history, (question, made.text))


def _print(answer: "Answer", as_json: bool) -> None:
    if as_json:
        said = {"id": answer.id, "text": answer.text, "details": dict(answer.details)}
        print(json.dumps(said, ensure_ascii=False))
        return
    print(answer.text)
    for each in answer.details["citations"]:
        page = f" p. {each['page']}" if each["page"] else ""
        place = f"{each['file']}:{each['line']}{page} [{each['start']}:{each['end']}]"
        print(f"  [{each['number']}] {place}  {_short(each['text'], 100)}")
    if answer.details["notice"]:
        print(f"  {answer.details['notice']}")


def _calibrate(args: list[str]) -> None:
    options = parse(Calibrate, args, "answer calibrate", CALIBRATE)
    from speaq.apps.answer import deciding
    from speaq.apps.answer.calibrating import calibrate, read_asked

    examples = read_asked(options.examples)
    decider, report = calibrate(_domain(options.folder), examples, options.coverage, options.seed)
    deciding.save(decider, options.folder, report.facts())
    words = (
        (say("answered, of the answerable", "可答问题的作答率"), str(report.coverage)),
        (say("false answers, of the others", "不可答问题的误答率"), str(report.false_answers)),
        (say("right, of the answers given", "所给答案的正确率"), str(report.right)),
        ("AUROC", f"{report.auroc:.3f} [{report.auroc_low:.3f}, {report.auroc_high:.3f}]"),
    )
    for name, value in words:
        print(f"{name}: {value}")


def _evaluate(args: list[str]) -> None:
    options = parse(Evaluate, args, "answer evaluate", EVALUATE)
    from speaq.apps.answer.calibrating import read_asked
    from speaq.apps.answer.evaluating import answering, finding

    examples, domain = read_asked(options.examples), _domain(options.folder)
    measures = finding(domain, examples, options.method).measures() | answering(domain, examples)
    for name, value in measures.items():
        print(f"{name}: {value:.4f}")


def _rank(args: list[str]) -> None:
    options = parse(Rank, args, "answer rank", RANK)
    from speaq.apps.answer import ranking
    from speaq.experience.store import ExperienceStore

    domain = _domain(options.folder)
    with ExperienceStore(options.store) as store:
        judged = [e for e in store.episodes("learn") if e.tags.get("domain") == domain.name]
    learnt = ranking.learn(judged)
    ranking.save(learnt, options.folder)
    count = len(learnt.means)
    print(
        say(
            f"Answers are now ranked by what people made of {count} passages.",
            f"现按用户对 {count} 个段落的评价排序。",
        )
    )


def _encoder(args: list[str]) -> None:
    options = parse(TuneEncoder, args, "answer encoder", ENCODER)
    from speaq.apps.answer.dual_encoder import DualSettings, pairs_of, tune

    pairs = pairs_of(options.pairs, options.store)
    settings = DualSettings(options.epochs, options.batch_size, options.lr)
    before, after = tune(options.encoder, pairs, options.folder, settings, options.seed)
    print(
        say(
            f"{options.folder}: of {len(pairs)} pairs, the held-out tenth is found first in "
            f"{after:.1%} of cases ({before:.1%} before).",
            f"{options.folder}：共 {len(pairs)} 对；留出的十分之一首位命中 {after:.1%}"
            f"（此前 {before:.1%}）。",
        )
    )


def _domain(folder: Path) -> "Domain":
    from speaq.apps.answer.domain import Domain

    return Domain(folder)
