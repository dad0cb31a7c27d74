"""Guided decoding inside `transformers`' own `generate`: greedy, sampling and beams alike.

    with Guidance(model, beta=2.0) as guidance:
        model.causal.generate(**inputs, logits_processor=[guidance])

`generate` hands its processors the scores but not the hidden states; the output layer's input is
exactly the hidden state they were made from, so it is caught there by a forward hook.
"""

from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import LogitsProcessor

from speaq.models.decoding import guide, require_finite
from speaq.models.language_model import LanguageModel


class Guidance(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed by mypy
    """A logits processor that adds β·A(s, ·); with β = 0 it returns the scores untouched.

    Raises:
        SettingsError: β is not finite or overflows.
        ModelError: the model has no value head.
    """

    def __init__(self, model: LanguageModel, beta: float) -> None:
        require_finite(beta)
        self.head = model.require_head()
        self.beta = beta
        self._layer = model.output_layer
        self._hidden: Tensor | None = None
        self._hook: RemovableHandle | None = None

    def __enter__(self) -> "Guidance":
        self._hook = self._layer.register_forward_pre_hook(self._catch)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _catch(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._hidden = inputs[0][:, -1]  # (B, D), the last position's

    @torch.no_grad()
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) of the next token -> guided log-probabilities (B, V); scores if β = 0."""
        if self.beta == 0:
            return scores
        if self._hidden is None:
            raise RuntimeError("Guidance must be entered as a context before generate runs")
        guided = guide(scores, self.head.advantages(self._hidden.float()), self.beta)
        # Beams compare sums of log-probabilities between rows, so the constant of each row counts.
        return torch.log_softmax(guided, dim=-1)
