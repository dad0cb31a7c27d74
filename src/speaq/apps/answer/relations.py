"""Following relations: a question about one thing is also asked about its neighbours.

"Where did the designer of the P-7 study?" names the P-7; what is wanted stands with its designer.
A knowledge graph (`speaq understand` makes one from the same documents) says who that is, and the
question is asked once more with the neighbour's name in the place of the thing's own.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from speaq.apps.answer.searching import Found, Search
from speaq.apps.answer.terms import terms
from speaq.apps.knowledge_graph import Entity, KnowledgeGraph, Relation, load_graph

_NEIGHBOURS = 5
"""Neighbours that are asked about, those with most sources first."""


class Follower:
    """Follows the relations of a graph.

    Args:
        file: that `speaq.apps.knowledge_graph.save_graph` wrote.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    @cached_property
    def graph(self) -> KnowledgeGraph:
        """The graph, read when it is first asked.

        Raises:
            DataError: no such file, or a damaged one.
        """
        return load_graph(self._file)

    def further(self, search: Search, question: str, found: Sequence[Found]) -> list[Found]:
        """A passage about each neighbour of what the question names, where it is not found yet.

        Args:
            search: of the documents.
            question: as it stands alone.
            found: what was found without the graph.
        """
        known = {each.passage.key for each in found}
        top = max((each.score for each in found), default=1.0)
        made: list[Found] = []
        for entity, relation in self._relations(question):
            neighbour = self._neighbour(entity, relation)
            # The relation answers for the thing's name and for its own words.
            rest = _left(question, entity, relation)
            best = max((_share(rest, each) for each in found), default=0.0)
            for each in search.find(_about(question, entity, neighbour), 2):
                named = any(name in each.passage.text for name in neighbour.names)
                if named and each.passage.key not in known:
                    known.add(each.passage.key)
                    leads = _share(rest, each) > best
                    score = top * (1 + _share(rest, each)) if leads else min(each.score, top / 2)
                    made.append(replace(each, score=score, through=self._said(relation)))
        return made

    def _relations(self, question: str) -> list[tuple[Entity, Relation]]:
        pairs = [
            (entity, relation)
            for entity in self.graph.mentioned(question)
            for relation in self.graph.around(entity.id)
        ]
        return pairs[:_NEIGHBOURS]

    def _neighbour(self, entity: Entity, relation: Relation) -> Entity:
        other = relation.tail if relation.head == entity.id else relation.head
        return self.graph.entities[other]

    def _said(self, relation: Relation) -> str:
        head, tail = (self.graph.entities[each].name for each in (relation.head, relation.tail))
        return f"{head} — {relation.label} → {tail}"


def _about(question: str, entity: Entity, neighbour: Entity) -> str:
    """The question with the neighbour's name in the place of the entity's."""
    low = question.casefold()
    for name in sorted(entity.names, key=len, reverse=True):
        place = low.find(name.casefold())
        if place >= 0:
            return question[:place] + neighbour.name + question[place + len(name) :]
    return f"{question} {neighbour.name}"


def _left(question: str, entity: Entity, relation: Relation) -> frozenset[str]:
    """The terms of a question that neither the entity nor the relation accounts for."""
    return terms().asked(question) - set(terms().of(" ".join((*entity.names, relation.label))))


def _share(asked: frozenset[str], found: Found) -> float:
    """What share of some terms a passage holds."""
    return len(asked & set(terms().of(found.passage.text))) / len(asked) if asked else 0.0
