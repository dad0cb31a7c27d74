"""Reading shared beginnings once: distinct prefixes, then a key-value cache spread over rows."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache

from speaq.core.errors import DataError
from speaq.models.language_model import LanguageModel


class Prefilled(NamedTuple):
    """What the trunk knows after the prefixes, one row per continuation."""

    cache: DynamicCache
    mask: Tensor  # (R, P) 1 where a prefix token stands, 0 where the left padding does
    hidden: Tensor  # (R, D) the state in which the first continuation token is chosen


def prefill(model: LanguageModel, prefixes: Sequence[Sequence[int]]) -> Prefilled:
    """Run the trunk over R prefixes, each distinct one once.

    Prefixes are padded on the left, so that every continuation starts at the same place.

    Raises:
        DataError: an empty prefix; no state would precede the first token.
    """
    distinct = list(dict.fromkeys(tuple(prefix) for prefix in prefixes))
    if any(not prefix for prefix in distinct):
        raise DataError("a prompt holds no tokens.", "有提示不含任何词元。")
    longest = max(len(prefix) for prefix in distinct)
    device = model.output_table.device
    tokens = torch.full((len(distinct), longest), model.end_id, device=device)
    mask = torch.zeros_like(tokens)
    for i, prefix in enumerate(distinct):
        tokens[i, longest - len(prefix) :] = torch.tensor(prefix, device=device)
        mask[i, longest - len(prefix) :] = 1
    cache = DynamicCache(config=model.causal.config)
    output = model.trunk(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        past_key_values=cache,
    )
    place = {prefix: i for i, prefix in enumerate(distinct)}
    spread = torch.tensor([place[tuple(prefix)] for prefix in prefixes], device=device)
    cache.batch_select_indices(spread)
    return Prefilled(cache, mask[spread], output.last_hidden_state[:, -1][spread])
