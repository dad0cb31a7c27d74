"""Reading comprehension in the format of SQuAD 1.1 and 2.0 (also CMRC 2018, DRCD, XQuAD)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from speaq.core.errors import DataError
from speaq.text.files.layouts import Layout
from speaq.text.files.readers import Row, parse_json


def is_squad(value: Any) -> bool:
    """Whether parsed JSON is articles with paragraphs with questions."""
    articles = value.get("data") if isinstance(value, dict) else None
    return (
        isinstance(articles, list)
        and bool(articles)
        and all(isinstance(article, dict) for article in articles)
        and any("paragraphs" in article for article in articles)
    )


def read_squad(text: TextIO, path: Path, layout: Layout, faults: list[DataError]) -> Iterator[Row]:
    """Yield (number of the question from 1, record); questions that lack a field go to `faults`.

    A record is the question's own object with its `context`, and under `around` what has to be
    written again: the file's, the article's and the paragraph's other fields.
    """
    whole = parse_json(text.read(), path, None)
    top = {name: value for name, value in whole.items() if name != "data"}
    row = 0
    for a, article in enumerate(whole["data"]):
        shared = {name: value for name, value in article.items() if name != "paragraphs"}
        for p, paragraph in enumerate(article.get("paragraphs", [])):
            context = paragraph.get("context")
            own = {n: v for n, v in paragraph.items() if n not in ("context", "qas")}
            for question in paragraph.get("qas", []):
                row += 1
                missing = _missing(question, context)
                if missing:
                    faults.append(
                        DataError(
                            "a question needs a text for this field.",
                            "问题缺少该文本字段。",
                            file=path,
                            row=row,
                            field=missing,
                        )
                    )
                    continue
                around = {"at": (a, p), "top": top, "article": shared, "paragraph": own}
                yield row, {**question, "context": context, "around": around}


def _missing(question: Any, context: Any) -> str:
    if not isinstance(context, str):
        return "context"
    if not isinstance(question, dict) or not isinstance(question.get("question"), str):
        return "question"
    return ""


def write_squad(records: Iterable[Mapping[str, Any]], layout: Layout, path: Path) -> None:
    """Write questions as `read_squad` reads them, those of one paragraph together, in UTF-8."""
    articles: list[dict[str, Any]] = []
    top: dict[str, Any] = {}
    for _, of_article in groupby(records, key=lambda record: record["around"]["at"][0]):
        paragraphs: list[dict[str, Any]] = []
        article: dict[str, Any] = {}
        for (_, context), group in groupby(
            of_article, key=lambda record: (record["around"]["at"], record["context"])
        ):
            members = list(group)
            around = members[0]["around"]
            top, article = around["top"], around["article"]
            questions = [
                {name: value for name, value in each.items() if name not in ("context", "around")}
                for each in members
            ]
            paragraphs.append({**around["paragraph"], "context": context, "qas": questions})
        articles.append({**article, "paragraphs": paragraphs})
    with path.open("w", encoding="utf-8") as stream:
        json.dump({**top, "data": articles}, stream, ensure_ascii=False, indent=1)
        stream.write("\n")
