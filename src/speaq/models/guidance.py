"""Guided decoding inside `transformers`' own `generate`: greedy, sampling and beams alike.

    with Guidance(model, beta=2.0) as guidance:
        model.causal.generate(**inputs, logits_processor=[guidance])

A tied head scores tokens with the output layer's own table, A(s, ·) = W (M h). So the guided
logits W h + β W (M h) are the output layer's answer to another state, h + β M h, and a hook before
that layer hands it this one: guiding costs a product with M, D numbers by D, and no second one
over the vocabulary. For other heads, in half precision, where a small step from h would be rounded
away, and where guidance is bounded by what the unguided model finds likely, advantages are made
and added to the scores; `generate` hands its processors the
scores but not the hidden states, which the same hook catches.
"""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import LogitsProcessor

from speaq.models.decoding import Decoding, guide, require_finite, require_finite_scores
from speaq.models.language_model import LanguageModel


class Guidance(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed by mypy
    """A logits processor that adds β·A(s, ·); with β = 0 it returns the scores untouched.

    While the context is open the model belongs to it: whatever else reads the logits of the same
    model meanwhile may find them guided.

    Args:
        model: with a value head.
        beta: strength.
        support: bound of what is chosen from, see `Decoding.support`.

    Raises:
        SettingsError: β is not finite or overflows; a support outside [0, 1].
        ModelError: the model has no value head.
    """

    def __init__(self, model: LanguageModel, beta: float, support: float = 0.0) -> None:
        require_finite(beta)
        self.head = model.require_head()
        self.beta = beta
        self.support = Decoding(support=support).support
        self._layer = model.plain_layer
        self._readout = model.readout
        self._table = model.output_table
        self._step = None if support else _step(model)
        self._hidden: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def __enter__(self) -> "Guidance":
        if self.beta != 0:
            self._hook = self._layer.register_forward_pre_hook(self._meet)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._hook is not None:
            self._hook.remove()

    @torch.no_grad()
    def _meet(self, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """What the output layer is to read instead of its input, if anything."""
        hidden: Tensor = inputs[0]  # (B, T, D)
        self._hidden = self._readout.read(hidden[:, -1])  # (B, D), the last position's
        if self._step is None:
            return None
        return (torch.add(hidden, hidden @ self._step.T, alpha=self.beta), *inputs[1:])

    @torch.no_grad()
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) of the next token -> guided ones (B, V), as log-probabilities for beams.

        Raises:
            SettingsError: β overflows.
        """
        if self.beta == 0:
            return scores
        if self._hidden is None:
            raise RuntimeError("Guidance must be entered as a context before generate runs")
        if self._step is not None:
            require_finite_scores(scores, self.beta)
            return scores  # made from the guided state
        advantages = self.head.advantages(self._hidden.float())
        guided = guide(scores, advantages, self.beta, self.support)
        # Beams compare sums of log-probabilities between rows, so the constant of each row counts.
        if not self._readout.banned:
            return torch.log_softmax(guided, dim=-1)
        # Theirs are normalised before tokens are banned, and those of a folded model would be.
        base = self._hidden @ self._table.T
        moved = guide(base, advantages, self.beta, self.support).logsumexp(-1, keepdim=True)
        guided = guided + base.logsumexp(-1, keepdim=True) - moved
        forced = torch.isfinite(scores).sum(-1, keepdim=True) == 1  # nothing is chosen there
        return torch.where(forced, scores, guided)


def _step(model: LanguageModel) -> Tensor | None:
    """M (D, D) with A(s, ·) = W (M h) if there is one that may be added to the state."""
    head = model.require_head()
    averaged = head.settings.combine == "mean" or head.members == 1
    if head.settings.kind != "tied" or not averaged or model.output_table.dtype != torch.float32:
        return None
    if model.readout.constant:  # the layer cannot be handed another constant
        return None
    return head.projection.detach().mean(0)
