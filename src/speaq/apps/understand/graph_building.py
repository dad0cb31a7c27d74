"""From a folder of documents to a knowledge graph, reading only what is new or changed.

Documents are text files (.txt, .md) and tables (.csv, .tsv, .jsonl, .json, .parquet), of which
each row with a text is a document of its own, named FILE#ROW.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from speaq.apps.knowledge_graph import DocumentFacts, KnowledgeGraph, Mention, Statement
from speaq.apps.understand.application import understand
from speaq.apps.understand.opening import MANIFEST, Skills
from speaq.apps.understand.results import Entity, Understanding
from speaq.apps.understand.units import sentences_of
from speaq.core.errors import DataError, SettingsError
from speaq.core.files import digest, file_digest
from speaq.text.corpus import USUAL
from speaq.text.files.encodings import detect
from speaq.text.files.readers import open_bytes, open_text, read_rows, suffix_of

PLAIN = (".txt", ".text", ".md")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_BETWEEN = re.compile(
    r"\s*[(（]\s*(?:以下简称|下称|简称|又称|or|also known as|abbreviated)?[“\"'‘「\s]*"
)
"""What stands between a name and another name for it, which a bracket closes."""


@dataclass(frozen=True)
class Built:
    """What a run did."""

    graph: KnowledgeGraph
    read: tuple[str, ...]
    """Documents that were new or changed."""
    kept: tuple[str, ...]
    gone: tuple[str, ...]


def documents(folder: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every document below a folder, in order of their names.

    Raises:
        DataError: no such folder, no document in it, or a file that is no text.
    """
    if not folder.is_dir():
        raise DataError("there is no such folder.", "没有这个目录。", file=folder)
    any_text = False
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name == MANIFEST:
            continue
        for name, text in _texts(file, str(file.relative_to(folder))):
            if text.strip():
                any_text = True
                yield name, text
    if not any_text:
        raise DataError(
            f"the folder holds no document with text; read are {', '.join(PLAIN + TABLES)}.",
            f"目录中没有含文本的文档；可读取：{'、'.join(PLAIN + TABLES)}。",
            file=folder,
        )


def _texts(file: Path, name: str) -> Iterator[tuple[str, str]]:
    kind = suffix_of(file)
    if kind in PLAIN:
        with open_bytes(file) as stream:
            encoding = detect(stream, file)
        with open_text(file, encoding) as text:
            yield name, text.read()
    elif kind in TABLES:
        for row, record in read_rows(file):
            held = next((record[c] for c in USUAL if isinstance(record.get(c), str)), None)
            if held is not None:
                yield f"{name}#{row}", held


def build(
    folder: Path,
    skills: Skills,
    graph: KnowledgeGraph | None = None,
    *,
    reader: str = "",
    heard: Callable[[str], None] | None = None,
) -> Built:
    """The graph of a folder.

    Args:
        folder: of documents.
        skills: which must find entities; relations where they have a relater.
        graph: of an earlier run; what did not change since is not read again, and documents that
            are not there any more go.
        reader: a fingerprint of the skills; another one reads everything anew.
        heard: is told each document's name as it is read.

    Raises:
        DataError: see `documents`.
        SettingsError: the skills find no entities.
    """
    if not skills.finders:
        raise SettingsError(
            "a knowledge graph needs a task that finds entities; this folder has none.",
            "知识图谱需要能识别实体的任务；该目录中没有。",
        )
    skills = Skills(finders=skills.finders, relaters=skills.relaters)
    made = graph or KnowledgeGraph()
    facts = dict(made.documents)
    read, kept = [], []
    for name, text in documents(folder):
        mark = digest(text, reader)
        if name in facts and facts[name].fingerprint == mark:
            kept.append(name)
            continue
        if heard is not None:
            heard(name)
        facts[name] = facts_of(name, text, skills, mark)
        read.append(name)
    gone = set(facts) - {*read, *kept}
    left = {name: each for name, each in facts.items() if name not in gone}
    return Built(KnowledgeGraph(left, made.aliases), tuple(read), tuple(kept), tuple(sorted(gone)))


def facts_of(name: str, text: str, skills: Skills, fingerprint: str) -> DocumentFacts:
    """What one document says."""
    found = understand(skills, text)
    mentions = tuple(
        Mention(each.text, each.label, each.start, each.end, round(each.score, 4))
        for each in found.entities
    )
    return DocumentFacts(name, fingerprint, mentions, _statements(found), introduced(found))


def _statements(found: Understanding) -> tuple[Statement, ...]:
    places = sentences_of(found.text)
    made = []
    for tie in found.ties:
        place = found.entities[tie.head].start
        start, end = next((a, b) for a, b in places if a <= place < b)
        sentence = found.text[start:end]
        score = round(tie.score, 4)
        made.append(Statement(tie.head, tie.tail, tie.label, start, end, sentence, score))
    return tuple(made)


def introduced(found: Understanding) -> tuple[tuple[str, str], ...]:
    """(other name, name) where a text itself introduces a shorter name behind a longer one:
    "World Health Organization (WHO)", "世界卫生组织（以下简称“世卫组织”）"."""
    made = []
    for one, two in zip(found.entities, found.entities[1:], strict=False):
        between = found.text[one.end : two.start]
        shorter = len(two.text) < len(one.text) and two.label == one.label
        if shorter and _BETWEEN.fullmatch(between) and _shortens(one, two):
            made.append((two.text, one.text))
    return tuple(made)


def _shortens(whole: Entity, short: Entity) -> bool:
    """Whether a name's letters occur in another in this order, beginning with its first."""
    letters = iter(whole.text.casefold())
    wanted = [character for character in short.text.casefold() if character.isalnum()]
    begins = bool(wanted) and whole.text.casefold().startswith(wanted[0])
    return begins and all(character in letters for character in wanted)


def fingerprint_of(source: str) -> str:
    """What changes whenever the skills behind a source do."""
    place = Path(source)
    if place.is_file():
        return file_digest(place)
    if not place.is_dir():
        return digest(source)
    files = sorted(each for each in place.rglob("*") if each.is_file())
    return digest(*(f"{each.relative_to(place)} {file_digest(each)}" for each in files))
