"""Drawing many replies with their exact propensities.

`transformers`' `generate` serves one conversation well. Logging and measuring need hundreds of
replies to the same prompts with the log-probability of every token, and there this loop takes a
third of the time on a CPU: a prompt is read once for all its replies, ended replies leave the
batch, and a token is drawn by inverting the cumulative distribution with one uniform number
instead of one per vocabulary entry.

The uniform numbers depend only on seed, prompt and sample: a reply does not change with the batch
it was drawn in (up to rounding), and an interrupted run continues with the same numbers.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from speaq.core.files import digest
from speaq.core.progress import bar
from speaq.core.seeds import generator
from speaq.models.decoding import Decoding, guide, log_probabilities
from speaq.models.exploration import Exploration, exploring
from speaq.models.language_model import LanguageModel
from speaq.models.prefill import prefill

ROWS = 64
"""Replies drawn side by side; more gain little on a CPU and cost memory."""


Policy = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Hidden states (R, D) -> log-probabilities (R, V) to draw from, and those that the divergence is
counted from; None where nothing moves the model."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply."""

    prompt: int
    """Index of the prompt it answers."""
    token_ids: tuple[int, ...]
    """What was drawn, the end token included if it was."""
    logprobs: tuple[float, ...]
    """ln π(token) under the distribution each token was drawn from."""
    finished: bool
    """Whether the end token was drawn before the length limit."""
    kl: float
    """Sum over its states of KL(π_β ‖ π), in nats; 0 when nothing guided."""


@dataclass
class _Row:
    """A reply being drawn."""

    prompt: int
    uniforms: np.ndarray
    token_ids: list[int]
    logprobs: list[float]
    kl: float = 0.0


def sample(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    samples: int,
    decoding: Decoding,
    *,
    seed: int,
    beta: float = 0.0,
    explore: Exploration | None = None,
    title: str = "sampling",
) -> list[Sample]:
    """Draw `samples` replies to each prompt (token ids), guided by β; ordered by prompt.

    Args:
        model: with a value head if β is not 0 or something is explored.
        prompts: token ids.
        samples: to each prompt.
        decoding: temperature, cuts, support, length.
        seed: of the replies.
        beta: of the guided policy.
        explore: draw tokens in this way instead; of `decoding` only the length then counts.
        title: of the progress bar.

    Raises:
        ModelError: a value head is needed and there is none.
        SettingsError: β overflows.
    """
    rows = []
    met: Counter[str] = Counter()
    for p, prompt in enumerate(prompts):
        name = digest(np.array(prompt, dtype=np.int64).tobytes())
        for s in range(met[name] * samples, (met[name] + 1) * samples):
            uniforms = generator(seed, "sample", name, s).random(decoding.max_new_tokens)
            rows.append(_Row(p, uniforms, [], []))
        met[name] += 1  # a prompt given twice gets other replies the second time
    policy = _policy(model, decoding, beta, explore)
    with bar(title, len(rows)) as progress:
        done = []
        for start in range(0, len(rows), ROWS):
            batch = rows[start : start + ROWS]
            done += _draw(model, prompts, batch, decoding.max_new_tokens, policy, progress.advance)
    return done


def _policy(
    model: LanguageModel, decoding: Decoding, beta: float, explore: Exploration | None
) -> Policy:
    """The distribution tokens are drawn from."""

    def unguided(hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        return log_probabilities(model.output_layer(hidden).float(), decoding), None

    def led(hidden: Tensor) -> tuple[Tensor, Tensor | None]:
        logits = model.output_layer(hidden).float()
        with model.fast_products():
            advantages = model.require_head().advantages(hidden.float()).float()
        if explore is not None:
            # Candidates are few: the divergence is from the whole of the model's distribution.
            return exploring(logits, advantages, explore), torch.log_softmax(logits, -1)
        base = log_probabilities(logits, decoding)
        guided = guide(logits, advantages, beta, decoding.support)
        return log_probabilities(guided, decoding), base

    return unguided if beta == 0 and explore is None else led


@torch.inference_mode()
def _draw(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    rows: list[_Row],
    longest: int,
    policy: Policy,
    count: Callable[[float], None],
) -> list[Sample]:
    reading = prefill(model, [prompts[row.prompt] for row in rows])
    hidden = reading.hidden
    live = list(range(len(rows)))
    for step in range(longest):
        drawn = _next_tokens(hidden, [rows[i] for i in live], step, policy)
        going = [j for j, token in enumerate(drawn.tolist()) if token != model.end_id]
        count(len(live) - len(going))
        live = [live[j] for j in going]
        if not live or step + 1 == longest:
            break
        if len(going) < len(drawn):
            keep = torch.tensor(going, device=drawn.device)
            reading.keep(keep)
            drawn = drawn[keep]
        hidden = reading.extend(drawn[:, None])[:, -1]
    count(len(live))
    return [
        Sample(
            row.prompt,
            tuple(row.token_ids),
            tuple(row.logprobs),
            row.token_ids[-1] == model.end_id,
            row.kl,
        )
        for row in rows
    ]


def _next_tokens(hidden: Tensor, rows: list[_Row], step: int, policy: Policy) -> Tensor:
    """Draw one token for each row from hidden (R, D), note it in the rows, return (R,)."""
    logprobs, base = policy(hidden)
    kl = [0.0] * len(rows) if base is None else kl_divergence(logprobs, base).tolist()
    uniforms = torch.tensor([row.uniforms[step] for row in rows], device=hidden.device)
    drawn = _invert(logprobs.exp(), uniforms)
    taken = logprobs.gather(1, drawn[:, None])[:, 0].tolist()
    for i, row in enumerate(rows):
        row.token_ids.append(int(drawn[i]))
        row.logprobs.append(taken[i])
        row.kl += kl[i]
    return drawn


def _invert(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """First index whose cumulative probability exceeds u: (R, V), (R,) -> (R,)."""
    cumulative = probabilities.cumsum(-1)
    # Rounding leaves the last sum a little off 1, and u itself may round up to 1; with u below 1
    # and scaled by the sum, the draw never lands on a token of probability 0.
    below_one = uniforms.to(cumulative.dtype).clamp(max=1 - 2**-24)
    wanted = below_one[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, wanted, right=True)[:, 0]


def kl_divergence(logprobs: Tensor, base: Tensor) -> Tensor:
    """KL(p ‖ q) in nats per row from log-probabilities (R, V); 0·ln 0 counts as 0."""
    terms = logprobs.exp() * (logprobs - base)
    return terms.masked_fill(logprobs == -torch.inf, 0.0).sum(-1)
