"""The heat map as HTML: text coloured word by word, details on pointing or with the keyboard.

Details are part of the page and shown by style alone: no script, nothing is loaded. Colours go
from orange over white to blue, which people with any common colour blindness can tell apart.
"""

from collections.abc import Sequence
from html import escape

from speaq.serving.heat import Alternative, TokenHeat
from speaq.serving.texts import Texts

_GOOD = "31, 111, 139"
_BAD = "217, 119, 6"


def render(heat: Sequence[TokenHeat], beta: float, words: Texts) -> str:
    """The panel for one reply; an invitation if there is none yet."""
    if not heat:
        return f'<div class="heat"><p class="heat-empty">{escape(words.heat_empty)}</p></div>'
    valued = heat[0].advantage is not None
    scale = max((abs(token.advantage or 0.0) for token in heat), default=0.0)
    body = "".join(_token(token, scale, beta, words) for token in heat)
    note = "" if valued else f'<p class="heat-note">{escape(words.no_head)}</p>'
    return (
        f'<div class="heat">{_legend(valued, scale, words)}{note}'
        f'<div class="heat-text">{body}</div>'
        f'<p class="heat-hint">{escape(words.heat_hint)}</p></div>'
    )


def _legend(valued: bool, scale: float, words: Texts) -> str:
    low, high = (words.worse, words.better) if valued else (words.unlikely, words.likely)
    bar = "heat-bar" if valued else "heat-bar heat-bar-one"
    figure = words.scale.format(scale=f"{scale:.3g}") if valued else "0 – 1"
    return (
        f'<div class="heat-legend"><span>{escape(low)}</span><span class="{bar}"></span>'
        f'<span>{escape(high)}</span><span class="heat-scale">{escape(figure)}</span></div>'
    )


def colour(token: TokenHeat, scale: float) -> str:
    """The background of a token: by advantage on ±scale, without one by probability."""
    if token.advantage is None:
        return f"rgba({_GOOD}, {0.75 * token.chosen.base:.3f})"
    strength = 0.75 * abs(token.advantage) / scale if scale > 0 else 0.0
    return f"rgba({_GOOD if token.advantage >= 0 else _BAD}, {strength:.3f})"


def _token(token: TokenHeat, scale: float, beta: float, words: Texts) -> str:
    shown = escape(token.text).replace("\n", '<span class="heat-break">⏎</span><br>')
    kind = "heat-token"
    if not token.text:
        # A piece of a character still to come, or the end: a sliver that can be pointed at.
        kind += " heat-sliver"
        shown = "&#8203;"
    label = escape(_label(token, words), quote=True)
    return (
        f'<span class="{kind}" tabindex="0" role="button" aria-label="{label}" '
        f'style="background:{colour(token, scale)}">'
        f"{shown}{_details(token, beta, words)}</span>"
    )


def _label(token: TokenHeat, words: Texts) -> str:
    name = token.text or token.chosen.text or words.end
    if token.advantage is None:
        return f"{name}: {token.chosen.base:.0%}"
    return f"{name}: {words.advantage} {token.advantage:+.3f}"


def _details(token: TokenHeat, beta: float, words: Texts) -> str:
    valued = token.advantage is not None
    heads = [words.token, words.model_alone]
    if valued:
        heads = [*heads, words.guided.format(beta=f"{beta:g}"), words.advantage]
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    rows = _row(token.chosen, words.said, words)
    rows += "".join(_row(other, words.instead, words) for other in token.others)
    return (
        f'<span class="heat-details" role="tooltip"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></span>"
    )


def _row(one: Alternative, kind: str, words: Texts) -> str:
    shown = one.text.replace("\n", "⏎") if one.text else words.end
    cells = [f"<code>{escape(shown)}</code>", _percent(one.base)]
    if one.guided is not None and one.advantage is not None:
        sign = "heat-plus" if one.advantage >= 0 else "heat-minus"
        cells += [_percent(one.guided), f'<span class="{sign}">{one.advantage:+.3f}</span>']
    listed = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><td class="heat-kind">{escape(kind)}</td>{listed}</tr>'


def _percent(probability: float) -> str:
    return f"{100 * probability:.3g} %" if probability >= 0.0005 else "&lt; 0.05 %"
