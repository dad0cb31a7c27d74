"""What the loop trains: a model and an objective over the rows of a corpus."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from speaq.core.devices import device
from speaq.core.errors import DivergenceError
from speaq.core.files import replacing_folder
from speaq.core.runs import RunFolder
from speaq.core.seeds import generator
from speaq.training.descent import TERMS
from speaq.training.distributed import rank, summed, whole, world
from speaq.training.pretraining.masking import IGNORED
from speaq.training.pretraining.objectives import Objective
from speaq.training.pretraining.rows import Rows
from speaq.training.pretraining.settings import ComputeSettings, PaceSettings
from speaq.training.sharing import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VALIDATION = "validation_loss"
"""The figure that early stopping looks at."""
BEST = "best"
"""The folder, in the run's, of the weights with the best validation loss."""


class Pretraining:
    """A task; see `speaq.training.loop.Task`. An "episode" is the place of a row.

    Args:
        model: whose weights are trained.
        forward: what is called to run it: the model, or what exchanges its gradients.
        objective: how rows become examples.
        rows: to learn from, and to validate on if there are any.
        pace: when to validate, and when to give up.
        run: where validation losses and the best weights go.
        seed: of what is hidden.
        compute: its precision is decided.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        forward: nn.Module,
        objective: Objective,
        rows: tuple[Rows, Rows | None],
        pace: PaceSettings,
        run: RunFolder,
        seed: int,
        compute: ComputeSettings,
    ) -> None:
        self.model, self.forward, self.objective = model, forward, objective
        self.rows, self.validation = rows
        self.pace, self.run, self.seed = pace, run, seed
        self.half = compute.precision == "bfloat16"
        # A compiled model would be compiled anew for every number of places.
        self.all_places = compute.compile
        self._looks: list[float] | None = None

    def modules(self) -> Mapping[str, nn.Module]:
        """The model."""
        return {"model": cast(nn.Module, self.model)}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """All weights of the model; the optimiser is made elsewhere."""
        return {"trunk": list(cast(nn.Module, self.model).parameters())}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean cross-entropy of the tokens to foretell, in nats; see `Task`."""
        examples = self._examples(self.rows, indices, "hidden")
        total, count = self._cross_entropy(examples, self.forward)
        return total / count, {TERMS: count}

    def after_step(self, step: int) -> None:
        """Look at the validation loss every `validate_every` steps, and keep the best weights."""
        due = step % self.pace.validate_every == 0 or step == self.pace.steps
        if self.validation is None or not due:
            return
        found = self.validate()
        if not math.isfinite(found):
            raise DivergenceError(
                f"the validation loss is {found} after step {step}; lower the learning rate. The "
                "last good checkpoint is kept.",
                f"第 {step} 步后的验证损失为 {found}；请降低学习率。最近的有效检查点已保留。",
            )
        looks = self._known()
        best = min(looks, default=math.inf)
        looks.append(found)
        if found < best:
            keep_weights(cast(nn.Module, self.model), self.run)
        if rank() == 0:
            self.run.log(step, {VALIDATION: found})

    def enough(self) -> bool:
        """Whether `patience` looks in a row were no better than one before them."""
        looks = self._known()
        best = min(range(len(looks)), key=looks.__getitem__, default=0)
        return 0 < self.pace.patience < len(looks) - best

    def _known(self) -> list[float]:
        """The validation losses so far. The loop has rewound the metrics to its checkpoint before
        it first asks, so that a resumed run knows what the uninterrupted one knew then."""
        if self._looks is None:
            self._looks = [row[VALIDATION] for row in self.run.metrics() if VALIDATION in row]
        return self._looks

    @torch.no_grad()
    def validate(self) -> float:
        """Mean cross-entropy over all rows of the validation part, always with the same gaps."""
        rows = self.validation
        assert rows is not None
        size = self.pace.batch_size
        mine = range(rank(), rows.count, world())
        total = count = 0.0
        with _evaluating(cast(nn.Module, self.model)):
            # All processes make as many passes, for a sharded model needs all of them in each.
            for start in range(0, -(-rows.count // world()), size):
                places = list(mine[start : start + size])
                examples = self._examples(rows, places or [0], "validation")
                found, terms = self._cross_entropy(examples, quiet(self.forward))
                if places:
                    total, count = total + float(found), count + float(terms)
        total, count = summed([total, count])
        return total / count

    def _examples(self, rows: Rows, places: Sequence[int], name: str) -> dict[str, Tensor]:
        tokens, starts = rows.read(places)
        streams = [generator(self.seed, name, place) for place in places]
        examples = self.objective.examples(tokens, starts, streams)
        where = device()
        return {key: tensor.to(where, non_blocking=True) for key, tensor in examples.items()}

    def _cross_entropy(
        self, examples: dict[str, Tensor], forward: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """Sum over the tokens to foretell, in nats, and how many they are."""
        inputs = {key: each for key, each in examples.items() if key != "labels"}
        labels = examples["labels"].reshape(-1)
        known = labels != IGNORED
        some = None if self.all_places or bool(known.all()) else known
        with torch.autocast(device().type, torch.bfloat16, enabled=self.half):
            logits = _logits(forward, cast(nn.Module, self.model), inputs, some)
        labels = labels if some is None else labels[some]
        # Summed in float32: over a large vocabulary bfloat16 keeps too few digits.
        total = nn.functional.cross_entropy(
            logits.float(), labels, ignore_index=IGNORED, reduction="sum"
        )
        return total, known.sum()


def _logits(
    forward: nn.Module, model: nn.Module, inputs: dict[str, Tensor], some: Tensor | None
) -> Tensor:
    """Scores (N, V) at every place, or at those where `some` (B·T,) is true.

    Scores are most of the work of a small model with a large vocabulary, and a masked one needs
    them at a seventh of the places; so the output layer is given only those.
    """
    if some is None:
        scores: Tensor = forward(**inputs, **_uncached(model)).logits
        return scores.flatten(0, -2)

    def chosen(layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden: Tensor = given[0]
        return (hidden.reshape(-1, hidden.shape[-1])[some], *given[1:])

    layer: nn.Module = cast(Any, model).get_output_embeddings()
    hook = layer.register_forward_pre_hook(chosen)
    try:
        found: Tensor = forward(**inputs).logits
    finally:
        hook.remove()
    return found


def _uncached(model: nn.Module) -> dict[str, bool]:
    """Decoders would keep their keys and values for a next token that never comes."""
    config = cast(Any, model).config
    return {"use_cache": False} if "use_cache" in config.to_dict() else {}


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def keep_weights(model: nn.Module, run: RunFolder) -> None:
    """Write the weights as the run's best; all processes have to call this together."""
    tensors = {key: whole(tensor.detach()) for key, tensor in model.state_dict().items()}
    if rank() == 0:
        copies = {key: each.cpu().contiguous().clone() for key, each in tensors.items()}
        with replacing_folder(run.path / BEST) as folder:
            save_file(copies, folder / "weights.safetensors")
