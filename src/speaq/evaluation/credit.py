"""Where the credit went: what the value head made of every token, and what it would rather see."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from speaq.models.decoding import guide
from speaq.models.language_model import LanguageModel
from speaq.training.encoding import Encoded
from speaq.training.features import Features

_GOOD, _BAD = "31, 111, 139", "217, 119, 6"


@dataclass(frozen=True)
class Choice:
    """A token that could stand in a place."""

    text: str
    base: float
    """Its probability under the model alone, temperature 1."""
    guided: float
    """Its probability under π·exp(β·A)."""
    advantage: float
    """A(s, a) less its mean under the model."""


@dataclass(frozen=True)
class Place:
    """One token of an episode."""

    text: str
    """What it adds to the text; empty while a character is not whole."""
    said: Choice
    instead: tuple[Choice, ...]
    """The likeliest others when guided, best first."""


@dataclass(frozen=True)
class Credit:
    """One episode, token by token."""

    id: str
    prompt: str
    reward: float
    """What it earned in all."""
    places: tuple[Place, ...]


@torch.inference_mode()
def credit(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    features: Features,
    use: Tensor,
    shown: Sequence[int],
    beta: float,
    alternatives: int,
) -> list[Credit]:
    """Score the tokens of the episodes `shown` by the members `use` (M, N) allows."""
    model = model.for_batches()
    device = model.output_table.device
    told = []
    for index in shown:
        each = encoded[index]
        states = features.states(index)[:-1].to(device)
        judge = use[:, index, None].to(device)
        tokens = each.action_tokens.tolist()
        places = []
        for k, text in enumerate(_spelled(model, tokens)):
            state = states[k : k + 1]
            said, *others = _choices(model, state, tokens[k], judge, beta, alternatives)
            places.append(Place(text, said, tuple(others)))
        told.append(Credit(each.id, each.group, float(each.rewards.sum()), tuple(places)))
    return told


@torch.inference_mode()
def places_of(
    model: LanguageModel,
    prefix: Sequence[int],
    reply: Sequence[int],
    beta: float,
    alternatives: int,
) -> tuple[Place, ...]:
    """What the whole value head makes of each token of one reply, from one forward pass.

    Args:
        model: with a value head.
        prefix: at least one token.
        reply: K tokens.
        beta: of the guided probabilities.
        alternatives: how many other tokens to tell for each place.
    """
    source, before = model.context(prefix)
    device = model.output_table.device
    states = model.hidden_states(
        torch.tensor([[*before, *reply]], device=device),
        source=torch.tensor([source], dtype=torch.long, device=device),
    )[0, len(before) - 1 : -1]
    places = []
    for k, text in enumerate(_spelled(model, reply)):
        state = states[k : k + 1].float()
        said, *others = _choices(model, state, reply[k], None, beta, alternatives)
        places.append(Place(text, said, tuple(others)))
    return tuple(places)


def _spelled(model: LanguageModel, tokens: Sequence[int]) -> list[str]:
    """What each token adds to the text."""
    told, done = [], ""
    for k in range(len(tokens)):
        whole = model.decode(tokens[: k + 1])
        # A replacement mark at the end is a character that the next tokens may complete.
        open_ended = whole.endswith("\ufffd") and k + 1 < len(tokens)
        told.append("" if open_ended else whole[len(done) :])
        done = done if open_ended else whole
    return told


def _choices(
    model: LanguageModel,
    state: Tensor,
    token: int,
    judge: Tensor | None,
    beta: float,
    alternatives: int,
) -> list[Choice]:
    """The token taken in a state (1, D), and the best others after it."""
    logits = model.output_layer(state.to(model.output_table.dtype)).float()
    with model.fast_products():
        raw = model.require_head().advantages(state, judge).float()
    base = logits.softmax(-1)[0]
    guided = guide(logits, raw, beta).softmax(-1)[0]
    advantages = raw[0] - (base * raw[0]).sum()

    def choice(one: int) -> Choice:
        text = str(model.tokenizer.decode([one]))
        return Choice(text, float(base[one]), float(guided[one]), float(advantages[one]))

    best = guided.topk(min(alternatives + 1, len(guided))).indices.tolist()
    others = [one for one in best if one != token][:alternatives]
    return [choice(one) for one in (token, *others)]


def page(told: Sequence[Credit], beta: float) -> str:
    """The episodes as one HTML page: text coloured by advantage, details on pointing.

    Nothing is loaded and no script runs. Orange to blue can be told apart by people with any
    common colour blindness.
    """
    scale = max((abs(p.said.advantage) for each in told for p in each.places), default=0.0)
    body = "".join(_episode(each, scale, beta) for each in told)
    return (
        '<!doctype html><html><meta charset="utf-8"><title>speaq: credit</title>'
        "<style>body{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "h2{font-size:1em;margin:2em 0 .3em}small{color:#555}"
        "p{white-space:pre-wrap}span{border-radius:3px;padding:.15em 0}</style>"
        f"<p><small>A(s, a), blue better and orange worse than usual, ±{scale:.3g}; "
        f"β = {beta:g}. 蓝色优于平均，橙色差于平均；指向词元可见其替代。</small></p>{body}</html>\n"
    )


def _episode(told: Credit, scale: float, beta: float) -> str:
    tokens = "".join(
        f'<span style="background:rgba({_GOOD if p.said.advantage >= 0 else _BAD}, '
        f'{0.75 * abs(p.said.advantage) / scale if scale else 0.0:.3f})" '
        f'title="{escape(_details(p, beta), quote=True)}">{escape(p.text) or "&#8203;"}</span>'
        for p in told.places
    )
    return (
        f"<h2>{escape(told.prompt)}</h2><small>{escape(told.id)} · {told.reward:+.3g}</small>"
        f"<p>{tokens}</p>"
    )


def _details(place: Place, beta: float) -> str:
    marked = [("•", place.said), *(("→", other) for other in place.instead)]
    return "\n".join(
        f"{mark} {one.text!r}  A {one.advantage:+.3f}  "
        f"π {one.base:.3f}  β = {beta:g}: {one.guided:.3f}"
        for mark, one in marked
    )
