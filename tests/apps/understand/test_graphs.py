"""From documents to a graph: incremental, exported, looked at."""

import csv
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

from speaq.apps.knowledge_graph import KnowledgeGraph
from speaq.apps.understand.application import understand
from speaq.apps.understand.graph_building import build, documents, introduced
from speaq.apps.understand.graph_export import export, triples
from speaq.apps.understand.graph_views import graph_page, neighbourhood, overview, told_of
from speaq.apps.understand.opening import Skills, open_skills
from speaq.apps.understand.rules import RuleFinder
from speaq.core.errors import DataError, SettingsError

NAMES = RuleFinder(
    {"body": ("World Health Organization", "WHO", "世界卫生组织", "世卫组织", "IMF")}, {}
)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "documents"
    place.mkdir()
    (place / "a.txt").write_text("Intro.\nAda lives in Oslo .", encoding="utf-8")
    (place / "b.md").write_text("Bob lives in Rome .", encoding="utf-8")
    (place / "c.csv").write_text("id,text\n1,Ada lives in Bonn .\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def skills(skills_folder):
    return open_skills(str(skills_folder))


def test_relations_come_with_their_sentence_and_its_place(folder, skills):
    graph = build(folder, skills).graph
    texts = dict(documents(folder))
    said = {(graph.entities[r.head].name, graph.entities[r.tail].name): r for r in graph.relations}
    assert {("Ada", "Oslo"), ("Bob", "Rome"), ("Ada", "Bonn")} <= set(said)
    for relation in graph.relations:
        for source in relation.sources:
            assert texts[source.file][source.start : source.end] == source.sentence
    assert said["Ada", "Bonn"].sources[0].file == "c.csv#2"


def test_only_what_changed_is_read_again(folder, skills):
    first = build(folder, skills, reader="1")
    (folder / "a.txt").write_text("Carl lives in Lima .", encoding="utf-8")
    (folder / "b.md").unlink()
    heard = []
    second = build(folder, skills, first.graph, reader="1", heard=heard.append)
    assert (second.read, second.kept, second.gone) == (("a.txt",), ("c.csv#2",), ("b.md",))
    assert heard == ["a.txt"]
    assert build(folder, skills, second.graph, reader="2").kept == ()


def test_names_that_a_text_introduces_are_one_thing(tmp_path):
    texts = {
        "a.txt": "The World Health Organization (WHO) spoke.",
        "b.txt": "世界卫生组织（以下简称“世卫组织”）发言。",
        "c.txt": "WHO and IMF. 世卫组织",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    graph = build(tmp_path, Skills(finders={"names": NAMES})).graph
    names = sorted(sorted(each.names) for each in graph.entities.values())
    assert names == [["IMF"], ["WHO", "World Health Organization"], ["世卫组织", "世界卫生组织"]]


def test_a_bracket_alone_makes_no_alias():
    found = understand(Skills(finders={"n": NAMES}), "World Health Organization (IMF)")
    assert introduced(found) == ()


def test_folders_without_documents_are_refused(tmp_path, skills):
    with pytest.raises(DataError, match=r"no document|没有"):
        build(tmp_path, skills)
    with pytest.raises(DataError):
        build(tmp_path / "none", skills)
    with pytest.raises(SettingsError):
        build(tmp_path, Skills())


def test_graphml_holds_every_entity_and_relation(folder, skills, tmp_path):
    graph = build(folder, skills).graph
    export(graph, tmp_path / "g.graphml")
    space = "{http://graphml.graphdrawing.org/xmlns}"
    root = ElementTree.parse(tmp_path / "g.graphml").getroot()
    assert {each.get("id") for each in root.iter(f"{space}node")} == set(graph.entities)
    assert len(list(root.iter(f"{space}edge"))) == len(graph.relations)


TRIPLE = re.compile(
    r'<[^<>" ]+> <[^<>" ]+> (<[^<>" ]+>|"(?:[^"\\\n\r]|\\["\\nr])*"(\^\^<[^<>" ]+>)?) \.'
)


def test_every_line_of_rdf_is_a_triple_whatever_stands_in_names(tmp_path, skills):
    odd = RuleFinder({'kind of "thing" <x>': ('a"b\\c', "甲 乙")}, {})
    (tmp_path / "a.txt").write_text('see a"b\\c and 甲 乙', encoding="utf-8")
    graph = build(tmp_path, Skills(finders={"n": odd})).graph
    lines = list(triples(graph))
    assert len(lines) == 4
    assert all(TRIPLE.fullmatch(line) for line in lines)


def test_rdf_of_relations_names_the_source(folder, skills, tmp_path):
    graph = build(folder, skills).graph
    export(graph, tmp_path / "g.ttl")
    lines = (tmp_path / "g.ttl").read_text(encoding="utf-8").splitlines()
    assert all(TRIPLE.fullmatch(line) for line in lines)
    assert sum("sentence>" in line for line in lines) == sum(
        len(each.sources) for each in graph.relations
    )


def test_csv_comes_back(folder, skills, tmp_path):
    graph = build(folder, skills).graph
    files = export(graph, tmp_path / "g.csv")
    assert [file.name for file in files] == ["g.entities.csv", "g.relations.csv"]
    with files[1].open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert ("Ada", "lives in", "Oslo") in {
        (row["head_name"], row["relation"], row["tail_name"]) for row in rows
    }


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(SettingsError):
        export(KnowledgeGraph(), tmp_path / "g.xlsx")


def test_the_page_stands_alone_and_holds_the_data(tmp_path):
    text = "WHO </script><b>"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    odd = RuleFinder({"x": ("WHO </script><b>",)}, {})
    page = graph_page(build(tmp_path, Skills(finders={"n": odd})).graph, "a <title>")
    assert "<title>a &lt;title&gt;</title>" in page
    assert page.count("</script>") == 2
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", page)
    held = re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1)
    assert json.loads(held)["entities"][0][1] == text


def test_what_is_told_of_an_entity_has_its_sources(folder, skills):
    graph = build(folder, skills).graph
    (ada,) = graph.mentioned("Ada")
    told = told_of(graph, ada)
    assert "Ada ─ lives in → Oslo" in told
    assert "a.txt:7-26  Ada lives in Oslo ." in told
    assert "Ada" in overview(graph)
    assert neighbourhood(graph, ada).count("<circle") == 3
