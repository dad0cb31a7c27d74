"""Relations of a knowledge graph lead to passages that the question does not name."""

from pathlib import Path

import pytest

from speaq.apps.answer import settings
from speaq.apps.answer.application import Answering, Question
from speaq.apps.answer.building import index
from speaq.apps.answer.index import IndexSettings
from speaq.apps.answer.settings import AnswerSettings
from speaq.apps.application import answered
from speaq.apps.knowledge_graph import (
    DocumentFacts,
    KnowledgeGraph,
    Mention,
    Statement,
    save_graph,
)
from speaq.core.errors import DataError

CASES = {
    "en": (
        {
            "pump.txt": "The P-7 was designed by Anna Keller.",
            "people.txt": "Anna Keller did study chemistry in Zurich.",
            "other.txt": "Bob Miller did study the flute, and lives with the designer of hats.",
        },
        ("P-7", "Anna Keller", "designed by"),
        "Where did the designer of the P-7 study?",
        "Zurich",
    ),
    "zh": (
        {
            "pump.txt": "七号泵由李梅设计。",
            "people.txt": "李梅在苏黎世学习化学。",
            "other.txt": "王强在巴黎学习长笛，那里的设计者很多。",
        },
        ("七号泵", "李梅", "设计"),
        "七号泵的设计者在哪里学习？",
        "苏黎世",
    ),
}


@pytest.mark.parametrize("language", CASES)
def test_a_question_is_also_asked_about_the_neighbours(tmp_path: Path, language: str) -> None:
    texts, (head, tail, label), question, held = CASES[language]
    (tmp_path / "docs").mkdir()
    for name, text in texts.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    text = texts["pump.txt"]
    mentions = tuple(
        Mention(name, "thing", text.index(name), text.index(name) + len(name))
        for name in (head, tail)
    )
    said = Statement(0, 1, label, 0, len(text), text)
    facts = DocumentFacts("pump.txt", "", mentions, (said,))
    save_graph(KnowledgeGraph().with_document(facts), tmp_path / "graph.jsonl")
    folder = tmp_path / "index"
    index(folder, [tmp_path / "docs"], IndexSettings(), AnswerSettings(passages=1))
    application = Answering.open(str(folder))
    plain = answered(application, Question(question))
    assert held not in str(plain.details["passages"])
    graph = str(tmp_path / "graph.jsonl")
    settings.save(AnswerSettings(passages=1, graph=graph), folder)
    followed = answered(application, Question(question))
    [found] = [each for each in followed.details["passages"] if each["through"]]
    assert held in found["text"] and found["through"] == f"{head} — {label} → {tail}"
    assert held in followed.text
    # A question that names nothing of the graph is asked as it is.
    other = answered(application, Question({"en": "Bob Miller flute", "zh": "王强长笛"}[language]))
    assert not any(each["through"] for each in other.details["passages"])


def test_no_graph_is_said(indexed: Path) -> None:
    settings.save(AnswerSettings(graph="none.jsonl"), indexed)
    with pytest.raises(DataError, match=r"none\.jsonl"):
        answered(Answering.open(str(indexed)), Question("When was the pump built?"))
