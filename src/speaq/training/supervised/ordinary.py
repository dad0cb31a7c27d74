"""A trunk and a head as one of `transformers`' own classes, where one says exactly the same.

The class is built, filled and asked: only if it gives the same scores as our own head does on
probe rows is it what the folder holds. So no table of architectures has to be right.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from speaq.training.supervised.batches import Batch, Row, collate
from speaq.training.supervised.classifying import Classifying
from speaq.training.supervised.heads import PassageHead, TextHead
from speaq.training.supervised.kinds import Kind
from speaq.training.supervised.tagging import TagHead
from speaq.training.supervised.trunk import Trunk


@torch.no_grad()
def as_ordinary(trunk: Trunk, kind: Kind, head: nn.Module, rows: Sequence[Row]) -> Any | None:
    """The `AutoModelFor...` model that gives these scores; None if there is none.

    Args:
        trunk: without adapters.
        kind: names the labels.
        head: as it was learnt.
        rows: a few to compare the scores on.
    """
    door = _door(head)
    if door is None or trunk.plain.config.model_type not in _mapped(door):
        return None
    config = trunk.plain.config.__class__.from_dict(trunk.plain.config.to_dict())
    if kind.labels:
        config.id2label = dict(enumerate(kind.labels))
        config.label2id = {name: n for n, name in enumerate(kind.labels)}
        config.problem_type = _problem(kind)
    if trunk.reads_forwards:
        config.pad_token_id = trunk.padding  # by it these classes find the last token
    model = door.from_config(config, dtype=torch.float32)
    cast(nn.Module, model.base_model).load_state_dict(trunk.plain.state_dict(), strict=False)
    if not _filled(model, head):
        return None
    model.eval()
    batch = collate(list(rows)[:4], trunk.padding, torch.device("cpu"))
    return model if _same(trunk, model, head, batch) else None


def _door(head: nn.Module) -> Any | None:
    from transformers import (
        AutoModelForQuestionAnswering,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    if isinstance(head, TagHead):
        return AutoModelForTokenClassification
    if isinstance(head, PassageHead):
        return AutoModelForQuestionAnswering
    if isinstance(head, TextHead) and head.reads in ("first", "last"):
        return AutoModelForSequenceClassification
    return None


def _mapped(door: Any) -> set[str]:
    """The architectures that a door knows."""
    return {config.model_type for config in door._model_mapping}


def _problem(kind: Kind) -> str | None:
    if not isinstance(kind, Classifying):
        return None
    return "multi_label_classification" if kind.several else "single_label_classification"


def _linears(head: nn.Module) -> list[nn.Linear]:
    return [module for module in head.modules() if isinstance(module, nn.Linear)]


def _filled(model: Any, head: nn.Module) -> bool:
    """Put the head's layers, in their order, into those the class has beside its trunk."""
    inside = set(map(id, model.base_model.modules()))
    own = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and id(module) not in inside
    ]
    given = _linears(head)
    pooler = [
        module
        for name, module in model.base_model.named_modules()
        if name.startswith("pooler") and isinstance(module, nn.Linear)
    ]
    if len(own) == len(given) - 1:
        own = [*pooler, *own]  # BERT keeps the dense layer of its head inside of the trunk
    if [each.weight.shape for each in own] != [each.weight.shape for each in given]:
        return False
    for target, source in zip(own, given, strict=True):
        if (target.bias is None) != (source.bias is None):
            return False
        target.load_state_dict(source.state_dict())
    return True


def _same(trunk: Trunk, model: Any, head: nn.Module, batch: Batch) -> bool:
    hidden = trunk.hidden(batch)
    wanted = cast(Tensor, head(hidden, batch))
    inputs = {"input_ids": batch.tokens, "attention_mask": batch.mask.long()}
    if trunk.plain.config.to_dict().get("type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = batch.segments
    said = model(**inputs)
    if isinstance(head, PassageHead):
        found = torch.stack([said.start_logits, said.end_logits], -1)
    elif isinstance(head, TagHead):
        found = torch.gather(
            said.logits, 1, batch.places[:, :, None].expand(-1, -1, said.logits.shape[-1])
        )
    else:
        found = said.logits
    if isinstance(head, PassageHead):
        wanted, found = wanted[batch.mask], found[batch.mask]
    elif isinstance(head, TagHead):
        wanted, found = wanted[batch.place_mask], found[batch.place_mask]
    return torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)
