"""A knowledge graph for other programs: GraphML, RDF (N-Triples, which is Turtle too) and CSV."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from speaq.apps.knowledge_graph import KnowledgeGraph
from speaq.core.errors import SettingsError
from speaq.core.files import replacing_file

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
_OTHER = "http://www.w3.org/2004/02/skos/core#altLabel"
_DECIMAL = "http://www.w3.org/2001/XMLSchema#decimal"
_INTEGER = "http://www.w3.org/2001/XMLSchema#integer"
_OWN = "urn:speaq:"


def export(graph: KnowledgeGraph, file: Path) -> tuple[Path, ...]:
    """Write a graph in the format that the file's ending says, all or nothing.

    .graphml; .ttl and .nt; .csv writes two files, NAME.entities.csv and NAME.relations.csv.

    Returns: the files.

    Raises:
        SettingsError: another ending.
        StorageError: the disk refused.
    """
    writer = _WRITERS.get(file.suffix.lower())
    if writer is None:
        raise SettingsError(
            f"a knowledge graph is written as {', '.join(_WRITERS)}, not as '{file.name}'.",
            f"知识图谱可写为 {'、'.join(_WRITERS)}，而不是“{file.name}”。",
        )
    return writer(graph, file)


def _graphml(graph: KnowledgeGraph, file: Path) -> tuple[Path, ...]:
    import networkx

    made = networkx.MultiDiGraph()
    for key, entity in graph.entities.items():
        made.add_node(
            key,
            name=_printable(entity.name),
            label=_printable(entity.label),
            names=_printable(" | ".join(entity.names)),
            mentions=len(entity.mentions),
        )
    for each in graph.relations:
        first = each.sources[0]
        made.add_edge(
            each.head,
            each.tail,
            label=_printable(each.label),
            score=each.score,
            sources=len(each.sources),
            file=first.file,
            start=first.start,
            end=first.end,
            sentence=_printable(first.sentence),
        )
    with replacing_file(file) as temporary:
        networkx.write_graphml(made, temporary, encoding="utf-8")
    return (file,)


def _printable(text: str) -> str:
    """The text without the control characters that XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff"))


def _triples(graph: KnowledgeGraph, file: Path) -> tuple[Path, ...]:
    with replacing_file(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for line in triples(graph):
            stream.write(line + "\n")
    return (file,)


def triples(graph: KnowledgeGraph) -> Iterator[str]:
    """The graph in N-Triples: a relation is a triple, and a statement about it for each source."""
    for key, entity in graph.entities.items():
        own = _node("entity", key)
        yield f"{own} <{_RDF}type> {_node('class', entity.label)} ."
        yield f"{own} <{_LABEL}> {_literal(entity.name)} ."
        for name in entity.names[1:]:
            yield f"{own} <{_OTHER}> {_literal(name)} ."
    for number, each in enumerate(graph.relations):
        head, tail = _node("entity", each.head), _node("entity", each.tail)
        relation = _node("relation", each.label)
        yield f"{head} {relation} {tail} ."
        for which, source in enumerate(each.sources):
            said = _node("statement", f"{number}.{which}")
            yield f"{said} <{_RDF}type> <{_RDF}Statement> ."
            yield f"{said} <{_RDF}subject> {head} ."
            yield f"{said} <{_RDF}predicate> {relation} ."
            yield f"{said} <{_RDF}object> {tail} ."
            yield f"{said} <{_OWN}file> {_literal(source.file)} ."
            yield f"{said} <{_OWN}start> {_literal(str(source.start), _INTEGER)} ."
            yield f"{said} <{_OWN}end> {_literal(str(source.end), _INTEGER)} ."
            yield f"{said} <{_OWN}sentence> {_literal(source.sentence)} ."
            yield f"{said} <{_OWN}score> {_literal(f'{each.score:.4f}', _DECIMAL)} ."


def _node(kind: str, name: str) -> str:
    return f"<{_OWN}{kind}:{quote(name, safe='')}>"


def _literal(text: str, kind: str = "") -> str:
    for plain, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, written)
    return f'"{text}"' + (f"^^<{kind}>" if kind else "")


def _tables(graph: KnowledgeGraph, file: Path) -> tuple[Path, ...]:
    entities = file.with_suffix(".entities.csv")
    relations = file.with_suffix(".relations.csv")
    with (
        replacing_file(entities) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as stream,
    ):
        rows = csv.writer(stream)
        rows.writerow(["id", "name", "label", "names", "mentions"])
        for key, each in graph.entities.items():
            rows.writerow([key, each.name, each.label, " | ".join(each.names), len(each.mentions)])
    with (
        replacing_file(relations) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as stream,
    ):
        rows = csv.writer(stream)
        rows.writerow(
            ["head", "head_name", "relation", "tail", "tail_name", "score",
             "file", "start", "end", "sentence"]
        )  # fmt: skip
        for relation in graph.relations:
            ends = (graph.entities[relation.head].name, graph.entities[relation.tail].name)
            for source in relation.sources:
                rows.writerow(
                    [relation.head, ends[0], relation.label, relation.tail, ends[1],
                     relation.score, source.file, source.start, source.end, source.sentence]
                )  # fmt: skip
    return entities, relations


_WRITERS: dict[str, Callable[[KnowledgeGraph, Path], tuple[Path, ...]]] = {
    ".graphml": _graphml,
    ".ttl": _triples,
    ".nt": _triples,
    ".csv": _tables,
}
