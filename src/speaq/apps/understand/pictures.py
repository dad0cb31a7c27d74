"""Findings as pictures: standalone HTML with inline SVG, nothing of it fetched from anywhere."""

import unicodedata
from collections.abc import Sequence
from html import escape

from speaq.apps.understand.results import Entity, Labels, Tie, Understanding, Word
from speaq.apps.understand.terminal import arc_lanes
from speaq.apps.understand.units import sentences_of

_HUES = (210, 28, 140, 330, 265, 48, 180, 0, 95, 300)
_LINE, _LANE = 22, 24
STYLE = """
.speaq-seen{font:16px/1.9 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;
color:#1c2430;background:#fff;overflow-wrap:anywhere}
.speaq-seen mark{padding:.1em .3em;border-radius:.35em;color:inherit;
-webkit-box-decoration-break:clone;box-decoration-break:clone}
.speaq-seen mark small{font-size:.68em;margin-left:.4em;opacity:.8;font-weight:600}
.speaq-seen .bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:.1em .7em;
max-width:30em;margin:.4em 0 1em;font-size:.9em;align-items:center}
.speaq-seen .bars i{display:block;height:.7em;border-radius:.35em;background:#3d7ecb}
.speaq-seen .bars b{grid-column:1/-1;margin-top:.3em}
.speaq-seen .scroll{overflow-x:auto;margin:.6em 0}
.speaq-seen svg text{font:15px system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",
sans-serif;fill:#1c2430;paint-order:stroke;stroke:#fff;stroke-width:4px}
.speaq-seen svg .small{font-size:11px;fill:#56606e}
.speaq-seen svg path{fill:none;stroke:#7c8796;stroke-width:1.3}
.speaq-seen svg .tip{fill:#7c8796;stroke:none}
"""


def page(title: str, body: str, language: str = "en") -> str:
    """A whole document around a picture."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>body{{margin:1.2em;background:#fff}}{STYLE}</style>"
        f"</head><body>{body}</body></html>\n"
    )


def picture(found: Understanding) -> str:
    """Everything that was found, as HTML to stand in a page that has `STYLE`."""
    parts = [bars(task, labels) for task, labels in found.labels.items()]
    if found.entities or not (found.labels or found.words):
        parts.append(entity_picture(found.text, found.entities))
    if found.ties:
        parts += tie_pictures(found)
    if found.words:
        parts += tree_pictures(found)
    return f'<div class="speaq-seen">{"".join(parts)}</div>'


def bars(task: str, labels: Labels, most: int = 8) -> str:
    """The classes as bars, the likeliest first."""
    given = {each.label for each in labels.given}
    rows = [f"<b>{escape(task)}{' ?' if labels.abstained else ''}</b>"]
    for each in labels.ranked[:most]:
        name = escape(each.label)
        shown = f"<strong>{name}</strong>" if each.label in given else name
        rows.append(
            f'<span>{shown}</span><i style="width:{100 * each.score:.1f}%"></i>'
            f"<span>{each.score:.2f}</span>"
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def colour(label: str, labels: Sequence[str], light: int = 86) -> str:
    """A colour for a label among labels."""
    place = list(labels).index(label) if label in labels else 0
    return f"hsl({_HUES[place % len(_HUES)]} 75% {light}%)"


def entity_picture(text: str, entities: Sequence[Entity]) -> str:
    """The text with its entities marked."""
    labels = sorted({each.label for each in entities})
    parts, done = [], 0
    for each in entities:
        parts.append(_lined(text[done : each.start]))
        parts.append(
            f'<mark style="background:{colour(each.label, labels)}" '
            f'title="{escape(each.label)} {each.score:.2f}">{_lined(each.text)}'
            f"<small>{escape(each.label)}</small></mark>"
        )
        done = each.end
    return f"<p>{''.join(parts)}{_lined(text[done:])}</p>"


def _lined(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _width(text: str) -> float:
    """About how wide a text is at 15 pixels: a Chinese character is as wide as high."""
    return sum(15.4 if unicodedata.east_asian_width(c) in "WF" else 8.4 for c in text)


def tree_pictures(found: Understanding) -> list[str]:
    """An arc diagram of each sentence."""
    made = []
    for start, end in sentences_of(found.text):
        here = [n for n, word in enumerate(found.words) if start <= word.start and word.end <= end]
        if here:
            first = here[0]
            words = [_moved(found.words[n], first) for n in here]
            made.append(_arcs(words))
    return made


def _moved(word: Word, first: int) -> Word:
    head = word.head - first if word.head >= 0 else -1
    return Word(word.text, word.start, word.end, word.pos, head, word.relation, word.score)


def _arcs(words: Sequence[Word]) -> str:
    """Words in a row, an arrow from each head to its word above them."""
    widths = [max(_width(w.text), _width(w.pos) * 0.75, _width(w.relation) * 0.6) for w in words]
    middles, x = [], 12.0
    for width in widths:
        middles.append(x + width / 2)
        x += width + 22
    arcs = [
        (n, word.head, lane, word.relation)
        for n, lane in arc_lanes(words).items()
        for word in [words[n]]
    ]
    height = _LANE * max((lane for _, _, lane, _ in arcs), default=0) + 20
    parts = [_arrow(middles[head], middles[n], height, lane, name) for n, head, lane, name in arcs]
    for n, word in enumerate(words):
        parts.append(_text(middles[n], height + _LINE, word.text))
        parts.append(_text(middles[n], height + 1.8 * _LINE, word.pos, "small"))
        if word.head < 0:
            parts.append(_text(middles[n], height + 2.5 * _LINE, word.relation, "small"))
    return _svg(x, height + 2.8 * _LINE, parts)


def tie_pictures(found: Understanding) -> list[str]:
    """Each sentence that states relations, its entities in a row, with labelled arrows above."""
    made = []
    for start, end in sentences_of(found.text):
        inside = [n for n, e in enumerate(found.entities) if start <= e.start and e.end <= end]
        ties = [tie for tie in found.ties if tie.head in inside and tie.tail in inside]
        if ties:
            made.append(_ties([found.entities[n] for n in inside], ties, inside))
    return made


def _ties(entities: Sequence[Entity], ties: Sequence[Tie], numbers: Sequence[int]) -> str:
    gap = max(_width(tie.label) for tie in ties) * 0.75 + 26
    middles, x = [], 12.0
    for each in entities:
        width = max(_width(each.text), _width(each.label) * 0.75)
        middles.append(x + width / 2)
        x += width + gap
    place = {number: n for n, number in enumerate(numbers)}
    pairs = [(place[tie.head], place[tie.tail], tie.label) for tie in ties]
    ordered = sorted(pairs, key=lambda pair: abs(pair[0] - pair[1]))
    height = _LANE * len(ordered) + 20
    parts = [
        _arrow(middles[head], middles[tail], height, lane, label)
        for lane, (head, tail, label) in enumerate(ordered, 1)
    ]
    for n, each in enumerate(entities):
        parts.append(_text(middles[n], height + _LINE, each.text))
        parts.append(_text(middles[n], height + 1.8 * _LINE, each.label, "small"))
    return _svg(x - gap + 24, height + 2.3 * _LINE, parts)


def _arrow(start: float, end: float, base: float, lane: int, name: str) -> str:
    top = base - _LANE * lane + 6
    shift = 4 if end > start else -4
    path = f"M{start + shift:.1f},{base} V{top + 6:.1f} Q{start + shift:.1f},{top:.1f} "
    side = 6 if end > start else -6
    path += f"{start + shift + side:.1f},{top:.1f} H{end - shift - side:.1f} "
    path += f"Q{end - shift:.1f},{top:.1f} {end - shift:.1f},{top + 6:.1f} V{base - 4}"
    x = end - shift
    tip = f"M{x - 3.5:.1f},{base - 6} H{x + 3.5:.1f} L{x:.1f},{base} Z"
    return f'<path d="{path}"/><path class="tip" d="{tip}"/>' + _text(
        (start + end) / 2, top - 3, name, "small"
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{style}>{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f"{''.join(parts)}</svg></div>"
    )
