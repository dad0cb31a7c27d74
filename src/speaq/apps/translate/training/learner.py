"""What the loop trains when it trains a translator: cross-entropy of the translations' tokens."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from speaq.apps.translate.model.engines import Ids, batches, padded
from speaq.apps.translate.training.recipe import TrainSettings
from speaq.core.devices import batch_dtype
from speaq.core.runs import RunFolder
from speaq.models.encoder_decoder import padding_mask, read, write
from speaq.models.language_model import LanguageModel
from speaq.models.vocabulary import weighted_logprobs
from speaq.training.supervised.learner import Best

Rows = Sequence[tuple[Ids, Ids]]
"""Source with its marks, translation with its end token."""


class Mean(nn.Module):
    """A running mean of the weights (Polyak and Juditsky 1992), as buffers for checkpoints.

    The decay grows as (1 + t) / (10 + t) up to its own, so that the first weights are forgotten.
    """

    count: Tensor

    def __init__(self, weights: Sequence[nn.Parameter], decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("count", torch.tensor(0))
        for n, weight in enumerate(weights):
            self.register_buffer(f"weight{n}", weight.detach().clone())

    def _means(self) -> list[Tensor]:
        return [buffer for name, buffer in self.named_buffers() if name != "count"]

    @torch.no_grad()
    def update(self, weights: Sequence[nn.Parameter]) -> None:
        """Take one step's weights in."""
        t = int(self.count)
        decay = min(self.decay, (1 + t) / (10 + t)) if self.decay else 0.0
        torch._foreach_lerp_(self._means(), [each.detach() for each in weights], 1 - decay)
        self.count += 1

    @torch.no_grad()
    def swap(self, weights: Sequence[nn.Parameter]) -> None:
        """Change places with the weights; twice is as before."""
        for mean, weight in zip(self._means(), weights, strict=True):
            held = weight.detach().clone()
            weight.copy_(mean)
            mean.copy_(held)


class TranslationLearner:
    """The loop's task; see `speaq.training.loop.Task`. An "episode" is the place of a pair.

    Args:
        model: whose weights are trained, all of them.
        training: to learn from.
        validation: to look at.
        settings: see there.
        steps: of the run.
        run: where validation losses are logged; None for a rehearsal.
    """

    def __init__(
        self,
        model: LanguageModel,
        training: Rows,
        validation: Rows,
        settings: TrainSettings,
        steps: int,
        run: RunFolder | None,
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.settings, self.steps, self.run = settings, steps, run
        self.plain = cast(nn.Module, model.causal)
        self.plain.eval()
        _ = model.readout  # looked at once, and dropout would mislead the look
        self.weights = [weight for weight in self.plain.parameters() if weight.requires_grad]
        self.mean, self.best = Mean(self.weights, settings.average), Best(self.weights)
        self.half = batch_dtype() == torch.bfloat16
        self.every = max(1, steps // settings.validations)

    def modules(self) -> Mapping[str, nn.Module]:
        """See `Task`."""
        return {"model": self.plain, "mean": self.mean, "best": self.best}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `Task`."""
        return {"trunk": self.weights}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy of the tokens, smoothed; see `Task`."""
        self.plain.train()
        rows = [self.training[index] for index in indices]
        total, _ = self._cross_entropy(rows, self.settings.smoothing)
        return total, {}

    def _cross_entropy(self, rows: Rows, smoothing: float) -> tuple[Tensor, int]:
        """Mean over the tokens, in nats, and how many they are.

        With label smoothing ε the target is (1 - ε) of the token and ε of all V alike; see
        `training.supervised.writing.answer_loss`.
        """
        model, causal = self.model, self.model.plain
        where = model.output_table.device
        source, lengths = padded([one for one, _ in rows], model.end_id)
        target, sizes = padded([other for _, other in rows], model.end_id)
        source, lengths, target, sizes = (
            each.to(where) for each in (source, lengths, target, sizes)
        )
        start = causal.generation_config.decoder_start_token_id
        given = torch.cat([torch.full_like(target[:, :1], start), target[:, :-1]], dim=1)
        with torch.autocast(where.type, torch.bfloat16, enabled=self.half):
            mask = padding_mask(source, lengths)
            hidden = write(causal, given, read(causal, source, mask), mask)
            states = model.readout.states(hidden)
            there = padding_mask(target, sizes).bool()
            features, actions, table = states[there], target[there], model.output_table
            share = torch.full((len(actions),), 1 / len(actions), device=where)
            loss = -weighted_logprobs(features, table, actions, share)
            if smoothing:
                ahead = (features * (table[actions] - table.mean(0))).sum(-1).float()
                loss = loss + smoothing * ahead.mean()
        return loss, len(actions)

    def after_step(self, step: int) -> None:
        """See `Task`: the mean of the weights, and a look at the validation pairs."""
        self.mean.update(self.weights)
        if self.run is None or (step % self.every and step != self.steps):
            return
        self.mean.swap(self.weights)
        loss = self.validated()
        self.best.heard(-loss, loss, step, self.weights)
        self.mean.swap(self.weights)
        self.run.log(step, {"validation loss": loss})

    @torch.no_grad()
    def validated(self) -> float:
        """Mean loss per token of the validation translations, in nats, without smoothing."""
        self.plain.eval()
        total = tokens = 0.0
        sizes = [max(len(one), len(other)) for one, other in self.validation]
        for places in batches(sizes, self.settings.batch_tokens):
            loss, count = self._cross_entropy([self.validation[place] for place in places], 0.0)
            total, tokens = total + float(loss) * count, tokens + count
        return total / tokens

    def enough(self) -> bool:
        """Whether too many looks in a row brought nothing better."""
        return bool(self.settings.patience) and int(self.best.waited) >= self.settings.patience

    def finish(self) -> None:
        """Put the best weights in place."""
        self.best.restore(self.weights)
        self.plain.eval()
