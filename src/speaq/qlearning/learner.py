"""Joins an algorithm, a model and encoded episodes into a task for the training loop."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn

from speaq.models.language_model import LanguageModel
from speaq.qlearning.algorithm import Algorithm, View
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.divergence import largest_return, require_plausible
from speaq.qlearning.targets import frozen, target_of, update
from speaq.training.batch import Batch, collate
from speaq.training.encoding import Encoded
from speaq.training.features import Features


class Learner:
    """A task: see `speaq.training.loop.Task`.

    Args:
        model: carries the head if the algorithm learns values; its policy parameters that require
            gradients are trained, the others are left alone.
        algorithm: settings and loss.
        encoded: N episodes.
        features: cached hidden states of a frozen trunk; None runs the trunk in every step.
        seen: (M, N) bool, which ensemble member may learn from which episode.
        half: make products in bfloat16; weights stay as they are. Always so where the features
            of a frozen trunk are no finer.
    """

    def __init__(
        self,
        model: LanguageModel,
        algorithm: Algorithm,
        encoded: Sequence[Encoded],
        features: Features | None,
        seen: Tensor,
        *,
        half: bool = False,
    ) -> None:
        self.model = model
        self.algorithm = algorithm
        self.encoded = list(encoded)
        self.features = features
        self.seen = seen
        self.half = half or (features is not None and features.dtype == torch.bfloat16)
        self.head = model.require_head()
        self.target = target_of(self.head) if algorithm.target_every else None
        hidden_size = model.output_table.shape[1]
        self.extra = {
            name: module.to(model.output_table.device)
            for name, module in algorithm.extra_modules(len(seen), hidden_size).items()
        }
        self.target_extra = {
            name: frozen(copy.deepcopy(module))
            for name, module in self.extra.items()
            if algorithm.target_every and isinstance(module, TiedCritic)
        }
        self.policy = nn.ParameterDict(
            {
                name.replace(".", "/"): parameter
                for name, parameter in model.causal.named_parameters()
                if parameter.requires_grad
            }
        )

    def extend(self, encoded: Sequence[Encoded]) -> None:
        """Add episodes that every member may learn from.

        Raises:
            ValueError: hidden states were cached, and those of new episodes are not among them.
        """
        if self.features is not None:
            raise ValueError("a learner on cached hidden states cannot take new episodes")
        self.encoded += encoded
        everyone = torch.ones(len(self.seen), len(encoded), dtype=torch.bool)
        self.seen = torch.cat([self.seen, everyone], 1)

    def modules(self) -> Mapping[str, nn.Module]:
        """Head, target, the algorithm's own modules, and what is trained of the policy."""
        modules: dict[str, nn.Module] = {**self.extra, "policy": self.policy}
        if self.algorithm.learns == "values":
            modules["head"] = self.head
        if self.target is not None:
            modules["target"] = self.target
        modules |= {f"target_{name}": module for name, module in self.target_extra.items()}
        return modules

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """Policy, advantages, and state values with the algorithm's own modules."""
        groups: dict[str, Sequence[nn.Parameter]] = {"trunk": list(self.policy.values())}
        critics = [module for module in self.extra.values() if isinstance(module, TiedCritic)]
        advantages = [critic.projection for critic in critics]
        values: list[nn.Module] = [critic.state_values for critic in critics]
        values += [module for module in self.extra.values() if module not in critics]
        if self.algorithm.learns == "values":
            advantages = [*self.head.advantage_parameters(), *advantages]
            values = [self.head.state_values, *values]
        groups["head"] = advantages
        groups["value"] = list(chain.from_iterable(module.parameters() for module in values))
        return groups

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The algorithm's loss on the episodes `indices`; see `speaq.training.loop.Task`."""
        with self._precision():
            view = self._view(indices, weights)
            loss, figures = self.algorithm.loss(view)
        if "errors" in figures:
            figures["errors"] = _of_episodes(figures["errors"], view.batch.action_mask)
        return loss, figures

    def after_step(self, step: int) -> None:
        """Move the target network every `target_every` steps, whatever the epoch's length."""
        if self.target is not None and step % self.algorithm.target_every == 0:
            update(self.target, self.head, self.algorithm.target_rate)
            for name, slow in self.target_extra.items():
                update(slow, self.extra[name], self.algorithm.target_rate)

    @torch.no_grad()
    def require_sound(self, indices: Sequence[int]) -> None:
        """Refuse values of the episodes `indices` that no return of the log could have.

        Raises:
            DivergenceError: names the likely setting.
        """
        if self.algorithm.estimates not in ("q", "centred"):
            return
        with self._precision():
            view = self._view(indices, None)
            if self.algorithm.estimates == "q":
                view = replace(view, centres=None)
            found = torch.where(view.batch.action_mask, view.q_values(self.head), 0.0).abs().max()
        largest = largest_return(self.encoded, self.algorithm.discount)
        require_plausible(float(found), largest, asdict(cast(Any, self.algorithm)))

    def _precision(self) -> torch.autocast:
        where = self.model.output_table.device.type
        return torch.autocast(where, torch.bfloat16, enabled=self.half)

    def _view(self, indices: Sequence[int], weights: Tensor | None) -> View:
        batch = collate(
            [self.encoded[index] for index in indices],
            self.algorithm.discount,
            self.seen[:, list(indices)],
        ).to(self.model.output_table.device)
        return View(
            batch=batch,
            hidden=self._hidden(batch, indices),
            centres=self._centres(batch, indices),
            head=self.head,
            target=self.target,
            extra=self.extra,
            output_table=self.model.output_table,
            episodes=float(self.seen.float().sum(1).mean()),
            trains_policy=len(self.policy) > 0,
            target_extra=self.target_extra,
            importance=None if weights is None else weights.to(batch.tokens.device),
        )

    def _centres(self, batch: Batch, indices: Sequence[int]) -> Tensor | None:
        if self.features is None or self.features.centres is None:
            return None
        return self.features.gather_centres(indices).to(batch.tokens.device)

    def _hidden(self, batch: Batch, indices: Sequence[int]) -> Tensor:
        if self.features is not None:
            return self.features.gather(indices).to(batch.tokens.device)
        hidden = self.model.hidden_states(
            batch.tokens, batch.lengths, batch.source, batch.source_lengths
        )  # (B, T, D)
        places = batch.states[:, :, None].expand(-1, -1, hidden.shape[-1])
        return torch.gather(hidden, 1, places).float()


def _of_episodes(errors: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error of each episode: (B, K) twice -> (B,)."""
    return torch.where(mask, errors, 0.0).sum(1) / mask.sum(1).clamp(min=1)
