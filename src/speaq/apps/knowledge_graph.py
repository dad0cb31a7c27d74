"""What documents say about things: entities merged across documents, relations with their source.

What is kept is what each document said, a line of JSON for each, so that a document can be added
again or taken out; the merged graph follows from that. Offsets count characters of the document's
text, and an end is the place behind the last character.
"""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError
from speaq.core.files import digest, replacing_file
from speaq.core.places import require_file
from speaq.text.units import HAN

_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=\w)", re.IGNORECASE)
_EDGES = re.compile(r"^[\W_]+|(?:['’]s)?[\W_]*$")
_WORD = re.compile(rf"[^\W_{HAN}]")


@dataclass(frozen=True, slots=True)
class Mention:
    """A passage of a document that names something: `text[start:end] == name`."""

    name: str
    label: str
    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Statement:
    """A relation that a sentence of a document states between two of its mentions."""

    head: int
    """Which mention of the document."""
    tail: int
    label: str
    start: int
    """Of the sentence, in the document."""
    end: int
    sentence: str
    score: float = 1.0


@dataclass(frozen=True)
class DocumentFacts:
    """What one document says.

    Raises:
        DataError: a statement about a mention that is not there.
    """

    file: str
    fingerprint: str
    """Of the text, and of what read it; another one means that it has to be read anew."""
    mentions: tuple[Mention, ...] = ()
    statements: tuple[Statement, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    """(other name, name) as the document introduces them: World Health Organization (WHO)."""

    def __post_init__(self) -> None:
        for each in self.statements:
            if not (0 <= each.head < len(self.mentions) and 0 <= each.tail < len(self.mentions)):
                raise DataError(
                    f"a statement '{each.label}' is about mentions {each.head} and {each.tail}, "
                    f"and there are {len(self.mentions)}.",
                    f"关系“{each.label}”指向第 {each.head} 与 {each.tail} 个提及，"
                    f"而只有 {len(self.mentions)} 个。",
                    file=self.file,
                )


@dataclass(frozen=True, slots=True)
class Source:
    """Where something is said."""

    file: str
    start: int
    end: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing, however many documents name it."""

    id: str
    """A digest of its label and its normalised name; the same in every run."""
    name: str
    """As it is written most often."""
    label: str
    names: tuple[str, ...]
    """Every way in which it is written, the most usual first."""
    mentions: tuple[tuple[str, int, int], ...]
    """(file, start, end) of each."""


@dataclass(frozen=True, slots=True)
class Relation:
    """How one entity stands to another, and where that is said."""

    head: str
    """The id of an entity."""
    label: str
    tail: str
    score: float
    """Of the surest source."""
    sources: tuple[Source, ...]


def normalised(name: str) -> str:
    """What two spellings of one name share: width, case, blanks, articles and marks at the ends."""
    plain = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    bare = _EDGES.sub("", _ARTICLE.sub("", plain))
    return bare or plain


@dataclass(frozen=True)
class KnowledgeGraph:
    """The documents' facts, and the graph that they make together."""

    documents: Mapping[str, DocumentFacts] = field(default_factory=dict)
    """By file."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names by hand: other name -> name. They go before those that documents introduce."""

    def with_document(self, facts: DocumentFacts) -> "KnowledgeGraph":
        """The graph with a document, in place of what the same file said before."""
        return KnowledgeGraph({**self.documents, facts.file: facts}, self.aliases)

    def without(self, files: Iterable[str]) -> "KnowledgeGraph":
        """The graph without some files."""
        gone = set(files)
        kept = {name: facts for name, facts in self.documents.items() if name not in gone}
        return KnowledgeGraph(kept, self.aliases)

    @cached_property
    def entities(self) -> dict[str, Entity]:
        """The entities by id, those that are named most often first."""
        spelt: dict[str, Counter[str]] = defaultdict(Counter)
        places: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        labels: dict[str, str] = {}
        for file, facts in self.documents.items():
            for mention in facts.mentions:
                key = self._id(mention)
                spelt[key][mention.name] += 1
                places[key].append((file, mention.start, mention.end))
                labels[key] = mention.label
        made = {}
        for key in sorted(spelt, key=lambda each: (-len(places[each]), each)):
            names = tuple(sorted(spelt[key], key=lambda name: (-spelt[key][name], -len(name))))
            made[key] = Entity(key, names[0], labels[key], names, tuple(places[key]))
        return made

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The relations, each once, those with most sources first."""
        sources: dict[tuple[str, str, str], list[Source]] = defaultdict(list)
        scores: dict[tuple[str, str, str], float] = defaultdict(float)
        for file, facts in self.documents.items():
            for each in facts.statements:
                head, tail = (self._id(facts.mentions[n]) for n in (each.head, each.tail))
                if head == tail:
                    continue
                key = head, each.label, tail
                sources[key].append(Source(file, each.start, each.end, each.sentence))
                scores[key] = max(scores[key], each.score)
        ordered = sorted(sources, key=lambda key: (-len(sources[key]), key))
        return tuple(Relation(*key, scores[key], tuple(sources[key])) for key in ordered)

    @cached_property
    def _canonical(self) -> dict[str, str]:
        """Normalised other names -> normalised names."""
        found: dict[str, str] = {}
        given = [pair for facts in self.documents.values() for pair in facts.aliases]
        for other, name in (*given, *self.aliases.items()):
            if normalised(other) != normalised(name):
                found[normalised(other)] = normalised(name)
        return found

    def _id(self, mention: Mention) -> str:
        return digest(mention.label, self._merged(normalised(mention.name)))[:12]

    def _merged(self, name: str) -> str:
        seen = [name]
        while (following := self._canonical.get(seen[-1], name)) not in seen:
            seen.append(following)
        return seen[-1]

    def mentioned(self, text: str) -> list[Entity]:
        """The entities that a text, such as a question, names, in the order of the text.

        Of names inside of each other the longest counts. Words have to stand as a whole; Chinese
        names are found anywhere.
        """
        low = unicodedata.normalize("NFKC", text).casefold()
        found: list[tuple[int, int, str]] = []
        for name, keys in self._by_name.items():
            for place in _places(low, name):
                found += [(place, place + len(name), key) for key in keys]
        found.sort(key=lambda each: (each[0] - each[1], each[0]))
        kept: list[tuple[int, int, str]] = []
        for each in found:
            apart = (each[1] <= a or b <= each[0] or (a, b) == each[:2] for a, b, _ in kept)
            if all(apart):
                kept.append(each)
        return [self.entities[key] for key in dict.fromkeys(key for *_, key in sorted(kept))]

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for key, entity in self.entities.items():
            for name in {normalised(each) for each in entity.names}:
                found[name].append(key)
        canonical = {normalised(e.name): key for key, e in self.entities.items()}
        for other in self._canonical:
            merged = canonical.get(self._merged(other), "")
            if merged and merged not in found[other]:
                found[other].append(merged)
        return found

    def around(self, entity: str, hops: int = 1) -> list[Relation]:
        """The relations within so many steps of an entity, nearest first."""
        reached, border = {entity}, {entity}
        kept: dict[Relation, None] = {}
        for _ in range(hops):
            here = [each for each in self.relations if {each.head, each.tail} & border]
            kept.update(dict.fromkeys(here))
            border = {end for each in here for end in (each.head, each.tail)} - reached
            reached |= border
        return list(kept)


def _places(text: str, name: str) -> list[int]:
    """Where a name stands in a text, as whole words where it is of words."""
    found, place = [], text.find(name)
    while place >= 0:
        end = place + len(name)
        begins = place == 0 or not _WORD.match(name[0]) or not _WORD.match(text[place - 1])
        ends = end == len(text) or not _WORD.match(name[-1]) or not _WORD.match(text[end])
        if begins and ends:
            found.append(place)
        place = text.find(name, place + 1)
    return found


def save_graph(graph: KnowledgeGraph, file: Path) -> None:
    """Write a graph, all or nothing: a line of names by hand, then one for each document.

    Raises:
        StorageError: the disk refused.
    """
    with replacing_file(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps({"aliases": dict(graph.aliases)}, ensure_ascii=False) + "\n")
        for facts in graph.documents.values():
            stream.write(json.dumps(asdict(facts), ensure_ascii=False) + "\n")


def load_graph(file: Path) -> KnowledgeGraph:
    """Read what `save_graph` wrote.

    Raises:
        DataError: no such file, or a line that is damaged.
    """
    require_file(file)
    aliases: dict[str, str] = {}
    documents: dict[str, DocumentFacts] = {}
    with file.open(encoding="utf-8") as stream:
        for row, line in enumerate(stream, 1):
            try:
                record = json.loads(line)
                if row == 1:
                    aliases = dict(record["aliases"])
                    continue
                facts = _facts(record)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"this is no line of a knowledge graph ({type(error).__name__}: {error}).",
                    f"该行不是知识图谱的内容（{type(error).__name__}：{error}）。",
                    file=file,
                    row=row,
                ) from error
            documents[facts.file] = facts
    return KnowledgeGraph(documents, aliases)


def _facts(record: Mapping[str, Any]) -> DocumentFacts:
    return DocumentFacts(
        record["file"],
        record["fingerprint"],
        tuple(Mention(**each) for each in record["mentions"]),
        tuple(Statement(**each) for each in record["statements"]),
        tuple((other, name) for other, name in record["aliases"]),
    )
