"""The fixtures themselves: formats, encodings, faults. See `data_fixtures.py`."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from data_fixtures import (
    CHARACTERS,
    CONTEXTS,
    EN,
    IOB2,
    IOBES,
    PAIRS,
    SPANS,
    ZH,
    ZH_CONTEXTS,
    ZH_SPANS,
    Fault,
    Fixture,
    Rows,
    Sentence,
    as_json,
    conll,
    first_lines,
    json_lines,
    lines,
    mentions_of,
    objects,
    parquet,
    put,
    side,
    squad,
    table,
    text_of,
    tmx,
    triples,
)

NAMED = {"text": "text", "label": "label"}
NUMBERED = {"text": "1", "label": "2"}
MISREAD_ZH = "这家店的菜很好吃".encode().decode("gb18030")


def one(
    name: str,
    file: str,
    data: bytes,
    shape: tuple[str, str, str],
    *faults: tuple[str, int],
    columns: dict[str, str] | None = None,
) -> Fixture:
    """A fixture of one file; `shape` is format, kind and encoding, faults are (kind, row)."""
    found: tuple[Fault, ...] = tuple((kind, file, row) for kind, row in faults)
    return Fixture(name, {file: data}, *shape, found, columns or {})


def labelled(rows: Rows) -> list[dict[str, Any]]:
    return [{"text": text, "label": label} for text, label in rows]


def renamed(place: int, label: str, rows: Rows = EN) -> Rows:
    return put(rows, place, (rows[place][0], label))


def altered(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    return {**record, **values}


def retagged(data: list[Sentence], place: int, word: int, tag: str) -> list[Sentence]:
    sentence = put(data[place], word, (data[place][word][0], tag))
    return put(data, place, sentence)


def tables() -> list[Fixture]:
    csv8 = ("csv", "labelled", "utf-8")
    ragged = table(EN).replace(b"smiled at us all evening", b"smiled, at us, all evening")
    quote = table(EN).replace(b"They lost my", b'"They lost my')
    german = "Das Zimmer war sauber und das Frühstück hat uns sehr gut geschmeckt."
    near = EN[2][0].replace("gladly", "gladli")
    return [
        one("csv", "a.csv", table(EN), csv8, columns=NAMED),
        one("csv-bom-empty", "a.csv", table(text_of(3, lambda _: " "), "utf-8-sig"),
            ("csv", "labelled", "utf-8-sig"), ("empty", 5), columns=NAMED),
        one("csv-gbk-duplicate", "a.csv", table([*ZH, ZH[4]], "gb18030", names=("评论", "标签")),
            ("csv", "labelled", "gb18030"), ("duplicate", 14), columns={"text": "评论"}),
        one("csv-utf16-conflict", "a.csv", table([*ZH, ("房间里有烟味，窗户也关不上。", "好评")],
            "utf-16"), ("csv", "labelled", "utf-16"), ("conflict", 3), ("conflict", 14)),
        one("csv-utf16le-missing", "a.csv", table(renamed(5, ""), "utf-16-le"),
            ("csv", "labelled", "utf-16-le"), ("missing-label", 7)),
        one("csv-utf16be-rare", "a.csv", table(renamed(5, "mixed", ZH), "utf-16-be"),
            ("csv", "labelled", "utf-16-be"), ("rare-class", 7)),
        one("csv-semicolon-spelling", "a.csv", table(renamed(8, "Positive"), delimiter=";"), csv8,
            ("label-spelling", 10), columns=NAMED),
        one("csv-ragged", "a.csv", ragged, csv8, ("unreadable", 2)),
        one("csv-quote", "a.csv", quote, csv8, ("unreadable", 5)),
        one("csv-lost", "a.csv", table(text_of(1, lambda t: t.replace("o", "\ufffd"))), csv8,
            ("lost-characters", 3)),
        one("csv-broken-byte", "a.csv", table(ZH).replace("烟味".encode(), "烟味".encode()[:-1]),
            csv8, ("lost-characters", 3)),
        one("csv-no-header", "a.csv", table(text_of(6, lambda t: f"label: positive {t}"), names=()),
            csv8, ("leaked-label", 7), columns=NUMBERED),
        one("tsv-no-header-near", "a.tsv", table([*EN, (near, "positive")], delimiter="\t",
            names=()), csv8, ("near-duplicate", 13), columns=NUMBERED),
        one("tsv-gbk-language", "a.tsv", table(text_of(2, lambda _: EN[2][0], ZH), "gbk", "\t"),
            ("csv", "labelled", "gb18030"), ("wrong-language", 4)),
        one("tsv-german", "a.tsv", table(text_of(9, lambda _: german), delimiter="\t"), csv8,
            ("wrong-language", 11)),
        one("txt-tabs", "a.txt", table(text_of(0, lambda t: f"{t} <br/> Thanks!"),
            delimiter="\t", names=()), csv8, ("markup", 1), columns=NUMBERED),
        one("csv-one-class", "a.csv", table([(text, "positive") for text, _ in EN]), csv8,
            ("one-class", 2)),
        one("csv-long", "a.csv", table(text_of(4, lambda t: " ".join([t] * 60))), csv8,
            ("over-long", 6)),
        one("csv-misread-utf8", "a.csv", table(text_of(7, lambda t: t.replace(
            "table that", "tâble thât café".encode().decode("latin-1")))), csv8, ("misread", 9)),
        one("csv-misread-gbk", "a.csv", table(text_of(7, lambda _: MISREAD_ZH, ZH), "gb18030"),
            ("csv", "labelled", "gb18030"), ("misread", 9)),
        one("csv-misread-western", "a.csv", table(text_of(7, lambda _: "菜很好吃，很喜欢".encode(
            "gbk").decode("latin-1"), ZH)), csv8, ("misread", 9)),
        one("csv-invisible", "a.csv", table(text_of(10, lambda t: t.replace(" ", "\u200b ", 1))),
            csv8, ("invisible", 12)),
    ]  # fmt: skip


def records() -> list[Fixture]:
    jsonl, en = ("jsonl", "labelled", "utf-8"), labelled(EN)
    cut = json_lines(en).replace(b'"negative"}\n', b'"nega\n', 1)
    tagged = [{"tokens": [w for w, _ in s], "tags": [t for _, t in s]} for s in IOB2]
    identifier = [(text, f"room_{label}") for text, label in EN]
    identifier = put(identifier, 3, (f"room_negative {identifier[3][0]}", identifier[3][1]))
    pairs = [{"premise": a, "hypothesis": b, "label": str(n % 2)}
             for n, ((a, _), (b, _)) in enumerate(pairwise(EN))]  # fmt: skip
    flat = [{"id": f"q{n}", "context": c, "question": q, "answers": {
             "text": [a], "answer_start": [c.index(a)]}}
            for n, (c, asked) in enumerate(CONTEXTS) for q, a in asked[:1]]  # fmt: skip
    flat[1]["answers"]["answer_start"] = [3]
    parts = {"train": [list(row) for row in EN[:8]], "test": [list(row) for row in (EN[9], EN[2])]}
    classes = {name: [text for text, label in ZH if label == name] for name in ("好评", "差评")}
    classes["差评"] = [*classes["差评"], classes["差评"][0]]
    mixed = [*en[:11], altered(en[11], label="neutral")]
    return [
        one("jsonl-cut", "a.jsonl", cut, jsonl, ("unreadable", 2), columns=NAMED),
        one("jsonl-gbk-leak", "a.jsonl", json_lines(labelled(text_of(1, lambda t: f"【差评】{t}",
            ZH)), "gbk"), ("jsonl", "labelled", "gb18030"), ("leaked-label", 2)),
        one("jsonl-bom-identifier", "a.jsonl", json_lines(labelled(identifier), "utf-8-sig"),
            ("jsonl", "labelled", "utf-8-sig"), ("leaked-label", 4)),
        one("jsonl-tagged-uneven", "a.jsonl", json_lines(put(tagged, 2, altered(tagged[2],
            tags=tagged[2]["tags"][:-1]))), ("jsonl", "tagged", "utf-8"), ("misaligned-tags", 3),
            columns={"tokens": "tokens", "tags": "tags"}),
        one("jsonl-pair-empty", "a.jsonl", json_lines(put(pairs, 4, altered(pairs[4],
            hypothesis=""))), ("jsonl", "pair", "utf-8"), ("empty", 5),
            columns={"first": "premise", "second": "hypothesis"}),
        one("jsonl-question-offset", "a.jsonl", json_lines(flat), ("jsonl", "question", "utf-8"),
            ("answer-offset", 2), columns={"context": "context", "answers": "answers"}),
        one("json-list-utf16", "a.json", as_json([*en, en[0]], "utf-16"),
            ("json", "labelled", "utf-16"), ("duplicate", 13), columns=NAMED),
        one("json-data", "a.json", as_json({"data": mixed}), ("json", "labelled", "utf-8"),
            ("rare-class", 12)),
        one("json-splits-leak", "a.json", as_json(parts), ("json", "labelled", "utf-8"),
            ("leak", 10), columns={**NUMBERED, "part": "split"}),
        one("json-classes-gbk", "a.json", as_json(classes, "gbk"),
            ("json", "labelled", "gb18030"), ("duplicate", 13)),
        one("parquet", "a.parquet", parquet(labelled(text_of(5, lambda _: "", ZH))),
            ("parquet", "labelled", "utf-8"), ("empty", 6), columns=NAMED),
        one("parquet-tagged", "a.parquet", parquet(put(tagged, 1, altered(tagged[1],
            tags=["O", "O", "O", "I-LOC", "O", "O"]))), ("parquet", "tagged", "utf-8"),
            ("invalid-transition", 2)),
    ]  # fmt: skip


def spans() -> list[Fixture]:
    shape, three, objs = ("jsonl", "spans", "utf-8"), triples(SPANS), objects(SPANS)
    early = [altered(r, entities=[[s, e - 1, n] for s, e, n in r["entities"]]) for r in three]
    moved = put(three, 1, altered(three[1], entities=[[13, 20, "LOC"]]))
    outside = put(three, 3, altered(three[3], entities=[[99, 110, "LOC"], *three[3]["entities"]]))
    crossing = put(three, 2, altered(three[2], entities=[*three[2]["entities"], [13, 19, "ORG"],
                                                         [0, 3, "ORG"]]))  # fmt: skip
    shifted = [{**s, "start": s["start"] + 2, "end": s["end"] + 2} for s in objs[0]["spans"]]
    zh = mentions_of(ZH_SPANS)
    wrong = altered(zh[2], label={"人名": {"李强": [[1, 2]]}, "地名": {"西安": [[7, 8]]}})
    zh_early = [altered(r, spans=[{**s, "end": s["end"] - 1} for s in r["spans"]])
                for r in objects(ZH_SPANS)]  # fmt: skip
    early_faults = [("inclusive-end", row) for row in (1, 2, 3, 4, 5)]
    return [
        one("spans-triples", "a.jsonl", json_lines(moved), shape, ("misaligned-span", 2),
            columns={"text": "text", "spans": "entities"}),
        one("spans-outside", "a.jsonl", json_lines(outside), shape, ("misaligned-span", 4)),
        one("spans-inclusive", "a.jsonl", json_lines(early), shape, *early_faults),
        one("spans-overlap", "a.jsonl", json_lines(crossing), shape, ("overlapping-span", 3)),
        one("spans-objects", "a.jsonl", json_lines(put(objs, 0, altered(objs[0], spans=shifted))),
            shape, ("misaligned-span", 1), columns={"spans": "spans"}),
        one("spans-mentions-gbk", "a.jsonl", json_lines(put(zh, 2, wrong), "gb18030"),
            ("jsonl", "spans", "gb18030"), ("misaligned-span", 3), columns={"spans": "label"}),
        one("spans-zh-inclusive", "a.json", as_json(zh_early), ("json", "spans", "utf-8"),
            *[("inclusive-end", row) for row in (1, 2, 3, 4)]),
    ]  # fmt: skip


def conlls() -> list[Fixture]:
    plain = ("conll", "tagged", "utf-8")
    at, at_zh, labelled_at = first_lines(IOB2), first_lines(CHARACTERS), first_lines(IOB2, True)
    jump = retagged(IOB2, 4, 3, "I-LOC")
    bare = conll(IOB2).replace(b"slept O", b"slept")
    spelling = retagged(IOB2, 5, 3, "B-Loc")
    intents = ["Move", "Tell", "Move", "Tell", "Move", "Tell"]
    mixed = put(IOB2, 2, IOBES[2])
    return [
        one("conll", "a.conll", conll(jump), plain, ("invalid-transition", at[4] + 3),
            columns={"tokens": "tokens", "tags": "tags"}),
        one("conll-tabs-mixed", "a.txt", conll(mixed, delimiter="\t"), plain,
            ("mixed-schemes", at[2])),
        one("conll-missing-tag", "a.iob", bare, plain, ("unreadable", at[3] + 4)),
        one("conll-intents", "a.txt", conll(spelling, labels=intents), plain,
            ("label-spelling", labelled_at[5]), columns={"label": "label"}),
        one("conll-zh-gbk", "a.txt", conll(retagged(CHARACTERS, 2, 4, "I-地"), "gbk"),
            ("conll", "tagged", "gb18030"), ("invalid-transition", at_zh[2] + 4)),
        one("conll-zh-utf16", "a.bio", conll([*CHARACTERS, CHARACTERS[1]], "utf-16"),
            ("conll", "tagged", "utf-16"), ("duplicate", first_lines([*CHARACTERS, []])[4])),
        one("conll-bioes", "a.bioes", conll(put(IOBES, 1, retagged(IOB2, 1, 3, "B-LOC")[1])),
            plain, ("mixed-schemes", at[1])),
    ]  # fmt: skip


def edit(number: int, **values: Any) -> Callable[[int, dict[str, Any]], None]:
    """Changes of one question of a SQuAD file."""

    def change(place: int, question: dict[str, Any]) -> None:
        if place == number:
            question.update(values)

    return change


def questions() -> list[Fixture]:
    shape, gbk = ("squad", "question", "utf-8"), ("squad", "question", "gb18030")
    roles = {"context": "context", "question": "question", "answers": "answers"}

    def made(contexts: Any, encoding: str = "utf-8", number: int = 0, **values: Any) -> bytes:
        return as_json(squad(contexts, edit(number, **values)), encoding)

    off, off_zh = [{"text": "1820", "answer_start": 9}], [{"text": "飞", "answer_start": 12}]
    gone = [{"text": "seven sisters", "answer_start": 9}]
    return [
        one("squad-offset", "a.json", made(CONTEXTS, number=1, answers=off), shape,
            ("answer-offset", 1), columns=roles),
        one("squad-zh-gbk-offset", "a.json", made(ZH_CONTEXTS, "gbk", 3, answers=off_zh), gbk,
            ("answer-offset", 3)),
        one("squad-nowhere", "a.json", made(CONTEXTS, number=2, answers=gone), shape,
            ("answer-offset", 2)),
        one("squad-no-answer", "a.json", made(CONTEXTS, number=4, answers=[]), shape,
            ("no-answer", 4)),
        one("squad-needless", "a.json", made(ZH_CONTEXTS, "utf-8-sig", 2, is_impossible=True),
            ("squad", "question", "utf-8-sig"), ("needless-answer", 2)),
        one("squad-id", "a.json", made(CONTEXTS, number=3, id="q1"), shape, ("repeated-id", 3)),
    ]  # fmt: skip


def parallels() -> list[Fixture]:
    copied = put(PAIRS, 3, (PAIRS[3][0], PAIRS[3][0]))
    long = put(PAIRS, 5, (PAIRS[5][0], PAIRS[5][1] * 9))
    utf16 = tmx(put(PAIRS, 2, ("", PAIRS[2][1])), "utf-16")
    cut = tmx(PAIRS)[:-120]
    both = [("untranslated", "t.en", 4), ("wrong-language", "t.en", 4)]
    nested = [{"translation": {"en": en, "zh": zh}} for en, zh in [*PAIRS, PAIRS[0]]]
    last = 1 + tmx(PAIRS)[:-120].count(b"\n")
    return [
        Fixture("parallel-two", {"t.en": lines(side(copied, 0)), "t.zh": lines(side(copied, 1))},
                "parallel", "parallel", "utf-8", tuple(both), {}, together=True),
        Fixture("parallel-uneven", {"t.zh": lines(side(PAIRS, 1)[:-1], "gbk"),
                                    "t.en": lines(side(PAIRS, 0))},
                "parallel", "parallel", "gb18030", (("uneven-files", "t.zh", 10),), {},
                together=True),
        one("parallel-tabs", "a.txt", table(long, delimiter="\t", names=()),
            ("csv", "parallel", "utf-8"), ("length-ratio", 6), columns={"source": "1"}),
        one("parallel-jsonl", "a.jsonl", json_lines(nested), ("jsonl", "parallel", "utf-8"),
            ("duplicate", 11), columns={"source": "translation.en"}),
        one("tmx-utf16", "a.tmx", utf16, ("tmx", "parallel", "utf-16"), ("empty", 13)),
        one("tmx-cut", "a.tmx", cut, ("tmx", "parallel", "utf-8"), ("unreadable", last)),
    ]  # fmt: skip


def corpora() -> list[Fixture]:
    zh = "\n".join(text for text, _ in ZH)
    train, test, shape = table(EN[:8]), EN[8:], ("csv", "labelled", "utf-8")
    near = EN[4][0].replace("quiet", "quite")

    def both(name: str, rows: Rows, *faults: Fault) -> Fixture:
        return Fixture(name, {"train.csv": train, "test.csv": table(rows)}, *shape, faults, NAMED)

    return [
        one("text-gbk", "a.txt", (zh + "\n" + ZH[8][0] + "\n").encode("gbk"),
            ("text", "text", "gb18030"), ("duplicate", 13)),
        one("text-utf16", "a.txt", lines([text for text, _ in text_of(
            7, lambda t: t.replace("had", "h\ufffdd"))], "utf-16"), ("text", "text", "utf-16"),
            ("lost-characters", 8)),
        both("splits-leak", [*test, EN[1]], ("leak", "test.csv", 6)),
        both("splits-near", [*test, (near, "positive")], ("near-leak", "test.csv", 6)),
        both("splits-unseen", renamed(1, "mixed", test), ("unseen-class", "test.csv", 3)),
    ]  # fmt: skip


def fixtures() -> list[Fixture]:
    """All of them."""
    found = [*tables(), *records(), *spans(), *conlls(), *questions(), *parallels(), *corpora()]
    return found
