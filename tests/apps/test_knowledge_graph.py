"""The knowledge graph: merging, finding, and what comes back from disk."""

import pytest

from speaq.apps.knowledge_graph import (
    DocumentFacts,
    KnowledgeGraph,
    Mention,
    Statement,
    load_graph,
    normalised,
    save_graph,
)
from speaq.core.errors import DataError


def facts(file, text, names, stated=(), aliases=()):
    mentions = []
    for name, label in names:
        start = text.index(name)
        mentions.append(Mention(name, label, start, start + len(name)))
    statements = [Statement(a, b, label, 0, len(text), text, 0.9) for a, label, b in stated]
    return DocumentFacts(file, "v1", tuple(mentions), tuple(statements), aliases)


ONE = facts(
    "a.txt",
    "Marie Curie worked in Paris.",
    [("Marie Curie", "person"), ("Paris", "place")],
    [(0, "works in", 1)],
)
TWO = facts(
    "b.txt",
    "MARIE CURIE knew 居里实验室.",
    [("MARIE CURIE", "person"), ("居里实验室", "organisation")],
    [(0, "leads", 1)],
)


def graph(*documents, aliases=None):
    made = KnowledgeGraph({}, aliases or {})
    for each in documents:
        made = made.with_document(each)
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The United Nations", "united  nations"),
        ("ＡＢＣ公司", "abc公司"),
        ("Newton's", "Newton"),
        ("“北京大学”", "北京大学"),
    ],
)
def test_spellings_of_a_name_are_one_name(one, other):
    assert normalised(one) == normalised(other)


def test_a_name_of_marks_alone_stays_a_name():
    assert normalised("!!!") == "!!!"


def test_an_entity_is_one_across_documents_with_all_its_places():
    made = graph(ONE, TWO)
    (person,) = [each for each in made.entities.values() if each.label == "person"]
    assert {file for file, _, _ in person.mentions} == {"a.txt", "b.txt"}
    assert set(person.names) == {"Marie Curie", "MARIE CURIE"}
    assert {each.label for each in made.around(person.id)} == {"works in", "leads"}


def test_one_name_of_two_kinds_is_two_things():
    other = facts("c.txt", "Paris slept.", [("Paris", "person")])
    assert len(graph(ONE, other).entities) == 3


def test_aliases_by_hand_and_by_document_merge():
    who = facts(
        "c.txt",
        "世界卫生组织（WHO）",
        [("世界卫生组织", "organisation"), ("WHO", "organisation")],
        aliases=(("WHO", "世界卫生组织"),),
    )
    assert len(graph(who).entities) == 1
    plain = facts("c.txt", "WHO, 世卫", [("WHO", "organisation"), ("世卫", "organisation")])
    assert len(graph(plain).entities) == 2
    made = graph(plain, aliases={"世卫": "WHO"})
    assert len(made.entities) == 1
    assert [each.label for each in made.mentioned("世卫说了什么？")] == ["organisation"]


def test_aliases_in_a_circle_end():
    made = graph(ONE, aliases={"Paris": "Lutetia", "Lutetia": "Paris"})
    assert len(made.entities) == 2


def test_a_relation_is_told_once_with_every_source():
    again = facts(
        "c.txt",
        "In Paris, Marie Curie worked.",
        [("Marie Curie", "person"), ("Paris", "place")],
        [(0, "works in", 1)],
    )
    (relation,) = graph(ONE, again).relations
    assert {(each.file, each.sentence) for each in relation.sources} == {
        ("a.txt", "Marie Curie worked in Paris."),
        ("c.txt", "In Paris, Marie Curie worked."),
    }


def test_a_document_replaces_what_it_said_and_can_go():
    made = graph(ONE, TWO).with_document(facts("a.txt", "Paris", [("Paris", "place")]))
    assert {each.label for each in made.relations} == {"leads"}
    assert not made.without(["b.txt"]).relations


def test_mentioned_takes_the_longest_name_and_whole_words_only():
    text = "New York and York"
    made = graph(facts("a.txt", text, [("New York", "place"), ("York", "place")]))
    assert [each.name for each in made.mentioned("Who lives in new york?")] == ["New York"]
    assert made.mentioned("Yorkshire") == []
    assert [each.name for each in graph(TWO).mentioned("谁领导居里实验室的工作？")] == [
        "居里实验室"
    ]


def test_steps_reach_further():
    made = graph(ONE, TWO)
    place = made.mentioned("Paris")[0]
    assert [each.label for each in made.around(place.id)] == ["works in"]
    assert {each.label for each in made.around(place.id, 2)} == {"works in", "leads"}


def test_what_is_saved_comes_back(tmp_path):
    made = graph(ONE, TWO, aliases={"居里夫人": "Marie Curie"})
    save_graph(made, tmp_path / "graph.jsonl")
    assert load_graph(tmp_path / "graph.jsonl") == made


def test_a_damaged_line_is_named(tmp_path):
    file = tmp_path / "graph.jsonl"
    save_graph(graph(ONE), file)
    file.write_text(file.read_text() + '{"file": "x"}\n')
    with pytest.raises(DataError) as refused:
        load_graph(file)
    assert refused.value.row == 3
    with pytest.raises(DataError):
        load_graph(tmp_path / "none.jsonl")


def test_a_statement_about_nothing_is_refused():
    with pytest.raises(DataError):
        facts("a.txt", "Paris", [("Paris", "place")], [(0, "in", 1)])
