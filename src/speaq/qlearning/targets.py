"""Target networks: the slow copy of the heads that bootstrap targets are read from."""

import copy
from typing import TypeVar

import torch
from torch import nn

from speaq.models.head import ValueHead

Module = TypeVar("Module", bound=nn.Module)


def target_of(head: ValueHead) -> ValueHead:
    """A copy of `head` that takes no gradients. The model's output table stays shared."""
    return frozen(copy.deepcopy(head, {id(head.output_table): head.output_table}))


def frozen(module: Module) -> Module:
    """`module` itself, its parameters closed to gradients."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


@torch.no_grad()
def update(target: nn.Module, online: nn.Module, rate: float) -> None:
    """θ̄ ← (1 - rate)·θ̄ + rate·θ, in place; rate 1 copies exactly."""
    for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
        if rate == 1:
            slow.copy_(fast)
        else:
            slow.lerp_(fast, rate)
