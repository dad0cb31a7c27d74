"""From scores to the distribution a token is drawn from: temperature, top-k, top-p."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from speaq.core.errors import SettingsError


@dataclass(frozen=True)
class Decoding:
    """How replies are drawn. A log and the gate that reads it need the same settings."""

    temperature: float = 1.0
    """Logits are divided by this; 0 takes the best token always."""
    top_k: int = 0
    """Keep only this many best tokens; 0 keeps all."""
    top_p: float = 1.0
    """Keep the fewest best tokens whose probability reaches this; 1 keeps all."""
    support: float = 0.0
    """Guidance chooses only among tokens at least this share as likely as the likeliest one under
    the unguided model; 0 among all. Says nothing where nothing guides."""
    max_new_tokens: int = 64
    """Longest reply, in tokens; a reply cut here is truncated, not ended."""

    def __post_init__(self) -> None:
        checks = (
            ("temperature", self.temperature >= 0, "≥ 0"),
            ("top_k", self.top_k >= 0, "≥ 0"),
            ("top_p", 0 < self.top_p <= 1, "in (0, 1]"),
            ("support", 0 <= self.support <= 1, "in [0, 1]"),
            ("max_new_tokens", self.max_new_tokens >= 1, "≥ 1"),
        )
        for name, good, wanted in checks:
            if not good or not math.isfinite(self.temperature):
                raise SettingsError(
                    f"decoding setting {name} = {vars(self)[name]} must be {wanted}.",
                    f"解码参数 {name} = {vars(self)[name]} 必须 {wanted}。",
                )

    def facts(self) -> dict[str, float]:
        """The settings by name. A support of 0 is left out: so logs made before there was such a
        setting are still found to be the same."""
        return {name: value for name, value in asdict(self).items() if name != "support" or value}

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.facts().items())
        return f"Decoding({told})"


def log_probabilities(logits: Tensor, decoding: Decoding) -> Tensor:
    """Log-probabilities of the next token as it will be drawn: (N, V) -> (N, V) float32.

    Tokens cut by top-k or top-p, and all but the best at temperature 0, get -inf. The order is
    that of `transformers`: temperature, then top-k, then top-p.
    """
    logits = logits.float()
    if decoding.temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter_(-1, best, 0.0)
    if decoding.temperature != 1:
        # With the maximum taken off, a temperature near 0 gives -inf rather than inf - inf.
        logits = (logits - logits.amax(-1, keepdim=True)) / decoding.temperature
    if 0 < decoding.top_k < logits.shape[-1]:
        least = logits.topk(decoding.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    logprobs = torch.log_softmax(logits, dim=-1)
    if decoding.top_p < 1:
        ordered, order = logprobs.sort(dim=-1, descending=True)
        before = ordered.exp().cumsum(-1) - ordered.exp()  # probability of the better tokens
        cut = torch.zeros_like(logprobs, dtype=torch.bool).scatter_(
            -1, order, before >= decoding.top_p
        )
        logprobs = torch.log_softmax(logprobs.masked_fill(cut, -torch.inf), dim=-1)
    return logprobs


def guide(logits: Tensor, advantages: Tensor, beta: float, support: float = 0.0) -> Tensor:
    """Logits of the guided policy π_β(a|s) ∝ π(a|s)·exp(β·A(s,a)), up to a constant per row.

    With `support` > 0, tokens with π(a|s) < support · max π(·|s) get -inf: of tokens the log never
    tried, A says what generalisation made up, and a large β would find the worst of it. This is
    the threshold of discrete BCQ (Fujimoto et al. 2019, eq. 11) with the model as the behaviour.

    Args:
        logits: (N, V) of the base policy.
        advantages: (N, V).
        beta: 0 returns `logits` themselves, bit for bit.
        support: see `Decoding.support`.

    Raises:
        SettingsError: β is not finite or so large that β·A overflows.
    """
    require_finite(beta)
    if beta == 0:
        return logits
    # The row maximum cancels in the softmax; taking it off keeps β·A from overflowing upwards.
    shift = beta * advantages
    low, high = shift.aminmax(dim=-1, keepdim=True)
    if not (torch.isfinite(low) & torch.isfinite(high)).all():
        raise _overflow(beta)
    guided = shift.sub_(high).to(logits.dtype).add_(logits)
    return guided.masked_fill_(unlikely(logits, support), -torch.inf) if support else guided


def unlikely(logits: Tensor, support: float) -> Tensor:
    """Which tokens are less than `support` > 0 as likely as their row's likeliest: (N, V) bool."""
    return logits < logits.amax(-1, keepdim=True) + math.log(support)


def require_finite(beta: float) -> None:
    """Refuse a β that is not a finite number.

    Raises:
        SettingsError: names β.
    """
    if not math.isfinite(beta):
        raise _overflow(beta)


def require_finite_scores(scores: Tensor, beta: float) -> None:
    """Refuse guided scores (B, V) that overflowed; tokens forbidden by -inf are no overflow.

    Raises:
        SettingsError: names β.
    """
    if not torch.isfinite(scores.amax(dim=-1)).all():
        raise _overflow(beta)


def _overflow(beta: float) -> SettingsError:
    return SettingsError(
        f"beta = {beta:g} overflows float32 when multiplied by the advantages; use a smaller one.",
        f"beta = {beta:g} 与优势值相乘后超出 float32 的范围；请改用较小的值。",
    )
