"""One reply, drawn token by token, with the log-probability each token was drawn with."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from speaq.core.seeds import generator
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.prefill import prefill


class Drawn(NamedTuple):
    """One token of a reply."""

    token_id: int
    logprob: float
    """ln of its probability in the distribution it was drawn from: after β, temperature, top-p."""
    best: tuple[tuple[int, float], ...] = ()
    """The likeliest tokens of that distribution with their ln probabilities, best first."""


@torch.inference_mode()
def draw_tokens(
    model: LanguageModel,
    prefix: Sequence[int],
    decoding: Decoding,
    *,
    beta: float,
    seed: int,
    best: int = 0,
) -> Iterator[Drawn]:
    """Yield the tokens of one reply to `prefix`, the end token included if it is drawn.

    The same seed draws the same reply whatever else the process does meanwhile.

    Args:
        model: needs a value head unless β is 0.
        prefix: at least one token.
        decoding: temperature, top-p, longest reply.
        beta: guides by π·exp(β·A).
        seed: of this reply alone.
        best: how many of the likeliest tokens to report for each place.
    """
    uniforms = generator(seed, "reply")
    reading = prefill(model, [prefix])
    hidden = reading.hidden
    for step in range(decoding.max_new_tokens):
        logprobs = _next_logprobs(model, hidden, decoding, beta)
        token = _invert(logprobs, uniforms.random())
        yield Drawn(token, float(logprobs[token]), _likeliest(logprobs, best))
        if token == model.end_id or step + 1 == decoding.max_new_tokens:
            return
        hidden = reading.extend(torch.tensor([[token]], device=hidden.device))[:, -1]


def _next_logprobs(model: LanguageModel, hidden: Tensor, decoding: Decoding, beta: float) -> Tensor:
    """Log-probabilities (V,) of the next token in the state `hidden` (1, D)."""
    logits = model.output_layer(hidden).float()
    if beta != 0:
        advantages = model.require_head().advantages(hidden.float())
        logits = guide(logits, advantages, beta, decoding.support)
    return log_probabilities(logits, decoding)[0]


def _invert(logprobs: Tensor, uniform: float) -> int:
    """The first token whose cumulative probability exceeds `uniform` in [0, 1)."""
    # float64: in float32 the rounding of 50,000 summands can reach a token of probability zero.
    cumulative = logprobs.double().exp().cumsum(0)
    wanted = cumulative[-1:] * uniform
    return int(torch.searchsorted(cumulative, wanted, right=True).clamp(max=len(cumulative) - 1))


def _likeliest(logprobs: Tensor, count: int) -> tuple[tuple[int, float], ...]:
    if count == 0:
        return ()
    values, ids = logprobs.topk(min(count, len(logprobs)))
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return tuple((i, value) for i, value in pairs if value != -torch.inf)
