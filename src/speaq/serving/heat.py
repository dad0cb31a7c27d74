"""What the value function made of a reply, token by token, and what it would rather have said."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speaq.models.decoding import guide
from speaq.models.language_model import LanguageModel
from speaq.serving.spelling import Speller

ROWS = 32
"""Places scored at once: a few scores per vocabulary entry each, 25 MB for 50,000 tokens."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood in a place."""

    text: str
    base: float
    """Probability under the model alone, temperature 1."""
    guided: float | None
    """Probability under π·exp(β·A); None without a value head."""
    advantage: float | None
    """See `TokenHeat.advantage`; None without a value head."""


@dataclass(frozen=True, slots=True)
class TokenHeat:
    """One token of a reply."""

    text: str
    """What it adds to the text; empty while a character is not whole."""
    chosen: Alternative
    others: tuple[Alternative, ...]
    """The likeliest other tokens of the guided (else the base) distribution, best first."""

    @property
    def advantage(self) -> float | None:
        """A(s, a) − E_{b∼π} A(s, b): how much better than what the model says here on average.

        A shift of A that is the same for all tokens changes no probability, so only this
        difference carries meaning.
        """
        return self.chosen.advantage


@torch.inference_mode()
def token_heat(
    model: LanguageModel,
    prefix: Sequence[int],
    reply: Sequence[int],
    *,
    beta: float,
    alternatives: int = 3,
) -> list[TokenHeat]:
    """Score every token of `reply` after `prefix`, from one forward pass.

    Args:
        model: with a value head for advantages; without one only probabilities are given.
        prefix: at least one token.
        reply: K tokens, the end token included if it was drawn.
        beta: of the guided distribution; ignored without a value head.
        alternatives: how many other tokens to report for each place.
    """
    if not reply:
        return []
    source, before = model.context(prefix)
    device = model.output_table.device
    tokens = torch.tensor([[*before, *reply]], device=device)
    read = torch.tensor([source], dtype=torch.long, device=device)
    first = len(before) - 1
    states = model.hidden_states(tokens, source=read)[0, first : first + len(reply)]  # (K, D)
    texts = _spell(model, reply)
    heat: list[TokenHeat] = []
    for start in range(0, len(reply), ROWS):
        part = slice(start, start + ROWS)
        heat += _score(model, states[part], reply[part], texts[part], beta, alternatives)
    return heat


def _score(
    model: LanguageModel,
    states: Tensor,
    tokens: Sequence[int],
    texts: Sequence[str],
    beta: float,
    alternatives: int,
) -> list[TokenHeat]:
    """Heat of K tokens taken in `states` (K, D)."""
    logits = model.output_layer(states).float()
    base = logits.softmax(-1)  # (K, V)
    guided, advantages = None, None
    if model.head is not None:
        raw = model.head.advantages(states.float())
        guided = guide(logits, raw, beta).softmax(-1)
        advantages = raw - (base * raw).sum(-1, keepdim=True)
    ranked = base if guided is None else guided
    best = ranked.topk(min(alternatives + 1, ranked.shape[1]), dim=-1).indices.tolist()

    def alternative(place: int, token: int) -> Alternative:
        return Alternative(
            text=_token_text(model, token),
            base=float(base[place, token]),
            guided=None if guided is None else float(guided[place, token]),
            advantage=None if advantages is None else float(advantages[place, token]),
        )

    return [
        TokenHeat(
            text,
            alternative(place, token),
            tuple(alternative(place, i) for i in best[place] if i != token)[:alternatives],
        )
        for place, (token, text) in enumerate(zip(tokens, texts, strict=True))
    ]


def _spell(model: LanguageModel, reply: Sequence[int]) -> list[str]:
    """What each token adds to the text."""
    speller = Speller(model.decode)
    texts = [speller.add(token) for token in reply]
    texts[-1] += speller.end()
    return texts


def _token_text(model: LanguageModel, token: int) -> str:
    if token == model.end_id:
        return ""
    return str(model.tokenizer.decode([token]))
