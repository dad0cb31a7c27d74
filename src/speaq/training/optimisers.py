"""SGD, Adam, AdamW and Muon over the weights of a model, by settings.

Decay pulls matrices only: norms and biases have no scale to be pulled from. Muon (Jordan et al.
2024) makes the update of a matrix orthogonal; it is for matrices between hidden states, so
embeddings, the output layer and everything that is no matrix go by AdamW. Its updates are scaled
to the size of AdamW's (Liu et al. 2025, eq. 4), so that one learning rate serves both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from speaq.core.settings import require

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

KINDS = ("adamw", "adam", "sgd", "muon")


@dataclass(frozen=True)
class OptimiserSettings:
    """How gradients become steps."""

    kind: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    """muon: for matrices, AdamW for the rest."""
    lr: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.1
    """Of matrices; adam and sgd add it to the gradient, adamw and muon take it off the weight."""
    beta1: float = 0.9
    """Decay of Adam's first moment."""
    beta2: float = 0.95
    """Decay of Adam's second moment."""
    epsilon: float = 1e-8
    """Adam's, beside the root of the second moment."""
    momentum: float = 0.95
    """Of SGD and Muon, Nesterov's; 0: none in SGD."""

    def __post_init__(self) -> None:
        rules = {
            "kind": (self.kind in KINDS, f"one of {', '.join(KINDS)}"),
            "lr": (0 < self.lr < float("inf"), "> 0"),
            "weight_decay": (0 <= self.weight_decay < float("inf"), "≥ 0"),
            "beta1": (0 <= self.beta1 < 1, "in [0, 1)"),
            "beta2": (0 <= self.beta2 < 1, "in [0, 1)"),
            "epsilon": (0 < self.epsilon < float("inf"), "> 0"),
            "momentum": (0 <= self.momentum < 1, "in [0, 1)"),
        }
        require("optimiser", self, rules)


class Optimiser(Protocol):
    """What the loop needs of an optimiser; PyTorch's have it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups; each `peak` is the learning rate that the schedule multiplies."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""

    def step(self) -> Any:
        """Move the weights."""

    def state_dict(self) -> dict[str, Any]:
        """`state`: by number of the weight, in the order of the groups, tensors by name."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""


class Joint:
    """Several optimisers as one: their groups, and so the numbers of their weights, run on."""

    def __init__(self, parts: "Sequence[torch.optim.Optimizer]") -> None:
        self.parts = list(parts)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """See `Optimiser`."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """See `Optimiser`."""
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        """See `Optimiser`."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """See `Optimiser`. The settings of the groups are not in it: they are the caller's."""
        state: dict[int, Any] = {}
        for first, part in self._numbered():
            own = part.state_dict()["state"]
            state |= {first + number: tensors for number, tensors in own.items()}
        return {"state": state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `Optimiser`."""
        for first, part in self._numbered():
            own = part.state_dict()
            last = first + _weights(part)
            own["state"] = {
                number - first: tensors
                for number, tensors in state_dict["state"].items()
                if first <= number < last
            }
            part.load_state_dict(own)

    def _numbered(self) -> "list[tuple[int, torch.optim.Optimizer]]":
        """The parts, each with the number of its first weight."""
        found, first = [], 0
        for part in self.parts:
            found.append((first, part))
            first += _weights(part)
        return found


def _weights(part: "torch.optim.Optimizer") -> int:
    return sum(len(group["params"]) for group in part.param_groups)


def optimiser_of(settings: OptimiserSettings, model: "nn.Module") -> Optimiser:
    """The optimiser of all weights of `model` that require gradients.

    Args:
        settings: see there.
        model: a `transformers` model: its embeddings and output layer are told apart for Muon.
    """
    import torch

    weights = _sorted(model)
    if settings.kind == "muon":
        hidden = _groups(settings, {"hidden": weights["hidden"]})
        rest = _groups(settings, {name: weights[name] for name in ("tables", "vectors")})
        parts: list[torch.optim.Optimizer] = [_adamw(settings, rest)] if rest else []
        if hidden:
            muon = torch.optim.Muon(
                hidden, momentum=settings.momentum, adjust_lr_fn="match_rms_adamw"
            )
            parts.insert(0, muon)
        return Joint(parts)
    groups = _groups(settings, weights)
    if settings.kind == "sgd":
        return torch.optim.SGD(
            groups, momentum=settings.momentum, nesterov=settings.momentum > 0, fused=True
        )
    if settings.kind == "adam":
        betas = (settings.beta1, settings.beta2)
        return torch.optim.Adam(groups, betas=betas, eps=settings.epsilon, fused=True)
    return _adamw(settings, groups)


def _adamw(settings: OptimiserSettings, groups: list[dict[str, Any]]) -> "torch.optim.AdamW":
    import torch

    betas = (settings.beta1, settings.beta2)
    return torch.optim.AdamW(groups, betas=betas, eps=settings.epsilon, fused=True)


def _sorted(model: "nn.Module") -> "dict[str, list[nn.Parameter]]":
    """The weights: matrices between hidden states, tables of embeddings, and vectors."""
    from torch import nn

    tables: set[Tensor] = {
        module.weight for module in model.modules() if isinstance(module, nn.Embedding)
    }
    for name, module in model.named_modules():
        # What reads a hidden state out over the vocabulary is as large as the table it mirrors.
        if name.rpartition(".")[2] in ("lm_head", "decoder", "embed_out") and isinstance(
            module, nn.Linear
        ):
            tables.add(module.weight)
    found: dict[str, list[nn.Parameter]] = {"hidden": [], "tables": [], "vectors": []}
    for weight in model.parameters():
        if weight.requires_grad:
            kind = "vectors" if weight.dim() < 2 else "tables" if weight in tables else "hidden"
            # Muon takes matrices only; a convolution's kernel is none.
            found["tables" if weight.dim() > 2 else kind].append(weight)
    return found


def _groups(
    settings: OptimiserSettings, weights: "Mapping[str, list[nn.Parameter]]"
) -> list[dict[str, Any]]:
    decays = {"vectors": 0.0}
    return [
        {
            "params": group,
            "lr": settings.lr,
            "peak": settings.lr,
            "weight_decay": decays.get(name, settings.weight_decay),
        }
        for name, group in weights.items()
        if group
    ]
