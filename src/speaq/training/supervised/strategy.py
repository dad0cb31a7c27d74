"""Which weights of a model change: all, the last layers, none, or adapters beside them."""

import difflib
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from speaq.core.errors import SettingsError
from speaq.core.seeds import derive
from speaq.training.supervised.settings import FineTuneSettings


def prepared(model: Any, settings: FineTuneSettings, seed: int) -> Any:
    """`model` with gradients where the settings ask for them; inside of adapters for lora.

    Raises:
        SettingsError: more last layers than there are, or a pattern that names no weight.
    """
    model.requires_grad_(settings.strategy == "full")
    if settings.strategy == "last":
        for name, weight in model.named_parameters():
            weight.requires_grad = name in set(last_names(model, settings.last_layers))
    frozen = matching([name for name, _ in model.named_parameters()], settings.freeze)
    if settings.strategy == "lora":
        return with_adapters(model, settings.lora_rank, derive(seed, "lora"), frozen)
    for name, weight in model.named_parameters():
        if name in frozen:
            weight.requires_grad = False
    return model


def matching(names: Sequence[str], patterns: Sequence[str]) -> set[str]:
    """The names that a pattern fits; a pattern fits the beginning of a name at a dot as well.

    Raises:
        SettingsError: a pattern that fits none; suggests the nearest name.
    """
    found: set[str] = set()
    for pattern in patterns:
        fitting = {
            name
            for name in names
            if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")
        }
        if not fitting:
            near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.0)[0]
            raise SettingsError(
                f"fine-tune setting freeze: no weight is named like '{pattern}'; there is, for "
                f"example, {near}.",
                f"fine-tune 的 freeze：没有名称符合“{pattern}”的权重；例如有 {near}。",
            )
        found |= fitting
    return found


def layers_of(model: Any) -> dict[str, nn.ModuleList]:
    """The stacks of equal layers of a model, by name: one, or one in each half."""
    stacks = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len({type(each) for each in module}) == 1
    }
    # Lists inside of a layer, such as T5's sublayers, are no stacks.
    return {
        name: module
        for name, module in stacks.items()
        if not any(name.startswith(f"{other}.") for other in stacks if other != name)
    }


def last_names(model: Any, layers: int) -> list[str]:
    """The weights of the last `layers` layers of each stack and of what follows them.

    Raises:
        SettingsError: there are fewer layers.
    """
    names = [name for name, _ in model.named_parameters()]
    kept: list[str] = []
    for stack, module in layers_of(model).items():
        if layers > len(module):
            raise SettingsError(
                f"fine-tune setting last_layers = {layers} but the model has {len(module)} layers; "
                "use strategy = full.",
                f"fine-tune 的 last_layers = {layers}，但模型只有 {len(module)} 层；"
                "请用 strategy = full。",
            )
        parent = stack.rpartition(".")[0]
        inside = [name for name in names if name.startswith(f"{parent}." if parent else "")]
        first = next(
            place
            for place, name in enumerate(inside)
            if name.startswith(f"{stack}.{len(module) - layers}.")
        )
        # Weights are listed in the order in which the model uses them, but for the norm that
        # BART puts on its embeddings.
        kept += [name for name in inside[first:] if "embed" not in name]
    return kept


def with_adapters(model: Any, rank: int, seed: int, frozen: set[str]) -> Any:
    """LoRA adapters (Hu et al. 2022) on every linear layer but the frozen ones; scale 2."""
    from peft import LoraConfig, get_peft_model

    kept = sorted({name.rpartition(".")[0] for name in frozen}) or None
    torch.manual_seed(seed)
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=kept
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that transformers has deprecated.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        # GPT-2's layers are transposed, which it sees for itself.
        warnings.filterwarnings("ignore", "fan_in_fan_out is set to", UserWarning)
        return get_peft_model(model, settings)


def merged(model: Any) -> Any:
    """The model without adapters: what they learnt is added to its weights."""
    wrapped = model.__class__.__name__.startswith("PeftModel")
    plain = model.merge_and_unload() if wrapped else model
    return plain.requires_grad_(False)
