"""One model over several processes: whole on each, or in parts."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import nn

from speaq.core.devices import device
from speaq.training.distributed import whole, world

Synchronise = Callable[[bool], None]
"""Turns the exchange of gradients on or off."""

Result = TypeVar("Result")


class Inside(nn.Module):
    """Modules whose weights are shared out together, where no one module calls all others.

    What is called inside of `forward` sees the weights whole, however they are kept.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.held = nn.ModuleDict(modules)

    def forward(self, work: Callable[[], Result]) -> Result:
        """What `work` gives; gradients of what it gives are exchanged."""
        return work()


def shared(
    model: nn.Module, parallel: str, *, unused: bool = False
) -> tuple[nn.Module, Synchronise | None]:
    """The model over all processes: what runs it, and what turns the exchange of gradients on.

    Args:
        model: on its device; with fsdp its weights become parts in place.
        parallel: ddp or fsdp.
        unused: whether some weights may take no part in a step: other tasks' heads, a pooler.
    """
    if world() == 1:
        return model, None
    if parallel == "ddp":
        wrapped = nn.parallel.DistributedDataParallel(model, find_unused_parameters=unused)

        def synchronise(on: bool) -> None:
            wrapped.require_backward_grad_sync = on

        return wrapped, synchronise
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from transformers.modeling_layers import GradientCheckpointingLayer

    mesh = init_device_mesh(device().type, (world(),))
    # The layers one by one, so that only one at a time is whole; then what is around them.
    for module in list(model.modules()):
        if isinstance(module, GradientCheckpointingLayer):
            fully_shard(module, mesh=mesh)
    whole_model = fully_shard(model, mesh=mesh)
    return model, whole_model.set_requires_gradient_sync


def quiet(forward: nn.Module) -> nn.Module:
    """What runs a shared model where there are no gradients to exchange."""
    if isinstance(forward, nn.parallel.DistributedDataParallel):
        module: nn.Module = forward.module
        return module
    return forward


def refill(plain: nn.Module, trained: nn.Module) -> None:
    """Put the weights of a model that may be in parts into one of the same kind that is whole."""
    from torch.distributed.fsdp import FSDPModule

    for module in trained.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # else those that are still whole might be older than their parts
    state = {name: whole(tensor.detach()) for name, tensor in trained.state_dict().items()}
    plain.load_state_dict({name: tensor.to(torch.device("cpu")) for name, tensor in state.items()})
