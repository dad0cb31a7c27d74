"""Drawing a text that keeps rules: what may come next is masked or made likelier, token by token.

A rule changes the scores of the next token and knows only the tokens written so far. So the
distribution that a token was drawn from is a function of the tokens before it, its log-probability
is exact, and the episode can be learnt from and evaluated like any other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from speaq.core.seeds import generator
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.language_model import LanguageModel
from speaq.models.prefill import prefill
from speaq.models.token_bytes import TokenBytes, pending_of


@dataclass
class Draft:
    """What has been written so far."""

    spelling: TokenBytes
    room: int
    """Tokens that may still be written."""
    token_ids: list[int] = field(default_factory=list)
    data: bytes = b""
    """The text in bytes; it may end inside of a character."""

    @property
    def text(self) -> str:
        """The characters that are whole."""
        return self.data.decode("utf-8", errors="ignore")

    @property
    def pending(self) -> bytes:
        """The bytes of a character that is not whole yet."""
        return pending_of(self.data)

    def add(self, token: int) -> None:
        """Write one more token."""
        self.token_ids.append(token)
        self.data += self.spelling.spelt[token]
        self.room -= 1


class Rule(Protocol):
    """Something that a text must keep, or should."""

    def apply(self, draft: Draft, logits: Tensor) -> Tensor:
        """The scores (V,) of the next token, with -inf where it would break the rule.

        Changed in place or made anew; the tokens of `draft` alone decide how.
        """
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """One token, and ln of its probability in the distribution it was drawn from."""

    token_id: int
    logprob: float


@torch.inference_mode()
def draw_constrained(
    model: LanguageModel,
    prefix: Sequence[int],
    decoding: Decoding,
    rules: Sequence[Rule],
    draft: Draft,
    *,
    beta: float = 0.0,
    seed: int = 0,
) -> Iterator[Written]:
    """Yield the tokens of one text after `prefix`, the end token included if it is drawn.

    Rules are applied in order to the guided scores, before temperature and cuts. Only text and
    the end token are ever written: other special tokens, and bytes that are no UTF-8, have
    probability 0. Where rules leave nothing, the text ends.

    Args:
        model: needs a value head unless β is 0.
        prefix: at least one token.
        decoding: temperature, top-k, top-p, support; the draft's room is the longest text.
        rules: what the text must keep.
        draft: empty; grows with every token before it is yielded.
        beta: guides by π·exp(β·A).
        seed: of this text alone.
    """
    uniforms = generator(seed, "constrained")
    reading = prefill(model, [prefix])
    hidden = reading.hidden
    while draft.room > 0:
        logits = model.output_layer(hidden).float()
        if beta != 0:
            advantages = model.require_head().advantages(hidden.float())
            logits = guide(logits, advantages, beta, decoding.support)
        logprobs = log_probabilities(_ruled(draft, logits[0], rules)[None], decoding)[0].cpu()
        # float64: in float32 the rounding of many summands can reach a token of probability zero.
        cumulative = logprobs.double().exp().cumsum(0)
        token = int(torch.searchsorted(cumulative, cumulative[-1:] * uniforms.random(), right=True))
        draft.add(token)
        yield Written(token, float(logprobs[token]))
        if token == model.end_id:
            return
        if draft.room > 0:
            hidden = reading.extend(torch.tensor([[token]], device=hidden.device))[:, -1]


def _ruled(draft: Draft, logits: Tensor, rules: Sequence[Rule]) -> Tensor:
    """The scores (V,) with everything forbidden at -inf."""
    end, device = draft.spelling.end_id, logits.device
    allowed = draft.spelling.whole(draft.pending).to(device)
    masked = logits.masked_fill(~allowed, -torch.inf)
    if not draft.pending:
        masked[end] = logits[end]
    for rule in rules:
        masked = rule.apply(draft, masked)
    if not torch.isfinite(masked).any():
        masked[end] = 0.0
    return masked
