"""A knowledge graph to look at: a page of its own, and lines in the terminal."""

import json
from html import escape
from importlib.resources import files
from math import cos, pi, sin

from speaq.apps.knowledge_graph import Entity, KnowledgeGraph, Relation
from speaq.apps.understand.pictures import colour
from speaq.apps.understand.terminal import table
from speaq.core.language import say

_NEAR = 14
"""Neighbours that a picture shows."""


def graph_page(graph: KnowledgeGraph, title: str) -> str:
    """The whole graph as one HTML file: a list to search, and what is said of each entity.

    Nothing is fetched; data and script stand in the file.
    """
    data = {
        "entities": [
            [key, each.name, each.label, list(each.names), len(each.mentions)]
            for key, each in graph.entities.items()
        ],
        "relations": [
            [
                each.head,
                each.label,
                each.tail,
                round(each.score, 3),
                [[s.file, s.start, s.end, s.sentence] for s in each.sources],
            ]
            for each in graph.relations
        ],
    }
    # Inside of a script element only this could end it.
    held = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    frame = files("speaq.apps.understand").joinpath("graph.html").read_text(encoding="utf-8")
    return frame.replace("%TITLE%", escape(title)).replace("%DATA%", held)


def neighbourhood(graph: KnowledgeGraph, entity: Entity) -> str:
    """An entity amid those it is related to, as inline SVG."""
    relations = graph.around(entity.id)
    others = list(dict.fromkeys(_other(each, entity) for each in relations))[:_NEAR]
    labels = sorted({each.label for each in graph.entities.values()})
    places = {entity.id: (230.0, 190.0)}
    for n, key in enumerate(others):
        angle = 2 * pi * n / len(others) - pi / 2
        places[key] = (230 + 165 * cos(angle), 190 + 150 * sin(angle))
    parts = []
    drawn: dict[tuple[str, str], int] = {}
    for each in relations:
        if each.head in places and each.tail in places:
            pair = (min(each.head, each.tail), max(each.head, each.tail))
            drawn[pair] = drawn.get(pair, 0) + 1
            parts.append(_line(places[each.head], places[each.tail], each.label, drawn[pair]))
    for key, (x, y) in places.items():
        one = graph.entities[key]
        fill = colour(one.label, labels)
        name = one.name if len(one.name) <= 18 else one.name[:17] + "…"
        # A name above the middle stands above its circle, clear of the line to it.
        below = y - 14 if y < 100 else y + 24
        parts.append(
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{11 if key == entity.id else 8}" '
            f'style="fill:{fill};stroke:#56606e"/>'
            f'<text x="{x:.0f}" y="{below:.0f}" text-anchor="middle">{escape(name)}</text>'
        )
    return (
        '<div class="speaq-seen"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 460 380" '
        'style="width:100%;max-width:460px;height:auto" role="img">'
        f"{''.join(parts)}</svg></div>"
    )


def _other(relation: Relation, entity: Entity) -> str:
    return relation.tail if relation.head == entity.id else relation.head


def _line(start: tuple[float, float], end: tuple[float, float], label: str, count: int) -> str:
    (a, b), (c, d) = start, end
    x, y = a + 0.6 * (c - a), b + 0.6 * (d - b) + 13 * (count - 1)
    # The tip stands clear of the circle it points at.
    length = max(1.0, ((c - a) ** 2 + (d - b) ** 2) ** 0.5)
    ux, uy = (c - a) / length, (d - b) / length
    tx, ty = c - 13 * ux, d - 13 * uy
    tip = f"M{tx - 7 * ux - 4 * uy:.1f},{ty - 7 * uy + 4 * ux:.1f} L{tx:.1f},{ty:.1f} "
    tip += f"L{tx - 7 * ux + 4 * uy:.1f},{ty - 7 * uy - 4 * ux:.1f} Z"
    return (
        f'<path d="M{a:.1f},{b:.1f} L{tx:.1f},{ty:.1f}"/><path class="tip" d="{tip}"/>'
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" class="small">{escape(label)}</text>'
    )


def told_of(graph: KnowledgeGraph, entity: Entity, most: int = 20) -> str:
    """What the documents say of an entity, line by line, each with its source."""
    places = len({file for file, _, _ in entity.mentions})
    lines = [
        f"{entity.name} ({entity.label})",
        say(
            f"{len(entity.mentions)} mentions in {places} documents",
            f"{places} 篇文档中共 {len(entity.mentions)} 次提及",
        ),
    ]
    if len(entity.names) > 1:
        lines.append(say("also: ", "又作：") + ", ".join(entity.names[1:]))
    for each in graph.around(entity.id)[:most]:
        head, tail = graph.entities[each.head].name, graph.entities[each.tail].name
        lines.append(f"{head} ─ {each.label} → {tail}  {each.score:.2f}")
        for source in each.sources[:3]:
            lines.append(f"    {source.file}:{source.start}-{source.end}  {source.sentence}")
    return "\n".join(lines)


def overview(graph: KnowledgeGraph, most: int = 20) -> str:
    """The entities that are named most often."""
    rows = [(say("entity", "实体"), say("kind", "类别"), say("mentions", "提及"))]
    for each in list(graph.entities.values())[:most]:
        rows.append((each.name, each.label, str(len(each.mentions))))
    counts = say(
        f"{len(graph.entities)} entities, {len(graph.relations)} relations, "
        f"{len(graph.documents)} documents",
        f"{len(graph.entities)} 个实体，{len(graph.relations)} 条关系，"
        f"{len(graph.documents)} 篇文档",
    )
    return f"{counts}\n\n{table(rows)}"
